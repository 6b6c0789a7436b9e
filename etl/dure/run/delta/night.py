"""A delta run: the rows of touched persons are taken out of the snapshot before and put in anew, everywhere.

What they were is worked out again, from the landing before and the resolved map before, by the same stages that work out what
they are now. So every count of the run before can be taken down by what they gave, and the rows that leave the tables are
known twice: from the tables, and from the rows that made them. Where the two differ the run is a full one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.accounting.reconciliation import Reconciliation, TableCount
from dure.cdm.schema import site_tables
from dure.cdm.schema import table as cdm_table
from dure.errors import IntegrityError
from dure.run.delta import basis, sums
from dure.run.delta.basis import Mismatch
from dure.run.delta.compared import Compared, restored
from dure.run.delta.copying import alike, copy_plain, copy_table, read_rows
from dure.run.delta.parts import Longs, Parts, Rows, marked, without
from dure.run.delta.rejected import hashes_of, moved, read_rejects, written
from dure.run.delta.subset import subset_of, write_rows, write_tables
from dure.run.delta.ties import COMMON_TABLES
from dure.run.state import RunState
from dure.stages import account, derive, resolve, tables
from dure.stages.parallel import each
from dure.stages.terminology import counted_codes, write_terminology

# What the derive stage makes of other tables, in its order, and what it writes of itself.
DERIVED_TABLES = ("observation_period", "condition_era", "drug_era", "dose_era")
OWN_TABLES = ("cdm_source", "metadata", "source_to_concept_map", "concept")
_WENT = "gone: "


class Delta:
    """One delta run; its methods are the stages, in order."""

    def __init__(self, run: RunState, compared: Compared) -> None:
        self.run = run
        self.compared = compared
        self.around = compared.around
        self.work = run.staging.work / "delta"
        self.made: dict[str, int] = {}
        self.was: dict[str, int] = {}

    # ------------------------------------------------------------ prepare

    def prepare(self) -> None:
        """Cuts both landings to the chosen rows, and resolves the codes that the whole of the new one asks for."""
        compared, around = self.compared, self.around
        new = self._cut_new()
        old = self._cut_old(new)
        self.new = subset_of(around, self.run.staging.landing, new, self.work / "new")
        self.old = subset_of(around, compared.before.landing, old, self.work / "old")
        asked = basis.changed(
            compared.before.basis.asked,
            [compared.old_asked, self.old.asked()],
            [compared.new_asked, self.new.asked()],
        )
        resolved = resolve.resolve_requests(
            around.engine.session, around.site, around.rules, around.reading, asked, around.store, self.run.staging.work
        )
        self.run.resolution = resolved.resolution
        self.run.shared = around.shared(resolved, self.run.as_of)

    def _cut_new(self) -> dict[str, Path]:
        closure = self.compared.closure
        return {
            name: write_rows(closure.parts[name], closure.chosen[name], self.work / "new" / "landing" / name)
            for name in self.around.ties.personal
        }

    def _cut_old(self, new: Mapping[str, Path]) -> dict[str, Path]:
        """The chosen rows as they were before.

        Rows that did not change are taken from the new landing, where they may stand at other places; only a source that
        common entries read, whole and in the landing before, needs the places that they had there.
        """
        compared = self.compared
        common = {rule.root for rule in self.around.ties.common}
        found = {}
        for name in self.around.ties.personal:
            difference = compared.differences[name]
            folder = self.work / "old" / "landing" / name
            parts, before = compared.closure.parts[name], Parts.of(compared.before.landing / name)
            stayed = without(compared.closure.chosen[name], difference.came)
            if name in common and compared.old is not compared.new:
                hashes = np.concatenate([hashes_of(parts, stayed), hashes_of(before, difference.went)])
                found[name] = write_rows(before, _with_hashes(before, np.sort(hashes)), folder)
            elif not difference:
                found[name] = new[name]
            else:
                went = pa.concat_tables([before.schema.empty_table(), *before.take(difference.went)])
                at = went.schema.get_field_index("_file")
                renamed = pc.binary_join_element_wise(_WENT, went["_file"], "")
                came = marked(compared.closure.chosen[name], difference.came)
                there = pq.read_table(new[name] / "part-00000.parquet").filter(pa.array(~came))
                found[name] = write_tables(parts.schema, [there, went.set_column(at, "_file", renamed)], folder)
        return found

    # ------------------------------------------------------------ map

    def map(self) -> None:
        """Maps the chosen rows of both landings."""
        before = self.compared.before
        assert self.run.shared is not None
        folder = self.work / "old"
        then = self.around.shared(restored(self.around, before, folder), before.as_of)
        sides = ((self.new, self.run.shared, self.compared.new), (self.old, then, self.compared.old))
        new, old = each(lambda side: side[0].mapped(side[1], side[2]), sides)
        try:
            new.refuse_shared_ids()
        except IntegrityError:
            raise Mismatch("new records share an id") from None
        self.mapped, self.mapped_before = new, old

    # ------------------------------------------------------------ tables

    def tables(self) -> dict[str, int]:
        """Writes the tables that entries fill: those of no person anew, the others out of those before."""
        self.made = self.mapped.write_tables(self._cdm("new"))
        self.was = self.mapped_before.write_tables(self._cdm("old"))
        fed = [
            table
            for table in site_tables()
            if table not in (*DERIVED_TABLES, *OWN_TABLES) and (table in self.made or self._had(table))
        ]
        return {table: rows for table, rows in each(self._table, fed) if rows}

    @cached_property
    def reconciliation_before(self) -> Reconciliation:
        path = self.compared.before.reports / account.RECONCILIATION
        return Reconciliation.model_validate_json(path.read_text("utf-8"))

    def _had(self, table: str) -> int:
        return self.compared.before.manifest.tables[table].rows

    def _cdm(self, side: str) -> Path:
        return self.work / side / "cdm"

    @cached_property
    def persons(self) -> Longs:
        """The ids of the persons whose rows are taken out."""
        rows = read_rows(self._cdm("old") / "person", tables.arrow_schema("person"))
        return np.unique(rows["person_id"].to_numpy())

    def _table(self, table: str) -> tuple[str, int]:
        started = time.monotonic()
        before, out = self.compared.before.cdm / table, self.run.staging.cdm / table
        schema = tables.arrow_schema(table)
        new = read_rows(self._cdm("new") / table, schema)
        old = read_rows(self._cdm("old") / table, schema)
        names = cdm_table(table).names
        key = cdm_table(table).primary_key
        if table in COMMON_TABLES:
            rows = self._whole(table, new, out)
        elif "person_id" not in names and key is None:
            rows = copy_plain(table, before, old, new, out)
        else:
            records = old[key].to_numpy() if key is not None else np.empty(0, np.int64)
            made = copy_table(table, before, new, self.persons, records, out)
            gone = pa.concat_tables([schema.empty_table(), *made.gone])
            if not alike(old, gone):
                raise Mismatch(f"{gone.num_rows} rows of {table} would go, but {old.num_rows} others were worked out")
            rows = made.rows
        if not rows:
            shutil.rmtree(out)  # it is written empty with the other tables that nothing fed
        self.run.progress.table(table, rows, time.monotonic() - started)
        return table, rows

    def _whole(self, table: str, new: pa.Table, out: Path) -> int:
        out.mkdir(parents=True, exist_ok=True)
        key = cdm_table(table).primary_key
        pq.write_table(new.sort_by(str(key)), out / "part-00000.parquet", compression="zstd")
        return int(new.num_rows)

    # ------------------------------------------------------------ derive

    def derive(self) -> derive.Derived:
        """Derives periods and eras of the chosen rows and copies those of the others."""
        self.derived = self.mapped.derive(self._cdm("new"), self.made, self.run.as_of)
        self.derived_before = self.mapped_before.derive(self._cdm("old"), self.was, self.compared.before.as_of)
        made = derive.Derived()
        written_tables = {table for table in DERIVED_TABLES if self._had(table) or self.derived.tables.get(table)}
        copied = dict(each(self._table, [table for table in DERIVED_TABLES if table in written_tables]))
        made.tables = {table: rows for table, rows in copied.items() if rows}
        return made

    # ------------------------------------------------------------ account

    def account(self, derived_tables: frozenset[str]) -> Reconciliation:
        """Writes the evidence of the whole run, and what the next night starts from."""
        run = self.run
        before = self.reconciliation_before
        taken, given = sums.reconciled(self.mapped_before), sums.reconciled(self.mapped)
        for made, left in ((taken, self.derived_before), (given, self.derived)):
            made.persons_without_period = left.persons_without_period
            made.exposures_without_era = dict(left.without_era)
            made.exposures_without_dose = dict(left.without_dose)
        sums.refuse_others(before, taken, [rule.name for rule in self.around.ties.common])
        whole = sums.added(run.site, before, taken, given, run.landed)
        whole.tables = self._counted_tables(whole, derived_tables)
        whole.balance()
        resolved = run.staging.work / resolve.RESOLVED
        account.write_evidence(whole, run.staging.reports, resolved)
        self._write_rejects()
        self._write_codes(resolved)
        return whole

    def _counted_tables(self, whole: Reconciliation, derived_tables: frozenset[str]) -> list[TableCount]:
        folders = sorted(self.run.rules, key=lambda rule: rule.folder)
        out = {count.rule: count.rows_out for count in whole.rules}
        return [
            TableCount(
                table=table,
                rows=rows,
                derived=table in derived_tables,
                by_rule={}
                if table in derived_tables
                else {rule.name: out[rule.name][table] for rule in folders if out[rule.name].get(table)},
            )
            for table, rows in self.run.tables.items()
        ]

    def _write_rejects(self) -> None:
        """rejects.parquet: rows of entries that map persons move along, those of common entries are counted whole."""
        path = self.run.staging.reports / account.REJECTS
        frames = [*self.mapped.common.mapped, *self.mapped.own]
        if not frames:
            return
        account.write_rejects(frames, self.run.staging.reports)
        new = pq.read_table(path)
        before = read_rejects(self.compared.before.reports / account.REJECTS)
        found = [new]
        own = {rule.name: rule.root for rule in self.around.ties.own}
        for source in sorted(set(own.values())):
            if before is None:
                break
            names = pa.array([name for name, root in own.items() if root == source], pa.string())
            kept = before.filter(pc.is_in(before["rule"], value_set=names))
            if kept.num_rows:
                found.append(self._moved(source, kept))
        pq.write_table(written(found, new.schema), path)

    def _moved(self, source: str, kept: pa.Table) -> pa.Table:
        compared = self.compared
        old, new = Parts.of(compared.before.landing / source), compared.closure.parts[source]
        chosen, difference = compared.closure.chosen[source], compared.differences[source]
        touched = np.union1d(hashes_of(new, without(chosen, difference.came)), hashes_of(old, difference.went))
        return moved(kept, old, new, touched, chosen)

    def _write_codes(self, resolved: Path) -> None:
        run, basis_before = self.run, self.compared.before.basis
        now, then = pq.read_table(resolved), basis_before.resolved
        first = pq.read_table(self.compared.first / resolve.RESOLVED)
        given = [
            basis.counted(counted_codes(self.mapped.own), now),
            basis.counted(counted_codes(self.mapped.common.mapped), first),
        ]
        taken = [
            basis.counted(counted_codes(self.mapped_before.own), then),
            basis.counted(counted_codes(self.mapped_before.common.mapped), self._common_map_before(first, then)),
        ]
        records, units = (
            basis.changed(was, [one[n] for one in taken], [one[n] for one in given])
            for n, was in enumerate((basis_before.records, basis_before.units))
        )
        assert run.resolution is not None
        told = basis.told(records, units, now)
        write_terminology(run.site, run.rules, told, run.resolution, run.store, resolved, run.staging.reports)
        basis.write_basis(run.staging.landing, self.compared.ground, run.staging.work, records, units)

    def _common_map_before(self, first: pa.Table, then: pa.Table) -> pa.Table:
        """The resolved map by which the common entries of the landing before were mapped."""
        return first if self.compared.old is self.compared.new else then


def _with_hashes(parts: Parts, hashes: Longs) -> Rows:
    """Rows with these hashes, each as often as it is among them."""
    left = dict(zip(*np.unique(hashes, return_counts=True), strict=True))
    found: Rows = {}

    def look(part: int, group: int, table: pa.Table) -> tuple[tuple[int, int], Longs, Longs]:
        all_hashes = table["_row_hash"].to_numpy()
        hit = np.flatnonzero(np.isin(all_hashes, hashes))
        return (part, group), hit, all_hashes[hit]

    for place, hit, values in parts.read(["_row_hash"], look):
        keep = []
        for row, value in zip(hit.tolist(), values.tolist(), strict=True):
            if left[value]:
                left[value] -= 1
                keep.append(row)
        if keep:
            found[place] = np.array(keep, np.int64)
    return found
