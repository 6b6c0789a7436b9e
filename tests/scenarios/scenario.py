"""Scenarios: small hospitals as folders, each with the CDM rows that it must become; README.md says how to write one."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.roles import PREFIXES
from dure.cdm.schema import site_tables, tables
from dure.engine import Engine, EngineOptions
from dure.errors import DureError
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.vocab import VocabularyStore

HERE = Path(__file__).parent
VOCABULARY = HERE / "vocabulary"
# Reports that a scenario may expect rows of, beside the CDM tables.
REPORTS = ("reconciliation", "mapping_problems", "worklist", "rejects")

# What an expected file may write in place of an id: (its column, the table it points at, what is shown of that row).
SHOWN_BY = {
    "person": ("person_id", "person", "person_source_value"),
    "visit": ("visit_occurrence_id", "visit_occurrence", "visit_source_value"),
    "preceding_visit": ("preceding_visit_occurrence_id", "visit_occurrence", "visit_source_value"),
    "visit_detail": ("visit_detail_id", "visit_detail", "visit_detail_source_value"),
    "preceding_detail": ("preceding_visit_detail_id", "visit_detail", "visit_detail_source_value"),
    "parent": ("parent_visit_detail_id", "visit_detail", "visit_detail_source_value"),
    "provider": ("provider_id", "provider", "provider_source_value"),
    "care_site": ("care_site_id", "care_site", "care_site_source_value"),
    "location": ("location_id", "location", "location_source_value"),
    "note": ("note_id", "note", "note_source_value"),
    "episode": ("episode_id", "episode", "episode_source_value"),
}
# What is shown by the table and the source value of the row it points at, in whatever table that is.
EVENTS = {
    "cost_event": "cost_event_id",
    "measurement_event": "measurement_event_id",
    "observation_event": "observation_event_id",
    "note_event": "note_event_id",
    "event": "event_id",
    "fact_1": "fact_id_1",
    "fact_2": "fact_id_2",
}


@dataclass(frozen=True)
class Scenario:
    """One folder: a site, its extract and what must come of it."""

    folder: Path

    @property
    def name(self) -> str:
        """How pytest shows it: `person/01_birth_year_only`."""
        return self.folder.relative_to(HERE).as_posix()

    @property
    def table(self) -> str:
        """The CDM table that it is about."""
        return self.folder.parent.name

    @property
    def expected(self) -> dict[str, Path]:
        """The expected files by what they are rows of: a CDM table or a report."""
        return {path.stem.removeprefix("expected_"): path for path in sorted(self.folder.glob("expected_*.csv"))}

    @property
    def expected_error(self) -> list[str] | None:
        """The texts that the refusal must hold, where the site must be refused."""
        path = self.folder / "expected_error.txt"
        return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else None

    @property
    def expected_warnings(self) -> list[str]:
        """Texts each of which a warning of the run must hold."""
        path = self.folder / "expected_warnings.txt"
        return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []

    def run(self, engine: Engine, store: VocabularyStore, lake: Path) -> Outcome:
        """The snapshot that the site becomes on an engine that is up, or the error with which it is refused."""

        def running(_: EngineOptions) -> AbstractContextManager[Engine]:
            return nullcontext(engine)

        options = RunOptions(
            site=self.folder.name, source=self.folder, vocab=store.folder, lake=lake, sites=(self.folder.parent,)
        )
        try:
            result = run_site(options, SilentProgress(), running)
        except DureError as error:
            return Outcome(error=str(error))
        return Outcome(result.snapshot, result.reports, warnings=tuple(map(str, result.warnings)))


def scenarios() -> list[Scenario]:
    """Every scenario, by name."""
    return [Scenario(path.parent) for path in sorted(HERE.glob("*/*/site.yaml"))]


@dataclass(frozen=True)
class Outcome:
    """What a run left: the folders of its snapshot and evidence, or the text of its error."""

    snapshot: Path | None = None
    reports: Path | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()

    @cached_property
    def tables(self) -> Mapping[str, pa.Table]:
        """Every CDM table of the snapshot by name."""
        assert self.snapshot is not None, self.error
        return {name: pq.read_table(self.snapshot / name) for name in site_tables()}

    @cached_property
    def _names(self) -> Mapping[str, Mapping[int, str]]:
        """Pseudo column -> id -> what is shown instead of the id."""
        return {
            pseudo: dict(zip(*(_texts(self.tables[table], name) for name in (_key(table), shown)), strict=True))
            for pseudo, (_, table, shown) in SHOWN_BY.items()
        }

    @cached_property
    def _events(self) -> Mapping[str, str]:
        """Record id -> its table and source value, over all tables that an event may be in."""
        named: dict[str, str] = {}
        for name, prefix in PREFIXES.items():
            if (shown := f"{prefix}_source_value") in tables()[name].names:
                pairs = zip(_texts(self.tables[name], _key(name)), _texts(self.tables[name], shown), strict=True)
                named |= {key: f"{name} {source_value}" for key, source_value in pairs}
        return named

    def rows(self, of: str, columns: list[str]) -> Counter[tuple[str, ...]]:
        """The rows of a CDM table or a report, only these columns, each cell as text ('' for NULL)."""
        assert self.reports is not None, self.error
        if of not in REPORTS:
            table = self.tables[of]
        elif of == "rejects":
            table = pq.read_table(self.reports / "rejects.parquet")
        else:
            table = _csv_table(self.reports / f"{of}.csv")
        return Counter(zip(*(self._column(table, name) for name in columns), strict=True))

    def _column(self, table: pa.Table, name: str) -> list[str]:
        if name in table.column_names:
            return _texts(table, name)
        if name in EVENTS:
            return [self._events[key] if key else "" for key in _texts(table, EVENTS[name])]
        column, _, _ = SHOWN_BY[name]
        return [self._names[name][key] if key else "" for key in _texts(table, column)]


def differences(outcome: Outcome, of: str, path: Path) -> list[str]:
    """What an expected file of a CDM table or report says otherwise than the run; empty when they agree."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
    if of == "reconciliation":
        return list(_sums_apart(outcome, header, lines))
    types = outcome.tables[of].schema if of not in REPORTS else None
    wanted = Counter(tuple(_said(cell, types, name) for cell, name in zip(line, header, strict=True)) for line in lines)
    found = outcome.rows(of, header)
    return [
        f"{of}: {what} {dict(zip(header, row, strict=True))}" + (f" ({n} times)" if n > 1 else "")
        for what, rows in (("missing", wanted - found), ("not expected", found - wanted))
        for row, n in sorted(rows.items())
    ]


def _sums_apart(outcome: Outcome, header: list[str], lines: list[list[str]]) -> Iterator[str]:
    """Expected lines of the reconciliation that do not hold; lines that are not expected are not looked at."""
    names = [name for name in header if name != "rows"]
    found = outcome.rows("reconciliation", [*names, "rows"])
    for line in lines:
        wanted = dict(zip(header, line, strict=True))
        key = tuple(wanted[name] for name in names)
        rows = sum(int(row[-1]) * n for row, n in found.items() if row[:-1] == key)
        if rows != int(wanted["rows"]):
            near = sorted(row for row in found if row[0] == key[0])
            yield f"reconciliation: {key} counts {rows}, expected {wanted['rows']}; {key[0]} has {near}"


def broken_links(outcome: Outcome) -> list[str]:
    """Ids that point at a row which is not there, and ids that two rows share: none, whatever the scenario."""
    problems = []
    for name, table in outcome.tables.items():
        own = tables()[name].primary_key
        ids = table[own].to_pylist() if own else []
        if len(set(ids)) < len(ids):
            problems.append(f"{name}: two rows share an id")
        for column, target, _ in SHOWN_BY.values():
            if column in table.column_names and name != target:
                there = set(outcome.tables[target][_key(target)].to_pylist())
                lost = set(table[column].to_pylist()) - there - {None}
                problems += [f"{name}.{column}: {len(lost)} ids are no {target}"] if lost else []
    return problems


def _key(table: str) -> str:
    key = tables()[table].primary_key
    assert key is not None
    return key


def _csv_table(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = list(csv.reader(file))
    return pa.table({name: pa.array([line[i] or None for line in lines], pa.string()) for i, name in enumerate(header)})


def _texts(table: pa.Table, column: str) -> list[str]:
    return [_text(value) for value in table[column].to_pylist()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if value == "":
        return "(empty text)"  # the CDM has NULL for nothing
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value)


def _said(cell: str, types: pa.Schema | None, name: str) -> str:
    """An expected cell as `_text` writes the same value, so that 5 is 5.0 and a moment may leave out its seconds."""
    if not cell or types is None or name not in types.names:
        return cell
    kind = types.field(name).type
    if pa.types.is_floating(kind):
        return _text(float(cell))
    if pa.types.is_timestamp(kind):
        return _text(datetime.fromisoformat(cell))
    if pa.types.is_date(kind):
        return _text(date.fromisoformat(cell))
    return cell
