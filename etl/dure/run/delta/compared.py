"""What a night's landing changes, compared with the snapshot before: which rows, which persons, and whether a delta will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.cdm.schema import site_tables
from dure.cdm.schema import table as cdm_table
from dure.run.delta import affected
from dure.run.delta.basis import Basis, Ground, ground_of, read_basis
from dure.run.delta.closure import Closure, texts
from dure.run.delta.difference import Difference, difference
from dure.run.delta.parts import Parts, count
from dure.run.delta.subset import (
    Common,
    Surroundings,
    asked_common,
    headed,
    mapped_common,
    prepared_common,
    write_rows,
)
from dure.run.delta.ties import Ties, Unprovable, ties_of
from dure.run.delta.whole import damaged
from dure.run.state import RunState
from dure.run.told import Changed, Told
from dure.site.spec import LandedSource
from dure.snapshot.manifest import Manifest
from dure.stages import resolve

# A delta that maps more than this share of all rows anew costs more than a full run.
MOST = 0.25


class NoDelta(Exception):
    """Why a night is a full run; the message is for people."""


@dataclass(frozen=True)
class Before:
    """The snapshot that a night starts from: its folders, and what its run left."""

    snapshot: str
    cdm: Path
    landing: Path
    reports: Path
    manifest: Manifest
    basis: Basis

    @property
    def as_of(self) -> date:
        return self.manifest.as_of


@dataclass(frozen=True)
class Compared:
    """What a night changes: rows by source, the rows to map anew on both sides, and what was worked out on the way.

    `old` and `new` are the common entries of both landings. `first` is the resolved map by which the new ones are mapped.
    """

    before: Before
    around: Surroundings
    ground: Ground
    differences: Mapping[str, Difference]
    closure: Closure
    old: Common
    new: Common
    old_asked: pa.Table
    new_asked: pa.Table
    first: Path
    remapped: tuple[str, ...]
    persons: int

    @property
    def unchanged(self) -> bool:
        """Whether no row came or went, and none means something else."""
        return not self.closure.rows and not any(self.differences.values())


def before_of(run: RunState) -> Before:
    """The latest snapshot of the site; raises NoDelta where there is none to start from."""
    manifest = run.lake.latest_manifest()
    if manifest is None:
        raise NoDelta("there is no snapshot yet")
    landing = run.lake.landing(manifest.snapshot)
    basis = read_basis(landing)
    if basis is None:
        raise NoDelta(
            f"the snapshot {manifest.snapshot} has no basis for one: another version made it, or persons were removed"
        )
    folder, reports = run.lake.snapshot(manifest.snapshot), run.lake.reports(manifest.snapshot)
    return Before(manifest.snapshot, folder, landing, reports, manifest, basis)


def possible(run: RunState) -> Before | None:
    """The snapshot to start from, as far as can be told before anything landed; None where the run will be full."""
    if run.options.full:
        return None
    try:
        before = before_of(run)
    except NoDelta:
        return None
    ground = ground_of(run.site, run.as_of, run.store, run.options.engine, run.lake)
    return None if ground.differs(before.basis.ground) else before


def differences_of(run: RunState, before: Before) -> dict[str, Difference]:
    """The rows that came and went, by source."""
    found = {}
    for name, source in run.site.spec.sources.items():
        if isinstance(source, LandedSource) and name in run.landed:
            old, new = Parts.of(before.landing / name), Parts.of(run.staging.landing / name)
            found[name] = Difference({}, {}) if run.landed[name].unchanged else difference(old, new)
    return found


def compare(run: RunState, told: Told) -> Compared:
    """Compares the landing of this run with the one before; raises NoDelta with the reason for a full run."""
    if run.options.full and not run.options.dry_run:
        raise NoDelta("--full")
    before = before_of(run)
    if run.options.dry_run:
        # Who asks only what a night changes is told so, whatever it is mapped by.
        _tell_differences(run, before, told)
    if run.options.full:
        raise NoDelta("--full")
    ground = ground_of(run.site, run.as_of, run.store, run.options.engine, run.lake)
    if differs := ground.differs(before.basis.ground):
        raise NoDelta(f"these differ from the snapshot before: {differs}")
    if lost := damaged(before.manifest, before.cdm, before.landing, before.reports, run.landed):
        shown = f"{lost[0]}{f' and {len(lost) - 1} more' if lost[1:] else ''}"
        raise NoDelta(f"the snapshot before is not as it was written: {shown}")
    differences = _tell_differences(run, before, told)
    new_headers, old_headers = headed(run.site, run.staging.landing), headed(run.site, before.landing)
    if other := [name for name in new_headers if set(new_headers[name]) != set(old_headers.get(name, ()))]:
        raise NoDelta(f"other columns than before: {', '.join(other)}")
    try:
        ties = ties_of(run.site, run.rules, new_headers)
    except Unprovable as why:
        raise NoDelta(f"its rows cannot be told apart by person: {why}") from None
    loose = sorted(name for name in ties.loose if differences.get(name))
    if loose:
        raise NoDelta(f"a view works with all rows of {', '.join(loose)}, and some changed")
    _refuse_undated(run, before, ties)
    around = Surroundings(run.engine, run.site, run.rules, run.reading, run.store, ties, run.lake.salts(), run.progress)
    compared = _Comparing(run, before, around, ground, differences).made()
    told.before = before.snapshot
    told.persons = compared.persons
    told.touched = {name: count(rows) for name, rows in compared.closure.chosen.items() if rows}
    told.remapped = len(compared.remapped)
    return compared


def tell_tables(told: Told, compared: Compared) -> None:
    """Adds the rows that the touched persons have now, by table of the CDM."""
    folders = {}
    work = Path(compared.first).parent / "told"
    for name in {rule.root for rule in compared.around.ties.own if rule.table == "person"}:
        went = pa.concat_tables(
            Parts.of(compared.before.landing / name).take(compared.differences[name].went)
        ) if compared.differences[name].went else None  # fmt: skip
        folders[name] = write_rows(compared.closure.parts[name], compared.closure.chosen[name], work / name, went)
    persons = affected.person_ids(compared.around, folders)
    found = {}
    for table in site_tables():
        if "person_id" in cdm_table(table).names:
            files = sorted((compared.before.cdm / table).glob("*.parquet"))
            columns = [pq.read_table(file, columns=["person_id"])["person_id"].to_numpy() for file in files]
            found[table] = sum(int(np.isin(column, persons).sum()) for column in columns)
    told.tables = {table: rows for table, rows in found.items() if rows}


def _tell_differences(run: RunState, before: Before, told: Told) -> dict[str, Difference]:
    missing = [name for name in run.landed if not list((before.landing / name).glob("*.parquet"))]
    if missing:
        raise NoDelta(f"the landing of the snapshot before has no {', '.join(missing)}")
    differences = differences_of(run, before)
    told.sources |= {name: _changed(run, before, name, found) for name, found in differences.items()}
    return differences


def _changed(run: RunState, before: Before, name: str, found: Difference) -> Changed:
    """How many rows are new, how many say something else under a key that was there, and how many are gone."""
    new, old = Parts.of(run.staging.landing / name), Parts.of(before.landing / name)
    source = run.site.spec.sources[name]
    came, went = count(found.came), count(found.went)
    both = 0
    if came and went and isinstance(source, LandedSource) and source.key:
        one, two = (
            pa.chunked_array([table["_key"].combine_chunks() for table in parts.take(rows, ["_key"])])
            for parts, rows in ((new, found.came), (old, found.went))
        )
        both = min(
            pc.sum(pc.is_in(one.drop_null(), value_set=two)).as_py() or 0,
            pc.sum(pc.is_in(two.drop_null(), value_set=one)).as_py() or 0,
        )
    return Changed(new.rows, came - both, both, went - both)


def _refuse_undated(run: RunState, before: Before, ties: Ties) -> None:
    """Another day, and codes whose meaning depends on the day where the row itself has none."""
    if run.as_of == before.as_of:
        return
    resolved = before.basis.resolved
    dated = resolved["valid_start"].null_count + resolved["valid_end"].null_count < 2 * resolved.num_rows
    asks = [r for r in run.rules if r.entry.given("start") is None and resolve.alternatives_of(r, run.reading)]
    if dated and any(one.request is not None for r in asks for one in resolve.alternatives_of(r, run.reading)):
        raise NoDelta("the day of the extract is another one, and codes of rows without a date have maps by day")


class _Comparing:
    """The steps from rows that changed to rows that are mapped anew."""

    def __init__(
        self, run: RunState, before: Before, around: Surroundings, ground: Ground, differences: Mapping[str, Difference]
    ) -> None:
        self.run, self.before, self.around, self.ground, self.differences = run, before, around, ground, differences
        self.landing = run.staging.landing
        self.work = run.staging.work / "delta"
        self.closure = Closure(around.ties, self.landing)

    def made(self) -> Compared:
        basis = self.before.basis
        maps_changed = dict(self.ground.maps) != dict(basis.ground.maps)
        new, old, new_asked, old_asked = self._common_prepared()
        first = self._folder("first")
        asked = pa.concat_tables([new_asked, *([basis.asked] if maps_changed else [])])
        resolved = self._resolve(asked, first)
        new = mapped_common(self.around, new, self.around.shared(resolved, self.run.as_of), self.work / "new")
        old = new if old is None else mapped_common(
            self.around, old, self.around.shared(self.resolved_before(), self.before.as_of), self.work / "old"
        )  # fmt: skip
        remapped = affected.remapped(basis.resolved, _read(first)) if maps_changed else []
        self._choose_changed()
        self._choose_remapped(remapped)
        self._choose_pointing(old, new)
        self._choose_by_day()
        if not self.closure.close(MOST):
            raise NoDelta(f"more than {MOST:.0%} of the rows would be mapped anew")
        return Compared(
            before=self.before,
            around=self.around,
            ground=self.ground,
            differences=self.differences,
            closure=self.closure,
            old=old,
            new=new,
            old_asked=old_asked,
            new_asked=new_asked,
            first=first,
            remapped=tuple(remapped),
            persons=self._persons(),
        )

    def resolved_before(self) -> resolve.ResolvedCodes:
        """The resolved map of the snapshot before, for the engine."""
        folder = self._folder("old")
        return restored(self.around, self.before, folder)

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _resolve(self, asked: pa.Table, folder: Path) -> resolve.ResolvedCodes:
        around = self.around
        return resolve.resolve_requests(
            around.engine.session, around.site, around.rules, around.reading, asked, around.store, folder
        )

    def _common_prepared(self) -> tuple[Common, Common | None, pa.Table, pa.Table]:
        """The common entries of both landings, ready to be mapped; None for the old ones where nothing differs for them."""
        new = prepared_common(self.around, self.landing, self.work / "new")
        new_asked = asked_common(self.around, new)
        read = {rule.root for rule in self.around.ties.common} | set(self.around.ties.whole)
        same_day = self.run.as_of == self.before.as_of
        same_maps = dict(self.ground.maps) == dict(self.before.basis.ground.maps)
        if same_day and same_maps and not any(self.differences.get(name) for name in read):
            return new, None, new_asked, new_asked
        old = prepared_common(self.around, self.before.landing, self.work / "old")
        return new, old, new_asked, asked_common(self.around, old)

    def _choose_changed(self) -> None:
        """Rows that came, what rows that went were tied to, and rows that a view joins with changed rows of nobody."""
        ties = self.around.ties
        for name in ties.personal:
            if found := self.differences.get(name):
                self.closure.choose(name, found.came)
                old = Parts.of(self.before.landing / name)
                columns = list(dict.fromkeys(column for tie in ties.of(name) for column in tie.columns))
                for table in old.take(found.went, columns):
                    self.closure.values(name, table)
            self._choose_opted_out(name)
        for tie in ties.joined:
            if tie.source not in ties.whole or not (found := self.differences.get(tie.source)):
                continue
            values = [
                texts(tie.parts, table)
                for parts, rows in (
                    (Parts.of(self.landing / tie.source), found.came),
                    (Parts.of(self.before.landing / tie.source), found.went),
                )
                for table in parts.take(rows, list(tie.columns))
            ]
            wanted = pa.concat_arrays(values).unique().drop_null()
            for user in ties.joined:
                if user.space == tie.space and user.source in ties.personal and len(wanted):
                    self.closure.choose(user.source, self.closure.find(user.source, user.parts, wanted))

    def _choose_opted_out(self, name: str) -> None:
        """Whoever points at a row that was left out because its person opted out, or no longer is."""
        source = self.around.site.spec.sources[name]
        assert isinstance(source, LandedSource)
        keys = affected.changed_opted_out(self.before.landing, self.landing, name)
        if len(keys) and source.key:
            for tie in self.around.ties.of(name):
                if tie.parts == tuple(source.key):
                    self.closure.activate(tie.space, keys)

    def _choose_remapped(self, keys: list[str]) -> None:
        if keys:
            found = affected.rows_with_codes(
                self.around, self.landing, keys, self.before.basis.asked, self.work / "remapped"
            )
            for source, places in found.items():
                affected.choose_places(self.closure, source, places)

    def _choose_pointing(self, old: Common, new: Common) -> None:
        """Rows that point at a changed record of nobody, and rows from which such a record was written, then or now."""
        if old is new:
            return
        for source, places in affected.pointing_at_changed(self.around, self.landing, old, new).items():
            affected.choose_places(self.closure, source, places)
        then = affected.writers(self.around, old, self.before.landing)
        now = affected.writers(self.around, new, self.landing)
        for source in now:
            hashes = affected.changed_writers(self.around, source, then[source], now[source])
            if len(hashes):
                self.closure.choose(source, self.closure.find(source, ("_row_hash",), hashes))

    def _choose_by_day(self) -> None:
        """Persons whose rows depend on the day of the extract, where that is another one."""
        if self.run.as_of == self.before.as_of:
            return
        policy = self.around.site.spec.derive.observation_period
        persons = affected.as_of_persons(self.before.cdm, policy, self.run.as_of, self.before.as_of)
        if len(persons):
            for keys in affected.person_keys(self.around, self.landing, persons).values():
                self.closure.activate(self.around.ties.person_space, keys)

    def _persons(self) -> int:
        """How many persons have rows that are mapped anew."""
        ties = self.around.ties
        named = set()
        for name in {rule.root for rule in ties.own if rule.table == "person"}:
            for tie in ties.of(name):
                if tie.person:
                    for table in self.closure.parts[name].take(self.closure.chosen[name], list(tie.columns)):
                        named |= set(texts(tie.parts, table).to_pylist())
                    for table in Parts.of(self.before.landing / name).take(
                        self.differences[name].went if name in self.differences else {}, list(tie.columns)
                    ):
                        named |= set(texts(tie.parts, table).to_pylist())
        return len(named - {None})


def restored(around: Surroundings, before: Before, folder: Path) -> resolve.ResolvedCodes:
    """The resolved map of the snapshot before, as the engine sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(before.basis.resolved, folder / resolve.RESOLVED)
    return resolve.restored(around.engine.session, around.rules, around.reading, around.store, folder, ())


def _read(folder: Path) -> pa.Table:
    return pq.read_table(folder / resolve.RESOLVED)
