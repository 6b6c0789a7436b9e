"""Whether hospitals measure the same thing in the same unit, and whether its values are of the same size."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dure.center.report.hospitals import Hospital
from dure.center.summary.reading import summary_table

VALUES = "values.parquet"
FACTOR = 3.0
"""Medians of one unit that are this many times apart are said, with the factor."""
OFTEN = 0.05
"""A share of a hospital's numeric results from which another unit, or none, is said."""
QUANTILES = ("p05", "p25", "p50", "p75", "p95")
_READ = ("concept_id", "unit_concept_id", "records", "persons", "numeric", *QUANTILES)


def values(hospitals: Sequence[Hospital], top: int, threshold: int) -> list[dict[str, Any]]:
    """One row a measured concept, those with most records first: its units, and each hospital's quantiles in them.

    Records are rounded to two digits, so that a unit of few persons, which is left out, is not told by the others.
    """
    chosen = _top(hospitals, top)
    concepts: dict[int, dict[str, Any]] = {concept: {"concept_id": concept, "rows": []} for concept in chosen}
    for hospital in hospitals:
        table = _table(hospital)
        if table is None:
            continue
        for row in table.filter(pc.is_in(table["concept_id"], value_set=pa.array(chosen, pa.int64()))).to_pylist():
            if 0 < row["persons"] < threshold or not row["numeric"]:
                continue
            concepts[row["concept_id"]]["rows"].append(
                {
                    "site": hospital.site,
                    "unit": row["unit_concept_id"] or None,
                    "unread": row["unit_concept_id"] == 0,
                    "records": two_digits(row["records"]),
                    "numeric": two_digits(row["numeric"]),
                    **{name: row[name] for name in QUANTILES},
                }
            )
    found = [concept for concept in concepts.values() if concept["rows"]]
    for concept in found:
        concept["rows"].sort(key=lambda row: (row["unit"] is None, row["unit"] or 0, row["site"]))
        concept["findings"] = list(findings(concept["rows"]))
    return found


def findings(rows: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """What does not fit together in the rows of one concept, a hospital and unit each."""
    by_site: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_site.setdefault(row["site"], []).append(row)
    main = {site: max((row for row in own if row["unit"]), key=_numeric, default=None) for site, own in by_site.items()}
    usual = {site: row for site, row in main.items() if row is not None}
    if len({row["unit"] for row in usual.values()}) > 1:
        yield _different_units(usual)
    yield from _far_medians(rows)
    missing: dict[str, float] = {}
    mixed: dict[str, list[int]] = {}
    for site, own in sorted(by_site.items()):
        numeric = sum(row["numeric"] for row in own)
        without = sum(row["numeric"] for row in own if not row["unit"])
        if without >= OFTEN * numeric:
            missing[site] = round(without / numeric, 2)
        often = sorted(row["unit"] for row in own if row["unit"] and row["numeric"] >= OFTEN * numeric)
        if len(often) > 1:
            mixed[site] = often
    if missing:
        yield {"kind": "missing", "sites": list(missing), "share": max(missing.values()), "shares": missing}
    if mixed:
        yield {"kind": "mixed", "sites": list(mixed), "by_site": mixed}


def _different_units(usual: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    units: dict[int, list[Mapping[str, Any]]] = {}
    for row in usual.values():
        units.setdefault(row["unit"], []).append(row)
    medians = {unit: _median(own) for unit, own in units.items()}
    known = [median for median in medians.values() if median is not None and median > 0]
    return {
        "kind": "different",
        "sites": sorted(usual),
        "units": sorted(units),
        "by_unit": {str(unit): sorted(row["site"] for row in own) for unit, own in sorted(units.items())},
        "medians": {str(unit): median for unit, median in sorted(medians.items())},
        "factor": _told(max(known) / min(known)) if len(known) > 1 else None,
    }


def _far_medians(rows: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    units: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["unit"] and row["p50"] is not None and row["p50"] > 0:
            units.setdefault(row["unit"], []).append(row)
    for unit, own in sorted(units.items()):
        far = {}
        for row in own:
            others = [other["p50"] for other in own if other is not row]
            if others:
                ratio = row["p50"] / statistics.median(others)
                # Of two hospitals alone each is as far from the other, which is said once, of the higher.
                if not 1 / FACTOR < ratio < FACTOR and (len(own) > 2 or ratio > 1):
                    far[row["site"]] = {
                        "median": row["p50"],
                        "median_of_others": statistics.median(others),
                        "factor": _told(max(ratio, 1 / ratio)),
                        "higher": ratio > 1,
                    }
        if far:
            yield {
                "kind": "factor",
                "sites": list(far),
                "units": [unit],
                "factor": max(each["factor"] for each in far.values()),
                "apart": far,
            }


def two_digits(count: int) -> int:
    """A count to two significant digits."""
    return int(round(count, 2 - len(str(count)))) if count > 99 else count


def _told(factor: float) -> float:
    return float(f"{factor:.3g}")


def _median(rows: Sequence[Mapping[str, Any]]) -> float | None:
    known = [row["p50"] for row in rows if row["p50"] is not None]
    return statistics.median(known) if known else None


def _numeric(row: Mapping[str, Any]) -> int:
    return int(row["numeric"])


def _table(hospital: Hospital) -> pa.Table | None:
    table = summary_table(hospital.folder / VALUES, _READ)
    return None if table is None else table.set_column(0, "concept_id", table["concept_id"].cast(pa.int64()))


def _top(hospitals: Sequence[Hospital], top: int) -> list[int]:
    parts = [table.select(["concept_id", "numeric"]) for each in hospitals if (table := _table(each)) is not None]
    if not parts:
        return []
    table = pa.concat_tables(parts).group_by("concept_id").aggregate([("numeric", "sum")])
    table = table.filter(pc.and_(pc.not_equal(table["concept_id"], 0), pc.greater(table["numeric_sum"], 0)))
    order = [("numeric_sum", "descending"), ("concept_id", "ascending")]
    chosen: list[int] = table.sort_by(order)["concept_id"].to_pylist()[:top]
    return chosen
