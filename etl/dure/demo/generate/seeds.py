"""Random numbers that depend on the seed, the block of persons and the purpose, and on nothing else.

So neither the number of patients nor a disease added elsewhere changes what another stream draws.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

BLOCK = 1024
"""Persons that are made together; the unit of memory and of randomness, so never a setting."""


def stream(seed: int, block: int, purpose: str) -> np.random.Generator:
    """The generator of one purpose within one block."""
    key = np.random.SeedSequence(entropy=seed, spawn_key=(block, crc32(purpose.encode())))
    return np.random.Generator(np.random.PCG64(key))
