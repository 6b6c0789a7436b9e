"""Codes and records with a standard concept, by domain, of each hospital and each consortium."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dure.center.agreement.codebook import CODES_FILE
from dure.center.agreement.majority import few
from dure.center.agreement.pairs import share
from dure.center.report.hospitals import Hospital
from dure.center.summary.reading import summary_table
from dure.vocab.coverage import STATUSES
from dure.vocab.coverage import coverage as counted

ALL = "all"
_READ = ("role", "vocabulary_id", "code", "domain_id", "status", "records")
Cells = dict[str, dict[str, Any]]


def coverage(hospitals: Sequence[Hospital], threshold: int) -> dict[str, Any]:
    """Cells by hospital, by consortium and of all, each by domain (`all` is their sum) with shares mapped.

    A code that several hospitals use counts once in each. Records under the threshold are not told, and sums are of
    those that are told.
    """
    by_site = {hospital.site: _cells(hospital.folder / CODES_FILE, threshold) for hospital in hospitals}
    of_consortium: dict[str, list[Cells]] = {}
    for hospital in hospitals:
        of_consortium.setdefault(hospital.consortium, []).append(by_site[hospital.site])
    everybody = _added(by_site.values())
    domains = sorted(set(everybody) - {ALL}, key=lambda domain: (-everybody[domain]["records"], domain))
    return {
        "domains": [ALL, *domains] if everybody else [],
        "hospitals": by_site,
        "consortia": {name: _added(cells) for name, cells in sorted(of_consortium.items())},
        "all": everybody,
    }


def _cells(path: Path, threshold: int) -> Cells:
    table = summary_table(path, _READ)
    if table is None:
        return {}
    table = table.rename_columns(["vocabulary" if name == "vocabulary_id" else name for name in _READ])
    table = table.filter(pc.is_in(table["status"], value_set=pa.array(STATUSES, pa.string())))
    domain = pc.fill_null(table["domain_id"].cast(pa.string()), "")
    table = table.set_column(table.schema.get_field_index("domain_id"), "domain_id", domain)
    codes = {row["domain"]: row for row in counted(table.filter(pc.is_valid(table["code"])), ("domain",))}
    found: Cells = {}
    for row in counted(table, ("domain",)):
        records = int(str(row["records"]))
        if isinstance(few(records, threshold), str):
            continue
        of_code = codes.get(row["domain"], {})
        found[str(row["domain"])] = {
            "codes": int(str(of_code.get("codes", 0))),
            "codes_mapped": int(str(of_code.get("codes_mapped", 0))),
            "records": records,
            "records_mapped": int(str(row["records_mapped"])),
            "records_wider": int(str(row["records_wider"])),
        }
    return _with_shares(found)


def _added(many: Iterable[Cells]) -> Cells:
    sums: Cells = {}
    for cells in many:
        for domain, cell in cells.items():
            if domain != ALL:
                into = sums.setdefault(domain, dict.fromkeys(_COUNTS, 0))
                for name in _COUNTS:
                    into[name] += cell[name]
    return _with_shares(sums)


_COUNTS = ("codes", "codes_mapped", "records", "records_mapped", "records_wider")


def _with_shares(cells: Mapping[str, dict[str, Any]]) -> Cells:
    if not cells:
        return {}
    total = {name: sum(cell[name] for cell in cells.values()) for name in _COUNTS}
    return {
        domain: cell
        | {
            "codes_mapped_share": share(cell["codes_mapped"], cell["codes"]),
            "records_mapped_share": share(cell["records_mapped"], cell["records"]),
        }
        for domain, cell in ({ALL: total} | dict(cells)).items()
    }
