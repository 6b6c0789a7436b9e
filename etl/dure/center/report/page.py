"""The page `report.html`: one file without any reference to another, in every language at once."""

from __future__ import annotations

import base64
import hashlib
import statistics
from collections.abc import Iterable, Mapping
from functools import cache, partial
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dure.center.agreement.majority import MINIMUM_HOSPITALS, Reason
from dure.center.report.deliveries import STALE_DAYS
from dure.center.report.distributions import OUTLIER
from dure.center.report.drawn import SHADES, amount_shade, figure, line, ratio_shade, shade, times
from dure.center.report.units import FACTOR, QUANTILES
from dure.center.report.words import both, label, of_script, said
from dure.quality.evidence.report.charts import percent
from dure.quality.evidence.report.data_block import data_block
from dure.quality.evidence.report.words import Language

if TYPE_CHECKING:
    from jinja2 import Environment

_SCRIPT_WORDS = (
    "title", "shown", "hospital", "year_cells", "hidden_cell", "records", "rate_long", "ratio", "unit", "no_unit",
    "unread_unit", "numeric", "percentiles", "boxes", "log_scale", "with_findings", "absent",
)  # fmt: skip
SHORTEST_LISTS = 4


def report_html(report: Mapping[str, Any], language: Language) -> bytes:
    """The page of one report; `language` is the one that it opens in."""
    script = _text("page.js")
    page = (
        _environment(language)
        .get_template("page.html")
        .render(
            report=_prepared(report),
            language=language,
            title=said("title", language),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            style=_text("page.css", "dure.quality.evidence.report") + _text("page.css"),
            data=data_block(_data(report)),
            lines=overview(report),
            tiles=tiles(report),
            apart=apart(report),
            found=list(_findings(report)),
            matrices=_matrices(report),
            reasons=_reasons(report["proposals"]),
            differ=report["differences"]["listed"],
            limits={"stale": STALE_DAYS, "outlier": f"{OUTLIER:g}", "factor": f"{FACTOR:g}", "for": MINIMUM_HOSPITALS},
            shades=SHADES,
        )
    )
    return page.encode()


def _prepared(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with what only the template wants."""
    applied = ("passed", "failed", "error")
    return {
        **report,
        "deliveries": [
            each | {"applied": sum(each["checks"].get(status, 0) for status in applied)}
            for each in report["deliveries"]
        ],
        "concepts": [
            each | {"by_site": {row["site"]: row for row in each["hospitals"]}} for each in report["concepts"]
        ],
    }


def overview(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line a hospital: its delivery with what the other parts of the report say of it."""
    adoption = {row["site"]: row for row in report["adoption"]}
    outliers: dict[str, int] = {}
    for concept in report["concepts"]:
        for row in concept["hospitals"]:
            outliers[row["site"]] = outliers.get(row["site"], 0) + row["outlier"]
    units: dict[str, set[int]] = {}
    for concept in report["values"]:
        for site in chain.from_iterable(each["sites"] for each in concept["findings"] if each["kind"] != "different"):
            units.setdefault(site, set()).add(concept["concept_id"])
    releases = [each["vocabulary"]["release"] for each in report["deliveries"]]
    usual = statistics.mode(releases) if releases else None
    return [
        delivery
        | {
            "mapped": report["coverage"]["hospitals"][delivery["site"]].get("all", {}).get("records_mapped_share"),
            "agrees": report["agreement"]["code"]["hospitals"][delivery["site"]]["agree_records_share"],
            "adoption": adoption[delivery["site"]]["records_common_share"],
            "outliers": outliers.get(delivery["site"], 0),
            "units": len(units.get(delivery["site"], ())),
            "other_release": delivery["vocabulary"]["release"] != usual,
        }
        for delivery in report["deliveries"]
    ]


def tiles(report: Mapping[str, Any]) -> dict[str, Any]:
    """The figures at the head of the page."""
    deliveries, everything = report["deliveries"], report["coverage"]["all"].get("all", {})
    ages = {each["site"]: each["age_days"] for each in deliveries}
    scores = {each["site"]: each["score"] for each in deliveries if each["score"] is not None}
    mapped = {
        site: cells["all"]["records_mapped_share"] for site, cells in report["coverage"]["hospitals"].items() if cells
    }
    mapped = {site: share for site, share in mapped.items() if share is not None}
    return {
        "consortia": len({each["consortium"] for each in deliveries}),
        "age": round(statistics.median(ages.values())) if ages else None,
        "oldest": max(ages.items(), key=lambda each: each[1], default=None),
        "stale": sum(each["stale"] for each in deliveries),
        "score": statistics.median(scores.values()) if scores else None,
        "lowest": min(scores.items(), key=lambda each: each[1], default=None),
        "mapped": everything.get("records_mapped_share"),
        "codes": everything.get("codes_mapped_share"),
        "least": min(mapped.items(), key=lambda each: each[1], default=None),
        "agree": report["agreement"]["code"]["overall"],
        "units": sum(bool(each["findings"]) for each in report["values"]),
    }


def apart(report: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The few greatest disagreements of each kind."""
    pairs = [pair for pair in report["agreement"]["code"]["pairs"] if pair["both_mapped"]]
    pairs.sort(key=lambda pair: (pair["agree_records_share"] or 0, pair["site_a"], pair["site_b"]))
    codes = sorted(report["differences"]["listed"], key=lambda row: -row["records"])
    return {
        "pairs": [pair for pair in pairs if pair["agree"] < pair["both_mapped"]][:SHORTEST_LISTS],
        "codes": codes[:SHORTEST_LISTS],
        "units": list(_findings(report))[:SHORTEST_LISTS],
    }


def _findings(report: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """What does not fit in units and values, the greatest factor first, then the concepts with most results."""
    found = [
        finding | {"concept_id": concept["concept_id"], "name": concept["name"]}
        for concept in report["values"]
        for finding in concept["findings"]
    ]
    kinds = ("factor", "different", "missing", "mixed")
    return sorted(found, key=lambda each: (kinds.index(each["kind"]), -(each.get("factor") or each.get("share") or 0)))


def _matrices(report: Mapping[str, Any]) -> list[tuple[str, list[str], dict[tuple[str, str], Mapping[str, Any]]]]:
    """By kind: the hospitals that can be compared with any other, and the counts of every two."""
    made = []
    for kind, agreement in report["agreement"].items():
        cells: dict[tuple[str, str], Mapping[str, Any]] = {}
        for pair in agreement["pairs"]:
            cells[pair["site_a"], pair["site_b"]] = cells[pair["site_b"], pair["site_a"]] = pair
        comparable = {site for pair, counts in cells.items() if counts["both_mapped"] for site in pair}
        sites = [each["site"] for each in report["deliveries"] if each["site"] in comparable]
        made.append((kind, sites, cells))
    return made


def _reasons(proposals: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Why codes have no proposal, the most frequent reason first, what needs nothing last."""
    found = {**proposals["not_proposed"], "one_hospital": proposals["one_hospital"]}
    return sorted(found.items(), key=lambda each: (each[0] == Reason.SETTLED, -each[1], each[0]))


def _data(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the script opens: the years of concepts, the values of measured concepts."""
    return {
        "words": of_script(_SCRIPT_WORDS),
        "concepts": [
            [
                [
                    *(row[name] for name in ("site", "records", "rate", "ratio", "outlier", "records_of_all_years")),
                    _years(row["years"]),
                ]
                for row in concept["hospitals"]
            ]
            for concept in report["concepts"]
        ],
        "values": [
            [
                concept["concept_id"],
                concept["name"] or "",
                len(concept["findings"]),
                [
                    [row["site"], row["unit"], row["unread"], row["numeric"], [row[name] for name in QUANTILES]]
                    for row in concept["rows"]
                ],
            ]
            for concept in report["values"]
        ],
        "units": report["unit_names"],
    }


def _years(years: Mapping[str, Any]) -> dict[str, list[Any] | None]:
    return {
        year: None if cell is None else [cell["records"], cell["persons"], cell["persons_rate"]]
        for year, cell in years.items()
    }


@cache
def _environment(language: Language) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": both,
        "label": partial(label, language=language),
        "shade": shade,
        "ratio_shade": ratio_shade,
        "amount_shade": amount_shade,
        "line": line,
    }
    environment.filters |= {
        "count": lambda value: "–" if value is None else value if isinstance(value, str) else f"{value:,}",
        "percent": lambda value: "–" if value is None else percent(value),
        "figure": figure,
        "times": times,
        "short": _short,
    }
    return environment


def _short(count: int | str) -> str:
    """A count in the width of a heat map's cell."""
    if isinstance(count, str) or count < 10_000:
        return count if isinstance(count, str) else f"{count:,}"
    return next(f"{count / by:,.3g}{unit}" for by, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if count >= by)


def _text(name: str, package: str = "dure.center.report") -> str:
    return (files(package) / name).read_text(encoding="utf-8")
