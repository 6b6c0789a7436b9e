"""`dure keygen`: new key files in a folder, private ones for their owner alone, never over old ones."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from dure.errors import ConfigurationError, Problem
from dure.publish.private_keys import KeySource, key_fingerprint, new_pseudonym_key, pseudonym_key
from dure.publish.rotation import rotation_statement
from dure.publish.signing import fingerprint, new_center_pair, new_signing_pair, signing_key, verifying_key
from dure.snapshot.durable import lake_access, make_folder, private_files, sync
from dure.snapshot.names import site_folder_name

Owner = Literal["site", "center"]


def make_keys(folder: Path, owner: Owner) -> list[str]:
    """Writes the keys of a hospital or of the center; the lines to print: files and fingerprints, never a secret."""
    if owner == "center":
        private, public, print_of = new_center_pair()
        files = {"center.key": private, "center.pub": public}
        lines = [f"center.pub  {print_of}"]
    else:
        private, public, print_of = new_signing_pair()
        files = {"pseudonym.key": new_pseudonym_key(), "signing.key": private, "signing.pub": public}
        lines = [f"signing.pub  {print_of}"]
    _write_new(folder, files, "name another folder: with another key the same person would get another pseudonym")
    if owner == "site":
        key = pseudonym_key(KeySource("file", str((folder / "pseudonym.key").absolute())))
        lines.append(f"pseudonym.key  {key_fingerprint(key)}")
    return [f"keys in {folder}", *lines]


def make_next_key(folder: Path, old: Path, site: str, since: date, until: date | None) -> list[str]:
    """Writes the next signing pair of a hospital; the lines to print end with its entry for the center's registry.

    The key of pseudonyms stays the one that it is.
    """
    signer = signing_key(old)
    site = site_folder_name(site)
    if until is not None and until < since:
        raise ConfigurationError(Problem("--until", f"{until} is before {since}", "name a later day"))
    private, public, print_of = new_signing_pair()
    _write_new(folder, {"signing.key": private, "signing.pub": public}, "name another folder for the new key")
    new = verifying_key(folder / "signing.pub")
    signature = base64.b64encode(signer.sign(rotation_statement(site, new, since, until))).decode()
    days = f"from: {since}" + (f", until: {until}" if until else "")
    by = fingerprint(signer.public_key())
    return [
        f"keys in {folder}",
        f"signing.pub  {print_of}",
        f"send signing.pub to the center, with this line for the keys of {site} in its hospitals.yaml:",
        f'- {{key: signing.pub, {days}, signed_by: "{by}", signature: "{signature}"}}',
    ]


def _write_new(folder: Path, files: Mapping[str, bytes], do: str) -> None:
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        raise ConfigurationError([Problem(str(folder / name), "is there already", do) for name in taken])
    with lake_access(folder), private_files():
        make_folder(folder)
        for name, content in files.items():
            _write(folder / name, content, 0o644 if name.endswith(".pub") else 0o600)
        sync(folder)


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(handle, mode)
        os.fsync(handle)
