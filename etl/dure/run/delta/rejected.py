"""The rejected rows of a whole run: those of the run before that stay, at the places that their rows have now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dure.run.delta.basis import Mismatch
from dure.run.delta.parts import Longs, Parts, Rows

_PLACE = ["_file", "_row", "_row_hash"]


def hashes_of(parts: Parts, rows: Rows) -> Longs:
    """`_row_hash` of the chosen rows, sorted."""
    found = [table["_row_hash"].to_numpy() for table in parts.take(rows, ["_row_hash"])]
    return np.sort(np.concatenate([np.empty(0, np.int64), *found]))


def moved(kept: pa.Table, old: Parts, new: Parts, touched: Longs, chosen: Rows) -> pa.Table:
    """Rejected rows of one source (`rule`, `reason`, `file`, `row` of the old landing) at their places in the new one.

    `touched` are the hashes of old rows that are mapped anew, and `chosen` the new rows that are: neither is among what comes
    back. Rows that are alike are taken in the order of their places.
    """
    at = _at(old, kept)
    hashes = np.array([at[place] for place in _places(kept)], np.int64)
    stays = ~np.isin(hashes, touched)
    kept, hashes = kept.filter(pa.array(stays)), hashes[stays]
    if not kept.num_rows:
        return kept
    where = _with_hashes(new, np.unique(hashes), chosen)
    # The places of each rule's rows that are alike, in order, and the places that these rows have now.
    seen: dict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)
    for rule, hashed, place in zip(kept["rule"].to_pylist(), hashes.tolist(), _places(kept), strict=True):
        seen[rule, hashed].add(place)
    now: dict[tuple[str, tuple[str, int]], tuple[str, int]] = {}
    for (rule, hashed), places in seen.items():
        there = where.get(hashed, [])
        if len(there) < len(places):
            raise Mismatch("rejected rows that stayed are not in the landing")
        now |= {(rule, place): new_place for place, new_place in zip(sorted(places), there, strict=False)}
    pairs = [now[rule, place] for rule, place in zip(kept["rule"].to_pylist(), _places(kept), strict=True)]
    return pa.table(
        {
            "rule": kept["rule"],
            "reason": kept["reason"],
            "file": pa.array([file for file, _ in pairs], pa.string()),
            "row": pa.array([row for _, row in pairs], pa.int64()),
        }
    )


def _places(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows["file"].to_pylist(), rows["row"].to_pylist(), strict=True))


def _at(parts: Parts, rows: pa.Table) -> Mapping[tuple[str, int], int]:
    """The hash of the row at each place."""
    numbers = np.unique(rows["row"].to_numpy())
    found: dict[tuple[str, int], int] = {}

    def look(part: int, group: int, table: pa.Table) -> pa.Table:
        hit = np.flatnonzero(np.isin(table["_row"].to_numpy(), numbers))
        return table.take(pa.array(hit))

    for table in parts.read(_PLACE, look):
        found |= dict(
            zip(
                zip(table["_file"].to_pylist(), table["_row"].to_pylist(), strict=True),
                table["_row_hash"].to_pylist(),
                strict=True,
            )
        )
    if missing := set(_places(rows)) - set(found):
        raise Mismatch(f"{len(missing)} rejected rows of the run before are not in its landing")
    return found


def _with_hashes(parts: Parts, hashes: Longs, but: Rows) -> dict[int, list[tuple[str, int]]]:
    """The places of the rows with these hashes, in order, without some rows."""

    def look(part: int, group: int, table: pa.Table) -> pa.Table:
        hit = np.flatnonzero(np.isin(table["_row_hash"].to_numpy(), hashes))
        if (part, group) in but:
            hit = np.setdiff1d(hit, but[part, group])
        return table.take(pa.array(hit))

    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for table in parts.read(_PLACE, look):
        for file, row, hashed in zip(*(table[name].to_pylist() for name in _PLACE), strict=True):
            found[hashed].append((file, row))
    return {hashed: sorted(places) for hashed, places in found.items()}


def read_rejects(path: Path) -> pa.Table | None:
    """The rejected rows of a run; None where it had no entry."""
    return pq.read_table(path) if path.exists() else None


def written(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """Several lists of rejected rows as one, sorted."""
    whole = pa.concat_tables([table.select(schema.names).cast(schema) for table in tables])
    return whole.sort_by([(name, "ascending") for name in ("rule", "file", "row", "reason")])
