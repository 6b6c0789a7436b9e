"""Rows that did not change themselves, and yet become something else than in the run before: who points at what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.accounting.reasons import Outcome
from dure.run.delta.closure import Closure
from dure.run.delta.parts import Longs, Rows
from dure.run.delta.subset import Common, Surroundings
from dure.run.delta.ties import Fixed
from dure.run.delta.ties import Parts as KeyParts
from dure.stages import prepare, resolve
from dure.stages.early import Early
from dure.tables import codes
from dure.tables.cells import cell
from dure.tables.keys import id_bits, identity, key_hash, key_text, key_text_of, record_id
from dure.tables.rule import Rule
from dure.tables.sources import FIRST
from dure.vocab.resolution import REQUEST, TARGETS

# What the records of a code depend on in a resolved map; where a map says so is not among it.
_MATTERS = [name for name in TARGETS.names if name not in ("authority", "provenance")]
# The reference role that finds the records of a common table.
_ROLES = {"location": "location", "care_site": "care_site", "provider": "provider"}


# ---------------------------------------------------------------- codes


def remapped(before: pa.Table, now: pa.Table) -> list[str]:
    """The request keys of codes that were asked for before and mean something else now."""
    old, new = _meanings(before), _meanings(now)
    return sorted(key for key, meaning in old.items() if new.get(key) != meaning)


def _meanings(resolved: pa.Table) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for row in resolved.select([*_MATTERS, "request_key"]).to_pylist():
        found[row["request_key"]].append(tuple(row[name] for name in _MATTERS))
    return {key: sorted(rows, key=repr) for key, rows in found.items()}


def rows_with_codes(
    around: Surroundings, landing: Path, keys: list[str], asked: pa.Table, work: Path
) -> dict[str, pa.Table]:
    """Rows (`_file`, `_row`) of each source from which an entry asks for one of these codes.

    `asked` tells which entries asked for them before: no other rows are looked at.
    """
    wanted = set(keys)
    requests = asked.select(["rule", *REQUEST]).group_by(["rule", *REQUEST]).aggregate([]).to_pylist()
    folders = {row["rule"] for row in requests if key_text_of([row[name] for name in REQUEST]) in wanted}
    rules = [rule for rule in around.ties.own if rule.folder in folders]
    frames = _frames(around, landing, rules, work)
    session = around.engine.session
    few = session.createDataFrame(pa.table({"_wanted": pa.array(keys, pa.string())}))
    found: dict[str, list[pa.Table]] = defaultdict(list)
    for rule in rules:
        for one in resolve.alternatives_of(rule, around.reading):
            if one.request is None:
                continue
            frame = frames[rule.source].select("_file", "_row", codes.request_key(one.request).alias("_asked"))
            hit = frame.join(F.broadcast(few), F.col("_asked") == F.col("_wanted"), "left_semi")
            found[rule.root].append(hit.select("_file", "_row").distinct().toArrow())
    return {source: pa.concat_tables(tables) for source, tables in found.items()}


def _frames(around: Surroundings, landing: Path, rules: Iterable[Rule], work: Path) -> Mapping[str, DataFrame]:
    """The rows of what these entries read: landed sources as they are, views over all of their rows."""
    session = around.engine.session
    sources = {rule.source for rule in rules}
    views = {name for name in sources if name in around.site.views}
    frames = {name: session.read.parquet(str(landing / name)) for name in sources - views}
    if views:
        read = set(views)
        while (
            more := {other for name in read & set(around.site.views) for other in around.site.view_reads[name]} - read
        ):
            read |= more
        folders = {name: landing / name for name in read if name not in around.site.views}
        with Early() as early:
            prepared = prepare.prepare(session, around.site, [], around.reading, folders, work, early, read)
        frames |= {name: prepared.frames[name] for name in views}
    return frames


# ---------------------------------------------------------------- places


def choose_places(closure: Closure, source: str, places: pa.Table) -> None:
    """Chooses the rows of a source that stand at these places (`_file`, `_row`)."""
    by_file: dict[str, Longs] = {}
    for file in pc.unique(places["_file"]).to_pylist():
        own = places.filter(pc.equal(places["_file"], file))
        by_file[file] = np.unique(own["_row"].to_numpy())
    found: Rows = {}

    def look(part: int, group: int, table: pa.Table) -> None:
        hit = np.zeros(table.num_rows, np.bool_)
        files = table["_file"].combine_chunks().dictionary_encode()
        numbers, names = files.indices.to_numpy(), files.dictionary.to_pylist()
        rows = table["_row"].to_numpy()
        for at, name in enumerate(names):
            if name in by_file:
                hit |= (numbers == at) & np.isin(rows, by_file[name])
        if hit.any():
            found[part, group] = np.flatnonzero(hit)

    for _ in closure.parts[source].read(["_file", "_row"], look):
        pass
    closure.choose(source, found)


# ---------------------------------------------------------------- records of nobody


def pointing_at_changed(around: Surroundings, landing: Path, old: Common, new: Common) -> dict[str, pa.Table]:
    """Rows (`_file`, `_row`) of each source that point at a location, care site or provider whose id came, went or changed."""
    found: dict[str, list[pa.Table]] = defaultdict(list)
    for table, role in _ROLES.items():
        pointers = [pointer for pointer in around.ties.pointers if pointer.to == table]
        one, two = old.lookups.frames.get(role), new.lookups.frames.get(role)
        if not pointers or one is two or (one is None and two is None):
            continue
        changed = _changed(around.engine.session, one, two)
        if not len(changed):
            continue
        few = around.engine.session.createDataFrame(pa.table({"_changed": changed}))
        for pointer in pointers:
            rows = around.engine.session.read.parquet(str(landing / pointer.source))
            hashed = rows.select("_file", "_row", key_hash(_key(pointer.parts)).alias("_points"))
            hit = hashed.join(F.broadcast(few), F.col("_points") == F.col("_changed"), "left_semi")
            found[pointer.source].append(hit.select("_file", "_row").toArrow())
    return {source: pa.concat_tables(tables) for source, tables in found.items()}


def _key(parts: KeyParts) -> Column:
    return key_text([part.text if isinstance(part, Fixed) else cell(part) for part in parts])


def _changed(session: SparkSession, one: DataFrame | None, two: DataFrame | None) -> pa.Array:
    """The key hashes of records that only one of two lookups has, or to which they give different ids."""
    tables = [frame.select("key_hash", "id").toArrow() if frame is not None else None for frame in (one, two)]
    signed = [
        table.append_column("n", pa.array(np.full(table.num_rows, sign, np.int64)))
        for table, sign in zip(tables, (1, -1), strict=True)
        if table is not None
    ]
    added = pa.concat_tables(signed).group_by(["key_hash", "id"]).aggregate([("n", "sum")])
    return pc.unique(added.filter(pc.not_equal(added["n_sum"], 0))["key_hash"])


def writers(around: Surroundings, common: Common, landing: Path) -> dict[str, Longs]:
    """For each personal source, the `_row_hash` of its rows that a common entry wrote a record from, sorted."""
    session = around.engine.session
    found: dict[str, Longs] = {}
    for rule, frame in common.mapped:
        if rule.root not in around.ties.personal:
            continue
        written = frame.where(F.col("_outcome") == Outcome.WRITTEN.value)
        places = written.select(F.col("_file").alias("_of_file"), F.col("_row").alias("_of_row"))
        rows = session.read.parquet(str(landing / rule.root)).select("_file", "_row", "_row_hash")
        here = (F.col("_file") == F.col("_of_file")) & (F.col("_row") == F.col("_of_row"))
        hashes = rows.join(places, here, "left_semi").select("_row_hash").toArrow()["_row_hash"].to_numpy()
        # Which entry wrote from a row matters, too: of two entries one may have taken the record from the other.
        marked = hashes ^ np.int64(hash_of(rule.folder))
        found[rule.root] = np.sort(np.concatenate([found.get(rule.root, np.empty(0, np.int64)), marked]))
    return found


def hash_of(text: str) -> int:
    """A small number for a name, the same in every process."""
    return sum((n + 1) * byte for n, byte in enumerate(text.encode())) % (1 << 20)


def changed_writers(around: Surroundings, source: str, old: Longs, new: Longs) -> pa.Array:
    """The `_row_hash` of rows that a common entry wrote a record from in one of two runs only, as texts."""
    only = np.setxor1d(old, new)
    entries = {hash_of(rule.folder) for rule in around.ties.common if rule.root == source}
    return pa.array(sorted({str(int(one) ^ entry) for one in only for entry in entries}), pa.string())


# ---------------------------------------------------------------- persons


def person_keys(around: Surroundings, landing: Path, persons: Longs) -> dict[str, pa.Array]:
    """The key texts by which a site's person sources name these persons, by source."""
    session = around.engine.session
    few = session.createDataFrame(pa.table({"_wanted": pa.array(persons)}))
    found: dict[str, list[pa.Array]] = defaultdict(list)
    for rule, parts in _person_rules(around):
        keys = session.read.parquet(str(landing / rule.root)).select(_key(parts).alias("_name"))
        keys = keys.where(F.col("_name").isNotNull()).distinct()
        named = keys.select("_name", _person_id(around, rule).alias("_id"))
        hit = named.join(F.broadcast(few), F.col("_id") == F.col("_wanted"), "left_semi")
        found[rule.root].append(hit.select("_name").toArrow()["_name"].combine_chunks())
    return {source: pa.concat_arrays(keys) for source, keys in found.items()}


def person_ids(around: Surroundings, folders: Mapping[str, Path]) -> Longs:
    """The ids that the persons of some rows have, whether or not they are written; `folders` by source."""
    session = around.engine.session
    found = [np.empty(0, np.int64)]
    for rule, parts in _person_rules(around):
        keys = session.read.parquet(str(folders[rule.root])).select(_key(parts).alias("_name"))
        ids = keys.where(F.col("_name").isNotNull()).distinct().select(_person_id(around, rule).alias("_id"))
        found.append(ids.toArrow()["_id"].to_numpy())
    return np.unique(np.concatenate(found))


def _person_rules(around: Surroundings) -> list[tuple[Rule, KeyParts]]:
    return [
        (rule, tie.parts)
        for rule in around.ties.own
        if rule.table == "person"
        for tie in around.ties.of(rule.root)
        if tie.person
    ]


def _person_id(around: Surroundings, rule: Rule) -> Column:
    known_as = identity(around.site.spec.site.id, rule.source, rule.table, rule.label, F.col("_name"), F.lit(FIRST))
    return record_id(known_as, id_bits("person"), around.salts.get("person"))


def as_of_persons(cdm: Path, policy: str, one: date, other: date) -> Longs:
    """Persons of a snapshot whose rows may be others on another day: what the day caps, and stays that it closes."""
    first = pa.scalar(min(one, other), pa.date32())
    found = [np.empty(0, np.int64)]
    ends = {
        "observation_period": "observation_period_end_date",
        "visit_occurrence": "visit_end_date",
        "visit_detail": "visit_detail_end_date",
        "payer_plan_period": "payer_plan_period_end_date",
    }
    for table, end in ends.items():
        for file in sorted((cdm / table).glob("*.parquet")):
            rows = pq.read_table(file, columns=["person_id", end])
            found.append(rows.filter(pc.greater_equal(rows[end], first))["person_id"].to_numpy())
    observed = _persons_of(cdm / "observation_period")
    found.append(np.setdiff1d(_persons_of(cdm / "person"), observed))
    return np.unique(np.concatenate(found))


def _persons_of(folder: Path) -> Longs:
    files = sorted(folder.glob("*.parquet"))
    return np.unique(
        np.concatenate(
            [
                np.empty(0, np.int64),
                *[pq.read_table(file, columns=["person_id"])["person_id"].to_numpy() for file in files],
            ]
        )
    )


def opted_out_keys(landing: Path, source: str) -> pa.Array:
    """`_key` of the rows of a source that landing left out because their persons opted out."""
    path = landing / "_opted_out" / f"{source}.parquet"
    if not path.exists():
        return pa.array([], pa.string())
    return pq.read_table(path, columns=["_key"])["_key"].combine_chunks().drop_null()


def changed_opted_out(old: Path, new: Path, source: str) -> pa.Array:
    """Keys of left-out rows that one of two landings has more often than the other."""
    one, two = (pc.value_counts(opted_out_keys(landing, source)).to_pylist() for landing in (old, new))
    before = {pair["values"]: pair["counts"] for pair in one}
    after = {pair["values"]: pair["counts"] for pair in two}
    return pa.array(sorted(key for key in {**before, **after} if before.get(key) != after.get(key)), pa.string())
