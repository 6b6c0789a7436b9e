"""The page `report.html`: one file without any reference to another, which opens from a disk without a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dure.quality.catalogue import Severity
from dure.quality.evidence.record import Checking, scores
from dure.quality.evidence.report.charts import (
    ACCENT,
    FAILED,
    PASSED,
    SECOND,
    count_lines,
    percent,
    share_bars,
    share_lines,
    stacked_bars,
)
from dure.quality.evidence.report.data_block import data_block
from dure.quality.evidence.report.flow import flow_of, flow_svg
from dure.quality.evidence.report.gathered import SMALLEST_CELL, Earlier, Gathered
from dure.quality.evidence.report.words import Language, Words
from dure.quality.explain import explanations, finding_sql
from dure.quality.gate.policy import Waiver
from dure.quality.results import Result, Status

if TYPE_CHECKING:
    from jinja2 import Environment

FILE = "report.html"
_FOLDER = Path(__file__).parent
_EXPIRES_SOON = 14
_LARGEST_TABLES = 6
_EARLIER_LISTED = 10
# What the page lists of its neighbours, where they are there.
_FILES = (
    "results.json",
    "verdict.json",
    "junit.xml",
    "dqd-results.json",
    "failures/",
    "reconciliation.csv",
    "worklist.csv",
)
_SCRIPT_WORDS = (
    "means",
    "sql",
    "causes",
    "reason",
    "id",
    "concepts",
    "category",
    "failing_rows",
    "shown",
    "nothing_fits",
)
_WRITTEN_WITH_IT = {"results.json", "verdict.json", "junit.xml", "dqd-results.json"}


def report_html(checking: Checking, found: Gathered, language: Language) -> bytes:
    """The page of one checking in one language."""
    words = Words(language)
    script, style = ((_FOLDER / name).read_text("utf-8") for name in ("page.js", "page.css"))
    page = (
        _environment(words)
        .get_template("page.html")
        .render(
            w=words,
            checking=checking,
            verdict=checking.verdict,
            manifest=checking.manifest,
            score=scores(checking.results),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            style=style,
            data=data_block(_data(checking, words)),
            types={result.check.id: result.check.type.name for result in checking.results},
            waivers=[_waiver(item.waiver, checking.today, words) for item in checking.verdict.waived],
            unused=[_waiver(waiver, checking.today, words) for waiver in checking.verdict.unused],
            charts=_charts(checking, found, words),
            trend=_trend(checking, found),
            found=found,
            flow=flow_of(found.reconciliation) if found.reconciliation else None,
            files=[name for name in _FILES if name in _WRITTEN_WITH_IT or name.rstrip("/") in found.files],
            severities=_present(result.check.type.severity.value for result in checking.results),
            tables=_present(result.check.table for result in checking.results),
            statuses=[status.value for status in Status],
            smallest=SMALLEST_CELL,
        )
    )
    return page.encode()


def _environment(words: Words) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda value: "–" if value is None else f"{value:,}",
        "percent": lambda value: "–" if value is None else percent(value),
        "said": words.sentence,
    }
    return environment


def _data(checking: Checking, words: Words) -> dict[str, Any]:
    """What the script shows as the table of checks: names once, then a row a check; SQL for what did not pass."""
    texts = explanations()
    kinds = {result.check.type.name: result.check.type for result in checking.results}
    english = words.language == "en"
    return {
        "words": {key: words.template(key) for key in _SCRIPT_WORDS}
        | {status.value: words.of("status", status.value) for status in Status}
        | {severity.value: words.of("severity", severity.value) for severity in Severity},
        "types": {
            name: {
                "name": words.check_type(name),
                "means": kind.description if english else texts.get(name, {}).get("korean", kind.description),
                "causes": [
                    [each["cause"], each["fix"]] if english else [each["korean"], ""]
                    for each in texts.get(name, {}).get("causes", ())
                ],
            }
            for name, kind in kinds.items()
        },
        "rows": [_row(result, words) for result in checking.results],
    }


def _row(result: Result, words: Words) -> list[Any]:
    check = result.check
    wrong = result.status in (Status.FAILED, Status.ERROR)
    return [
        check.id,
        check.type.name,
        check.table,
        check.field or "",
        result.status.value,
        check.type.severity.value,
        check.type.category,
        result.violated,
        result.denominator,
        check.threshold,
        words.sentence(result.reason),
        " ".join(map(str, check.concept_ids)),
        finding_sql(check) if wrong and check.type.name in explanations() else "",
    ]


def _waiver(waiver: Waiver, today: date, words: Words) -> dict[str, Any]:
    days = (waiver.expires - today).days
    if days < 0:
        left = words("expired")
    elif days == 0:
        left = words("last_day")
    else:
        left = words("days_one") if days == 1 else words("days", n=days)
    return {"waiver": waiver, "left": left, "soon": days <= _EXPIRES_SOON}


def _charts(checking: Checking, found: Gathered, words: Words) -> dict[str, str]:
    """The drawings by name; one that has nothing to show is not there."""
    by_category, by_table = scores(checking.results)["by_category"], scores(checking.results)["by_table"]
    parts = {
        words.of("category", name): (each["passed"], each["failed"] + each["error"])
        for name, each in by_category.items()
    }
    passed = words.of("status", "passed")
    drawn = {
        "category": stacked_bars(
            "category", words("scores_category_alt"), parts, [(passed, PASSED), (words("failed_or_error"), FAILED)]
        ),
        "table": share_bars(
            "table",
            words("scores_table_alt"),
            {name: (by_table[name]["score"],) for name in _worst_first(by_table)},
            [(words("score"), ACCENT)],
        ),
    }
    if found.coverage:
        rows = {row.domain or words("no_domain"): (row.codes_mapped, row.records_mapped) for row in found.coverage}
        series = [(words("codes"), SECOND), (words("records"), ACCENT)]
        drawn["coverage"] = share_bars("coverage", words("coverage_alt"), rows, series)
    if found.earlier:
        drawn |= _trend_charts(_all_checkings(checking, found), words)
    if found.reconciliation:
        drawn["flow"] = flow_svg(flow_of(found.reconciliation), words)
    return drawn


def _trend_charts(all_of_site: Sequence[Earlier], words: Words) -> dict[str, str]:
    days = [
        f"{one.snapshot[4:6]}-{one.snapshot[6:8]}\n{one.snapshot[9:11]}:{one.snapshot[11:13]}" for one in all_of_site
    ]
    largest = sorted(all_of_site[-1].rows, key=lambda table: -all_of_site[-1].rows[table])[:_LARGEST_TABLES]
    shares = {
        words("score"): [one.score for one in all_of_site],
        words("mapped_share"): [one.mapped for one in all_of_site],
    }
    rows = {table: [one.rows.get(table, 0) for one in all_of_site] for table in largest}
    return {
        "trend_score": share_lines("trend_score", words("trend_score_alt"), days, shares),
        "trend_rows": count_lines("trend_rows", words("trend_rows_alt"), days, rows),
    }


def _trend(checking: Checking, found: Gathered) -> dict[str, Any]:
    """The latest checkings, newest first, and the rows of each table then and now."""
    if not found.earlier:
        return {}
    before = found.earlier[-1].rows
    tables = [
        (table, before.get(table), rows, (rows / before[table] - 1) if before.get(table) else None)
        for table, rows in sorted(checking.rows.items())
        if rows or before.get(table)
    ]
    return {"checkings": _all_checkings(checking, found)[::-1][:_EARLIER_LISTED], "tables": tables}


def _all_checkings(checking: Checking, found: Gathered) -> list[Earlier]:
    now = Earlier(
        snapshot=checking.manifest.snapshot,
        day=str(checking.today),
        open=checking.verdict.open,
        score=scores(checking.results)["all"]["score"],
        mapped=found.mapped,
        rows=checking.rows,
    )
    return [*found.earlier, now]


def _worst_first(by_table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    applied = [name for name, each in by_table.items() if each["score"] is not None]
    return sorted(applied, key=lambda name: (by_table[name]["score"], name))


def _present(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
