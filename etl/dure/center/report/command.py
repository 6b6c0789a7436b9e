"""Makes the report of a store: reads its summaries, compares, writes the files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dure.center.agreement.codebook import CODES_FILE
from dure.center.agreement.comparison import compared
from dure.center.report.gathered import figures, gathered
from dure.center.report.hospitals import Outside, hospitals, kept_out, waiting
from dure.center.report.page import report_html
from dure.center.report.written import write_lists, write_report
from dure.center.store import CenterStore
from dure.progress import Progress
from dure.quality.evidence.report.words import Language
from dure.snapshot.durable import lake_access, private_files
from dure.vocab.compare import CODE
from dure.vocab.store import open_store


@dataclass(frozen=True)
class ReportOptions:
    """`registry` is the file of hospitals; None stands for that of the store, if it has one."""

    store: Path
    registry: Path | None
    vocab: Path | None
    out: Path
    threshold: int
    language: Language
    today: date


@dataclass(frozen=True)
class Made:
    """What a report says in a line: hospitals, differing codes, proposed codes."""

    hospitals: int
    differing: int
    proposed: int


def make_report(options: ReportOptions, report: Progress) -> Made:
    """Writes the report of the current deliveries into `out`."""
    center = CenterStore(options.store)
    vocabulary = open_store(options.vocab) if options.vocab else None
    with lake_access(options.out), private_files():
        options.out.mkdir(parents=True, exist_ok=True)
    report.stage("read")
    found = hospitals(center)
    absent = waiting(center, options.registry)
    refused = kept_out(center)
    report.stage("count")
    counts = figures(found, options.threshold)
    report.stage("compare")
    codes = [(each.site, each.folder / CODES_FILE) for each in found]
    comparison = compared(codes, vocabulary, counts.concepts(), options.threshold)
    report.stage("write")
    with lake_access(options.out), private_files():
        lists = write_lists(comparison, options.out)
        told = gathered(found, Outside(absent, refused), counts, comparison, lists, options.today, options.threshold)
        write_report(told, report_html(told, options.language), options.out)
    return Made(len(found), lists.differences[CODE].count, lists.proposed.count)
