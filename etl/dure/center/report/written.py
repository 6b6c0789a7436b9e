"""The files of a report: the page, its JSON, and the lists that are longer than a page."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dure.center.agreement import majority
from dure.center.agreement.comparison import Comparison
from dure.center.agreement.majority import Reason
from dure.center.agreement.pairs import KINDS
from dure.snapshot.durable import replace_file
from dure.vocab.spreadsheet import neutral

REPORT, PAGE = "report.json", "report.html"
DIFFERENCES, PROPOSED, NOT_PROPOSED = "differences.csv", "proposed_map.csv", "not_proposed.csv"
LISTED = 500
"""Rows of a long list that the page and report.json hold; the CSV files hold all."""
_DIFFERENCES = (
    "same", "role", "vocabulary", "code", "description", "records", "hospitals", "answer", "targets", "names",
    "steps", "answer_records", "answer_hospitals", "sites", "codes",
)  # fmt: skip


@dataclass
class Listed:
    """The first rows of a list, and how many there are."""

    most: int = LISTED
    count: int = 0
    rows: list[Any] = field(default_factory=list)

    def add(self, row: Any) -> None:
        self.count += 1
        if len(self.rows) < self.most:
            self.rows.append(row)


@dataclass
class Lists:
    """What the page shows of the lists: differences by kind, codes with a proposal and without."""

    differences: dict[str, Listed] = field(
        default_factory=lambda: {kind: Listed(LISTED // len(KINDS)) for kind in KINDS}
    )
    proposed: Listed = field(default_factory=Listed)
    not_proposed: Listed = field(default_factory=Listed)
    reasons: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Reason), 0))


def write_lists(comparison: Comparison, out: Path) -> Lists:
    """Writes the CSV files, row by row, and returns what a page has room for of each."""
    lists = Lists()
    with _written(out / DIFFERENCES, _DIFFERENCES) as add:
        for difference in comparison.differences():
            lists.differences[difference["same"]].add(difference)
            for row in _answers(difference):
                add(row)
    with (
        _written(out / PROPOSED, majority.COLUMNS) as propose,
        _written(out / NOT_PROPOSED, majority.NOT_PROPOSED) as leave_out,
    ):
        for vote in comparison.votes():
            if vote.reason is None:
                rows = list(comparison.proposal(vote))
                lists.proposed.add(rows)
                for row in rows:
                    propose(row)
                continue
            lists.reasons[vote.reason] += 1
            if vote.reason is not Reason.SETTLED:
                row = majority.not_proposed_row(vote, comparison.threshold)
                lists.not_proposed.add(row)
                leave_out(row)
    return lists


def write_report(report: Mapping[str, Any], page: bytes, out: Path) -> None:
    replace_file(out / REPORT, json.dumps(report, ensure_ascii=False, indent=1).encode() + b"\n")
    replace_file(out / PAGE, page)


def _answers(difference: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row an answer, the answers of one code together, that with most records first."""
    for number, answer in enumerate(difference["answers"], 1):
        yield {
            **difference,
            "answer": number,
            "targets": answer["targets"],
            "names": answer["names"],
            "steps": answer["steps"] if number > 1 else None,
            "answer_records": answer["records"],
            "answer_hospitals": len(answer["sites"]),
            "sites": " ".join(answer["sites"]),
            "codes": " ".join(answer["codes"]),
        }


@contextmanager
def _written(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Takes rows one by one, since there may be more than fit in memory; the file appears whole."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield lambda row: writer.writerow([neutral(row.get(name)) for name in columns])
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
