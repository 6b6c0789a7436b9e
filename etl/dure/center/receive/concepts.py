"""Local concepts: ids from two thousand million up belong to the owner of their block, and nobody else may use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.center.receive.refused import refuse
from dure.site.local_concepts import FIRST_LOCAL


def check_local(ids: pa.Array, blocks: Sequence[range], where: str) -> None:
    """PackageRefused where a local id is in none of the blocks."""
    highest = pc.max(ids).as_py()
    if highest is None or highest < FIRST_LOCAL:
        return
    local = ids.filter(pc.greater_equal(ids, FIRST_LOCAL)).to_numpy(zero_copy_only=False)
    known = np.zeros(local.size, bool)
    for block in blocks:
        known |= (local >= block.start) & (local < block.stop)
    if not known.all():
        raise refuse("foreign_local_concept", where, id=str(int(local[~known][0])))


def check_brought(ids: pa.Array, where: str) -> None:
    """PackageRefused where a concept is brought that is none of a hospital's own."""
    if ids.null_count or pc.min(ids).as_py() < FIRST_LOCAL:
        raise refuse("vocabulary_travels", where)
