"""The next signing key of a hospital, vouched for by the one before it.

The old key signs a statement of a few lines: whose the new key is, which one, and when it is valid. Both sides build
the same bytes from the same facts, so nothing but the signature travels besides the new public key.
"""

from __future__ import annotations

from datetime import date

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_TITLE = "dure signing key rotation 1"


def rotation_statement(site: str, new: Ed25519PublicKey, since: date, until: date | None) -> bytes:
    """What the key before signs: the new key itself, the site, and the days from which and until which it counts."""
    raw = new.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    lines = [_TITLE, f"site: {site}", f"key: {raw.hex()}", f"from: {since}", f"until: {until or 'open'}"]
    return "".join(f"{line}\n" for line in lines).encode()
