"""How much of a package is read before it is known to be a hospital's."""

from __future__ import annotations

MANIFEST_BYTES = 32 << 20
SIGNATURE_BYTES = 64
# The deepest manifest of Dure has six levels.
JSON_DEPTH = 16
CHUNK = 1 << 20
