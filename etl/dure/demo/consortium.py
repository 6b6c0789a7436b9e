"""The three example hospitals on one engine: what each became, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.accounting.reconciliation import Reconciliation, SourceCount
from dure.demo.content import BATCH_ROWS, content_digest
from dure.demo.generate.generate import FORMAT, generate
from dure.demo.generate.place import MARK
from dure.demo.score import Score, score_snapshot
from dure.demo.truth import Truth
from dure.engine import EngineOptions
from dure.engine import engine as running_engine
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.run import RunOptions, RunResult, StartEngine, proving, run_site
from dure.settings import shipped

SITES = ("haneul", "bada", "gangsan")
# The tables of coded events, with the columns of the concept and of the code.
_CODED = {
    "condition_occurrence": ("condition_concept_id", "condition_source_value"),
    "drug_exposure": ("drug_concept_id", "drug_source_value"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_source_value"),
    "device_exposure": ("device_concept_id", "device_source_value"),
    "measurement": ("measurement_concept_id", "measurement_source_value"),
    "observation": ("observation_concept_id", "observation_source_value"),
}


_GATES = {True: "open", False: "closed", None: "-"}


@dataclass(frozen=True)
class Mapped:
    """How much of the coded events has a standard concept: of the codes that occur, and of the records."""

    codes: int
    mapped_codes: int
    records: int
    mapped_records: int


@dataclass(frozen=True)
class SiteResult:
    """One hospital of the consortium after its run."""

    site: str
    snapshot: Path
    reports: Path
    patients: int
    visits: int
    rows: int
    mapped: Mapped
    rejected: int
    score: Score
    digest: str
    seconds: float
    gate_open: bool | None


@dataclass(frozen=True)
class Demonstration:
    """What a demonstration is asked to do; everything it makes lies in `out`.

    Site folders that come with Dure are used where `sites` has none of that name; `vocabulary` None is the one shipped.
    The gate decides as on the day `today`; with None nobody asks it.
    """

    out: Path
    patients: int
    seed: int
    sites: tuple[Path, ...]
    vocabulary: Path | None
    engine: EngineOptions
    today: date | None = None

    @property
    def extract(self) -> Path:
        return self.out / "extract"

    @property
    def truth(self) -> Path:
        return self.extract / "truth"

    @property
    def lake(self) -> Path:
        return self.out / "lake"

    @property
    def site_folders(self) -> tuple[Path, ...]:
        return (*self.sites, shipped_folder("sites"))

    def run(self, progress: Progress, start: StartEngine = running_engine) -> list[SiteResult]:
        """Generates the extracts where they are not there yet and runs the hospitals, one after the other, on one engine.

        The truth is read when a hospital's snapshot is finished, and by nothing before. Raises what generating and a run
        of each may raise.
        """
        vocabulary = self.vocabulary or shipped_folder("demo_vocabulary")
        self.prepare(progress)
        truth = Truth.of(self.truth)
        results = []
        prove = proving(self.today, progress) if self.today else None
        with start(self.engine) as running:
            for site in SITES:
                progress.note(f"hospital {site}")
                started = time.monotonic()
                made = run_site(self._options(site, vocabulary), progress, lambda _: nullcontext(running), prove)
                results.append(_result(site, made, truth, time.monotonic() - started))
        return results

    def prepare(self, progress: Progress) -> bool:
        """Whether an earlier run had already generated the extracts; now they are there."""
        if self._is_there():
            progress.note(f"{self.extract} holds these patients already")
            return True
        generate(self.patients, self.seed, self.extract, progress)
        return False

    def _is_there(self) -> bool:
        """Whether an earlier run wrote the same patients by the same seed, as this version writes them."""
        try:
            made = json.loads((self.extract / MARK).read_text("utf-8"))
        except (OSError, ValueError):
            return False
        asked = {"format": FORMAT, "patients": self.patients, "seed": self.seed}
        return isinstance(made, dict) and asked.items() <= made.items()

    def _options(self, site: str, vocabulary: Path) -> RunOptions:
        return RunOptions(
            site=site,
            source=self.extract / site,
            vocab=vocabulary,
            lake=self.lake,
            sites=self.site_folders,
            engine=self.engine,
        )


def shipped_folder(name: str) -> Path:
    """A folder of data that comes with Dure; ConfigurationError where the installation lacks it."""
    folder = shipped(name)
    if folder is None:
        raise ConfigurationError(
            Problem("", f"the data '{name}' did not come with this installation", "install it again")
        )
    return folder


def _result(site: str, made: RunResult, truth: Truth, seconds: float) -> SiteResult:
    balance = Reconciliation.model_validate_json((made.reports / "reconciliation.json").read_text("utf-8"))
    return SiteResult(
        site=site,
        snapshot=made.snapshot,
        reports=made.reports,
        patients=made.tables["person"],
        visits=made.tables["visit_occurrence"],
        rows=sum(made.tables.values()),
        mapped=mapped_share(made.snapshot),
        rejected=sum(_rejected(source) for source in balance.sources),
        score=score_snapshot(truth, site, made.snapshot),
        digest=content_digest(made.snapshot),
        seconds=seconds,
        gate_open=made.gate_open,
    )


def _rejected(source: SourceCount) -> int:
    """Rows of a source that reached no table although nothing says that they should not."""
    unread = sum(source.unreadable.values()) + sum(source.rejected.values())
    return unread + source.outcomes.get("rejected", 0) + source.not_claimed + source.dropped_by_view


def mapped_share(snapshot: Path) -> Mapped:
    """What share of a snapshot's codes and records has a standard concept."""
    codes: dict[tuple[str, str | None], bool] = {}
    records = mapped_records = 0
    for table, (concept, code) in _CODED.items():
        for batch in _batches(snapshot / table, [concept, code]):
            has_concept = pc.not_equal(pc.fill_null(batch.column(concept), 0), 0)
            records += batch.num_rows
            mapped_records += pc.sum(has_concept).as_py() or 0
            counted = pa.table({"code": batch.column(code), "mapped": has_concept}).group_by("code")
            for row in counted.aggregate([("mapped", "max")]).to_pylist():
                key = table, row["code"]
                codes[key] = codes.get(key, False) or row["mapped_max"]
    return Mapped(len(codes), sum(codes.values()), records, mapped_records)


def _batches(folder: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for file in sorted(folder.glob("*.parquet")):
        yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=columns)


def table_lines(results: Sequence[SiteResult]) -> list[str]:
    """What a person reads at the end: one line a hospital."""
    head = (
        f"{'site':10}{'patients':>10}{'visits':>11}{'rows':>13}{'codes':>8}{'records':>9}{'rejects':>9}"
        f"{'score':>9}{'surplus':>9}{'gate':>8}{'digest':>14}{'seconds':>9}"
    )
    lines = [head]
    for r in results:
        lines.append(
            f"{r.site:10}{r.patients:>10,}{r.visits:>11,}{r.rows:>13,}"
            f"{_percent(r.mapped.mapped_codes, r.mapped.codes):>8}"
            f"{_percent(r.mapped.mapped_records, r.mapped.records):>9}{r.rejected:>9,}"
            f"{_percent(r.score.found, r.score.facts):>9}{r.score.surplus:>9,}{_GATES[r.gate_open]:>8}"
            f"{r.digest[:12]:>14}{r.seconds:>9.1f}"
        )
    return lines


def _percent(part: int, whole: int) -> str:
    """One decimal, and never 100 % for less than all; of nothing, a dash."""
    if not whole:
        return "-"
    if part == whole:
        return "100 %"
    return f"{min(999, part * 1000 // whole) / 10:.1f} %"


def closing_lines(asked: Demonstration, results: Sequence[SiteResult]) -> list[str]:
    """What the columns are, and where to look next."""
    lake, last = asked.lake, results[-1]
    return [
        "codes, records   share of the codes that occur, and of the records, that have a standard concept, if a wider one",
        "rejects          rows of the extract that reached no table; reconciliation.csv says why",
        "score            share of the generated facts that are in the CDM; surplus: rows that no fact explains",
        "gate             whether the snapshot may leave the hospital; `dure check SITE` says why, waivers.yaml what is let",
        "digest           of all rows, the same on every engine",
        "",
        f"Snapshot  {last.snapshot}",
        f"Evidence  {last.reports}",
        f"Report    {last.reports / 'report.html'}",
        f"Score     dure demo score {asked.truth} --lake {lake} --missing 5",
        f"Hospitals {asked.site_folders[0]}/{{{','.join(SITES)}}}",
        "Each table is a folder of Parquet files. Next: docs/guide/first-run.md",
    ]
