"""Taking persons out of one landed extract: the rows that name them, the rows that hang on those, and unread records."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.cdm.roles import REFERENCE_TABLES, roles
from dure.landing.keys import key_text
from dure.publish.forgetting.rewriting import filtered, replace_table
from dure.site.loaded import Site
from dure.site.values import RefTo
from dure.snapshot.durable import lake_access, replace_file
from dure.stages.land import person_columns
from dure.tables.links import reference_of
from dure.tables.rule import Rule

# The encodings that an extract's unread records may be in.
_ENCODINGS = ("utf-8", "cp949")
# Rows that point at one of these are not the rows of the person who does, too.
_OF_NOBODY = frozenset({"provider", "care_site", "location"})
# A number of fewer letters is met by chance.
_SHORTEST = 4


@dataclass
class Removed:
    """What was taken out of one landing: rows by source, the places of those rows, and their keys."""

    rows: dict[str, int] = field(default_factory=dict)
    places: set[tuple[str, int]] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=dict)
    rejects: int = 0


@dataclass(frozen=True)
class _Path:
    """Columns of a source that lead to a person: directly (`to` empty), or through rows of other sources."""

    columns: tuple[str, ...]
    to: frozenset[str]


def remove_landed(landing: Path, site: Site, rules: list[Rule], persons: Collection[str]) -> Removed:
    """Rewrites the landed files that hold rows of these persons (key texts); the same call again removes nothing."""
    # Counts in which these persons are: without them the next run builds everything anew.
    shutil.rmtree(landing / "_basis", ignore_errors=True)
    removed = Removed()
    paths = _ways(landing, site, rules, persons)
    while True:
        before = sum(map(len, removed.keys.values())) + len(removed.places)
        for name, leading in paths.items():
            _remove_rows(landing, name, leading, persons, removed)
        if sum(map(len, removed.keys.values())) + len(removed.places) == before:
            break
    # Keys that a night of changes touched, of use to that night alone.
    with lake_access(landing):
        shutil.rmtree(landing / "_touched", ignore_errors=True)
    for parquet in sorted((landing / "_rejects").glob("*.parquet")):
        removed.rejects += _remove_unread(parquet, persons)
    return removed


def sources_without_a_way(landing: Path, site: Site, rules: list[Rule], persons: Collection[str]) -> list[str]:
    """Landed sources that no column leads from to a person; their rows stay."""
    return [name for name, paths in _ways(landing, site, rules, persons).items() if not paths]


def _ways(landing: Path, site: Site, rules: list[Rule], persons: Collection[str]) -> dict[str, list[_Path]]:
    """How the rows of each landed source lead to persons: by the spec, and by what its columns hold."""
    known = [landing / rule.root for rule in rules if rule.table == "person"]
    keys = pa.array(sorted(set(persons).union(*map(_keys, known))), pa.string())
    found: dict[str, list[_Path]] = {}
    for name in site.spec.sources:
        if (landing / name).is_dir():
            by_spec = _paths(rules, name, _columns(landing / name))
            held = [_Path((column,), frozenset()) for column in _holding(landing / name, keys)]
            found[name] = list(dict.fromkeys([*by_spec, *held]))
    return found


def _keys(folder: Path) -> set[str]:
    files = sorted(folder.glob("*.parquet"))
    return {key for file in files for key in pq.read_table(file, columns=["_key"])["_key"].to_pylist() if key}


def _holding(folder: Path, keys: pa.Array) -> list[str]:
    """Columns whose every value is the key of a person: sources that only a view reads name persons, too.

    Values of a few letters are counts or codes that persons' numbers happen to meet.
    """
    files = sorted(folder.glob("*.parquet"))
    found = []
    for column in _columns(folder):
        if column.startswith("_"):
            continue
        values = pc.unique(pa.concat_tables([pq.read_table(file, columns=[column]) for file in files])[column])
        values = values.drop_null()
        short = pc.any(pc.less(pc.utf8_length(values), _SHORTEST)).as_py() if len(values) else True
        if not short and pc.all(pc.is_in(values, keys)).as_py():
            found.append(column)
    return found


def _paths(rules: list[Rule], source: str, header: tuple[str, ...]) -> list[_Path]:
    found = []
    direct = person_columns(rules, source, header)
    if direct:
        found.append(_Path(direct, frozenset()))
    for rule in rules:
        for target, key in _references(rule) if rule.root == source else ():
            if target in _OF_NOBODY or not all(isinstance(part, str) and part in header for part in key):
                continue
            roots = frozenset(other.root for other in rules if other.table == target) - {source}
            if target == "person" or roots:
                found.append(_Path(tuple(map(str, key)), frozenset() if target == "person" else roots))
    return list(dict.fromkeys(found))


def _references(rule: Rule) -> Iterator[tuple[str, Sequence[object]]]:
    """(table, key) of the records that an entry's rows point at."""
    for role in roles(rule.table).values():
        value = rule.entry.given(role.name)
        name: str | None = role.name
        if role.kind == "event" and value is not None:
            name, value = reference_of(value) or (None, None)
        elif role.kind != "ref":
            continue
        key = value.key if isinstance(value, RefTo) else value
        if name in REFERENCE_TABLES and isinstance(key, list | tuple):
            yield REFERENCE_TABLES[name], key


def _remove_rows(landing: Path, source: str, paths: list[_Path], persons: Collection[str], removed: Removed) -> None:
    wanted = pa.array(sorted(persons), pa.string())
    for file in sorted((landing / source).glob("*.parquet")):

        def of_persons(table: pa.Table) -> pa.Array:
            hit = pa.array([False] * table.num_rows, pa.bool_())
            for path in paths:
                keys = wanted
                if path.to:
                    keys = pa.array(sorted(set().union(*(removed.keys.get(to, set()) for to in path.to))), pa.string())
                text = key_text([table[name].combine_chunks() for name in path.columns])
                hit = pc.or_(hit, pc.fill_null(pc.is_in(text, keys), False))
            return hit

        gone = filtered(file, of_persons)
        if gone.num_rows:
            removed.rows[source] = removed.rows.get(source, 0) + gone.num_rows
            removed.places |= set(zip(gone["_file"].to_pylist(), gone["_row"].to_pylist(), strict=True))
            removed.keys.setdefault(source, set()).update(gone["_key"].drop_null().to_pylist())


def _columns(folder: Path) -> tuple[str, ...]:
    files = sorted(folder.glob("*.parquet"))
    return tuple(pq.read_schema(files[0]).names) if files else ()


def _remove_unread(parquet: Path, persons: Collection[str]) -> int:
    """Drops unread records that hold all parts of a person's key; nobody can say better whose they are."""
    raw = parquet.with_suffix(".raw")
    with lake_access(raw):
        table = pq.read_table(parquet)
        if not raw.exists():
            return 0
        content = raw.read_bytes()
    needles = [
        [part.encode(encoding, "ignore") for part in person.replace("\\|", "|").split("|")]
        for person in persons
        for encoding in _ENCODINGS
    ]
    rows: list[Mapping[str, object]] = []
    kept = bytearray()
    for row in table.to_pylist():
        record = content[row["raw_offset"] : row["raw_offset"] + row["raw_bytes"]]
        if any(all(part and part in record for part in parts) for parts in needles):
            continue
        rows.append(row | {"raw_offset": len(kept)})
        kept += record if record.endswith(b"\n") else record + b"\n"
    if len(rows) == table.num_rows:
        return 0
    with lake_access(raw):
        # The records first: offsets of the old list into the new file show other records, never the removed ones.
        replace_file(raw, bytes(kept))
    replace_table(parquet, pa.Table.from_pylist(list(rows), table.schema))
    dropped: int = table.num_rows - len(rows)
    return dropped
