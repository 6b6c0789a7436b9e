"""The keys of one hospital: each valid for its days, each vouched for by the one before.

A hospital's first key is trusted because people compared its fingerprint. Every later key carries the signature of an
earlier one. Only where every earlier key was revoked may a key stand without a signature: it is a new first key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dure.center.registry.written import WrittenKey
from dure.errors import ConfigurationError, Problem
from dure.publish.rotation import rotation_statement
from dure.publish.signing import fingerprint, verified, verifying_key
from dure.site.yaml_text import Document, Step

SIGNATURE_BYTES = 64
_LARGEST_FILE = 1 << 16


@dataclass(frozen=True)
class SigningKey:
    """One public key of a hospital and the days on which it counts; `where` is its line in the registry."""

    public: Ed25519PublicKey
    fingerprint: str
    since: date
    until: date | None
    revoked: date | None
    where: str

    def counts_on(self, day: date) -> bool:
        over = (self.until is not None and day > self.until) or (self.revoked is not None and day >= self.revoked)
        return self.since <= day and not over


def read_keys(
    document: Document, at: Sequence[Step], site: str, written: Sequence[WrittenKey]
) -> tuple[list[SigningKey], list[Problem]]:
    """The keys of a hospital, and everything that is wrong with their chain, with file and line."""
    keys: list[SigningKey] = []
    problems: list[Problem] = []
    for number, entry in enumerate(written):
        steps = (*at, "keys", number)
        try:
            public = _public(document, entry)
        except ConfigurationError as error:
            found = error.problems[0]
            problems.append(document.problem((*steps, "key"), f"{found.where} {found.found}", found.do))
            continue
        key = SigningKey(public, fingerprint(public), entry.since, entry.until, entry.revoked, document.where(steps))
        problems += _of_days(document, steps, key)
        problems += _of_chain(document, steps, site, entry, key, keys)
        keys.append(key)
    return keys, problems


def _public(document: Document, entry: WrittenKey) -> Ed25519PublicKey:
    path = Path(document.file).parent / entry.key
    if path.is_file() and path.stat().st_size > _LARGEST_FILE:
        raise ConfigurationError(Problem(str(path), "is too large for a public key", "use signing.pub"))
    return verifying_key(path)


def _of_days(document: Document, steps: Sequence[Step], key: SigningKey) -> list[Problem]:
    if key.until is not None and key.until < key.since:
        return [document.problem((*steps, "until"), f"{key.until} is before {key.since}", "mend one of the two days")]
    return []


def _of_chain(
    document: Document,
    steps: Sequence[Step],
    site: str,
    entry: WrittenKey,
    key: SigningKey,
    earlier: Sequence[SigningKey],
) -> list[Problem]:
    if entry.signed_by is None or entry.signature is None:
        if entry.signed_by is not None or entry.signature is not None:
            return [document.problem(steps, "signed_by and signature belong together", "give both, or neither")]
        if all(other.revoked is not None for other in earlier):
            return []
        found = "a later key without the signature of the one before"
        do = "add signed_by and signature as `dure keygen --rotate` prints them, or revoke the keys before it"
        return [document.problem(steps, found, do)]
    signer = next((other for other in earlier if other.fingerprint == entry.signed_by), None)
    if signer is None:
        do = "name the fingerprint of a key of this hospital that stands above"
        return [document.problem((*steps, "signed_by"), "is no earlier key of this hospital", do)]
    if signer.revoked is not None and signer.revoked <= key.since:
        found = f"that key was revoked on {signer.revoked}, before this one begins"
        do = "a revoked key vouches for none: compare the new fingerprint on the phone and revoke every key before it"
        return [document.problem((*steps, "signed_by"), found, do)]
    if not signer.since <= key.since or (signer.until is not None and key.since > signer.until + timedelta(days=1)):
        found = f"that key was not valid when this one begins, on {key.since}"
        return [document.problem((*steps, "signed_by"), found, "a key signs the next while it is valid itself")]
    signature = _signature(Path(document.file).parent, entry.signature)
    if signature is None:
        do = "the base64 text that `dure keygen --rotate` prints, or a file that holds it"
        return [document.problem((*steps, "signature"), "is no signature", do)]
    if not verified(signer.public, signature, rotation_statement(site, key.public, key.since, key.until)):
        found = "the signature is not the one of that key over this site, this key and these days"
        do = "copy the entry as `dure keygen --rotate` printed it; site, from and until are part of what was signed"
        return [document.problem((*steps, "signature"), found, do)]
    return []


def _signature(folder: Path, text: str) -> bytes | None:
    path = folder / text
    try:
        if len(text) < SIGNATURE_BYTES and path.is_file() and path.stat().st_size <= _LARGEST_FILE:
            text = path.read_text("ascii").strip()
        content = base64.b64decode(text, validate=True)
    except (OSError, UnicodeError, binascii.Error, ValueError):
        return None
    return content if len(content) == SIGNATURE_BYTES else None
