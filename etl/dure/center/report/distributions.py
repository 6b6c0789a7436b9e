"""How often standard concepts are recorded in each hospital and year, so that an outlier is seen."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dure.center.agreement.majority import few
from dure.center.catalogue.counts import NO_YEAR, RECORDS, Block, blocks
from dure.center.catalogue.suppress import hide
from dure.center.report.hospitals import Hospital
from dure.center.report.units import two_digits

# Eras are made of the events of the other tables, and would say of them again what those say.
_DERIVED = frozenset({"condition_era", "drug_era", "dose_era"})
OUTLIER = 3.0
"""A hospital whose rate is this many times that of the others, or as little of it, is an outlier."""


@dataclass(frozen=True)
class Counted:
    """The standard concepts with most records, by table and records; and records by hospital's number, table and year."""

    top: list[Block]
    years: dict[tuple[int, str, int], int]


def counted(hospitals: Sequence[Hospital], top: int) -> Counted:
    """One reading of the counts of all hospitals; `top` is how many concepts of a table are kept."""
    files = [(number, hospital.folder / RECORDS) for number, hospital in enumerate(hospitals)]
    files = [(number, path) for number, path in files if path.is_file()]
    best: dict[str, list[tuple[int, int, Block]]] = {}
    years: dict[tuple[int, str, int], int] = {}
    for block in blocks(files) if files else ():
        by_year = block.records.tolist()
        for place, records in zip(block.places, by_year, strict=True):
            for year, n in zip(block.years, records, strict=True):
                if n:
                    years[place, block.table, year] = years.get((place, block.table, year), 0) + n
        if block.concept_id and block.table not in _DERIVED:
            kept = best.setdefault(block.table, [])
            heapq.heappush(kept, (int(block.records.sum()), -block.concept_id, block))
            if len(kept) > top:
                heapq.heappop(kept)
    largest = sorted(best, key=lambda table: (-max(records for records, _, _ in best[table]), table))
    chosen = [
        block for table in largest for _, _, block in sorted(best[table], reverse=True, key=lambda each: each[:2])
    ]
    return Counted(chosen, years)


def by_year(hospitals: Sequence[Hospital], found: Counted, threshold: int) -> dict[str, Any]:
    """Records of each hospital by year, all tables together, to two digits; fewer than the threshold are not told."""
    sums: dict[tuple[int, int], int] = {}
    for (place, _, year), records in found.years.items():
        if year != NO_YEAR:
            sums[place, year] = sums.get((place, year), 0) + records
    years = sorted({year for _, year in sums})
    return {
        "years": years,
        "hospitals": {
            hospital.site: [_told(sums.get((place, year), 0), threshold) for year in years]
            for place, hospital in enumerate(hospitals)
        },
    }


def _told(records: int, threshold: int) -> int | str:
    told = few(records, threshold)
    return two_digits(told) if isinstance(told, int) else told


def distributions(hospitals: Sequence[Hospital], chosen: Iterable[Block], threshold: int) -> list[dict[str, Any]]:
    """One row a concept: each hospital's records, rate and distance from the others, and its years.

    `rate` is records per 1,000 persons of the delivery and year of its observation; `ratio` is that by the median of
    the other hospitals that have the concept. Cells of fewer persons than the threshold are hidden, and others with
    them where a total would tell; where that does not help, records are those of the years that are shown. A concept of
    which nothing is shown is left out.
    """
    found = (_concept(hospitals, block, threshold) for block in chosen)
    return [concept for concept in found if concept["records"]]


def _concept(hospitals: Sequence[Hospital], block: Block, threshold: int) -> dict[str, Any]:
    hidden = hide(block.persons, threshold)
    shown = np.where(hidden.cells, 0, block.records)
    rows = []
    for place, records, persons, cells, seen, open_ in zip(
        block.places, block.records, block.persons, hidden.cells, shown, hidden.places, strict=True
    ):
        hospital = hospitals[place]
        # A hospital all of whose years are hidden has no total either.
        tells = bool((~cells & (persons > 0)).any())
        total = int((seen if open_ else records).sum()) if tells else None
        rows.append(
            {
                "site": hospital.site,
                "records": total,
                "records_of_all_years": not open_,
                "rate": _rate(total, hospital),
                "years": {
                    str(year): None if secret else _year(int(n), int(people), hospital)
                    for year, n, people, secret in zip(block.years, records, persons, cells, strict=True)
                    if people or secret
                },
            }
        )
    _compare(rows, len(hospitals))
    absent = [each.site for number, each in enumerate(hospitals) if number not in block.places]
    common = len(rows) >= 3 and 2 * len(rows) > len(hospitals)
    return {
        "table": block.table,
        "concept_id": block.concept_id,
        "records": sum(row["records"] or 0 for row in rows),
        "hospitals": rows,
        "absent": absent if common else [],
        "outliers": sum(bool(row["outlier"]) for row in rows) + (len(absent) if common else 0),
    }


def _year(records: int, persons: int, hospital: Hospital) -> dict[str, Any]:
    rate = round(1000 * persons / hospital.persons, 2) if hospital.persons else None
    return {"records": records, "persons": persons, "persons_rate": rate}


def _rate(records: int | None, hospital: Hospital) -> float | None:
    if records is None or not hospital.persons or not hospital.years:
        return None
    return round(1000 * records / hospital.persons / hospital.years, 3)


def _compare(rows: list[dict[str, Any]], hospitals: int) -> None:
    """Each hospital's rate by the median of the others; two hospitals alone have no outlier, only a ratio."""
    for row in rows:
        others = [other["rate"] for other in rows if other is not row and other["rate"]]
        row["ratio"] = round(row["rate"] / statistics.median(others), 3) if row["rate"] and others else None
        far = row["ratio"] is not None and not 1 / OUTLIER < row["ratio"] < OUTLIER
        row["outlier"] = far and len(others) >= 2
