"""One row a code of the hospital and what it became, with its records: the ground for comparing hospitals' terminology.

No code leaves here that the copy withholds. A code and its description are told only if

- the profile lists the source value of its role under `texts` (a role without such a column tells no code), and
- a row of the copy holds that source value, or the code's own source concept, with the same concept in that role: so
  at least `persons_a_code` persons have it, and neither was rolled up, and
- it has at least ten records.

Other codes are summed by role, vocabulary, domain, target and status where ten records come together. Their target is
what the copy shows in its stead: the ancestor of a rare one, NULL where the copy holds neither. Tables of which no row
leaves, such as notes, and concepts that the profile empties, such as a physician's sex, give no evidence at all.

The description is the one most records of the code have in the extract. No column of the CDM holds it, so the profile
cannot list it: it goes with its code, and is scanned like every text.

Records are those that the run wrote; persons forgotten since are counted until the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dure.publish.evidence.shown import Place, Shown, place_of
from dure.publish.package_manifest import SMALL

_TEXTS = ("role", "vocabulary_id", "code", "description", "domain_id")
_TEXTS_AFTER = ("targets", "status", "equivalence", "authority", "common_targets")
CODES = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in _TEXTS),
        pa.field("source_concept_id", pa.int32()),
        pa.field("target_concept_id", pa.int32()),
        *(pa.field(name, pa.string()) for name in _TEXTS_AFTER),
        pa.field("records", pa.int64()),
    ]
)
_CODE = tuple(name for name in CODES.names if name != "records")
_SUMMED = ("role", "vocabulary_id", "domain_id", "target_concept_id", "status")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class CodeEvidence:
    """`table` as CODES, sorted; `small` rows, of `small_records`, came together to fewer than ten and are left out."""

    table: pa.Table
    small: int = 0
    small_records: int = 0


def code_evidence(records: pa.Table, shown: Mapping[Place, Shown], rolled: Mapping[int, int]) -> CodeEvidence:
    """The evidence from CODE_RECORDS of the run, and from what the copy shows."""
    told: Counter[Key] = Counter()
    rest: Counter[tuple[Place, Key]] = Counter()
    for place, row, n in _codes(records, shown):
        key = tuple(row[name] for name in _CODE)
        if _is_shown(row, shown[place]):
            told[key] += n
        else:
            rest[place, key] += n
    summed: Counter[Key] = Counter()
    for key in [key for key, n in told.items() if n < SMALL]:
        # The copy shows the target with the code.
        summed[_of_sum(dict(zip(_CODE, key, strict=True)))] += told.pop(key)
    for (place, key), n in rest.items():
        row = dict(zip(_CODE, key, strict=True))
        summed[_of_sum(row | {"target_concept_id": _in_its_stead(row, shown[place], rolled)})] += n
    small = [n for n in summed.values() if n < SMALL]
    rows = [dict(zip(_CODE, key, strict=True)) | {"records": n} for key, n in told.items()]
    rows += [dict(zip(_SUMMED, key, strict=True)) | {"records": n} for key, n in summed.items() if n >= SMALL]
    rows.sort(key=_order)
    return CodeEvidence(pa.Table.from_pylist(rows, CODES), len(small), sum(small))


def _codes(records: pa.Table, shown: Mapping[Place, Shown]) -> Iterator[tuple[Place, dict[str, Any], int]]:
    renamed = records.rename_columns(
        ["vocabulary_id" if name == "vocabulary" else name for name in records.column_names]
    )
    keys = ["table", *_CODE]
    for row in renamed.group_by(keys).aggregate([("records", "sum")]).to_pylist():
        place = place_of(row["table"], row["role"])
        if place in shown:
            yield place, row, row["records_sum"]


def _is_shown(row: Mapping[str, Any], shown: Shown) -> bool:
    target = row["target_concept_id"] or 0
    return (row["code"], target) in shown.texts or (row["source_concept_id"] or 0, target) in shown.sources


def _in_its_stead(row: Mapping[str, Any], shown: Shown, rolled: Mapping[int, int]) -> int | None:
    target: int = row["target_concept_id"] or 0
    published = rolled.get(target, target)
    # A mapped code whose target became 0 is no code without a target.
    known = published in shown.concepts and (published != 0 or target == 0)
    return published if known or target == 0 else None


def _of_sum(row: Mapping[str, Any]) -> Key:
    return tuple(row[name] for name in _SUMMED)


def _order(row: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    return [(row.get(name) is None, row.get(name)) for name in CODES.names]
