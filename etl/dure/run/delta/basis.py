"""What a run leaves for the next night: on what its outcome rested, and counts that can be added to and taken from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.engine import EngineOptions
from dure.run.fingerprint import code_digest, salts_digest
from dure.site.loaded import Site
from dure.snapshot.lake import SiteLake
from dure.stages import resolve, terminology
from dure.stages.terminology import CountedCodes
from dure.vocab import VocabularyStore
from dure.vocab.resolution import REQUEST

# In the landing of a snapshot; no source has such a name.
FOLDER = "_basis"
_FORMAT = 1
_RECORDS, _UNITS, _NOTE = "code_records.parquet", "units.parquet", "basis.json"
# A stretch of days of one request, by which a row of one resolved map is found in another.
_STRETCH = {**{f"asked_{name}": name for name in REQUEST}, "valid_start": "valid_start"}
KEYED = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("rule", "role")),
        pa.field("asked", pa.bool_()),
        *(pa.field(name, pa.date32() if name == "valid_start" else pa.string()) for name in _STRETCH),
        pa.field("code", pa.string()),
        pa.field("concept_id", pa.int32()),
        pa.field("year", pa.int32()),
        pa.field("unit", pa.string()),
        pa.field("records", pa.int64()),
    ]
)


class Mismatch(Exception):
    """What was taken away was not there: what was copied is not what a whole run would have made. For people."""


@dataclass(frozen=True)
class Ground:
    """On what the outcome of a run rests, beside the rows of its extract: digests. `maps` are those of vocabularies."""

    format: int
    code: str
    engine: str
    vocabulary: str
    salts: str
    spec: str
    as_of: str
    maps: Mapping[str, str]

    def differs(self, other: Ground) -> str:
        """What is not the same and concerns everybody, in words; empty where nothing is."""
        named = {
            "format": "the version of Dure",
            "code": "the version of Dure",
            "engine": "the engine",
            "vocabulary": "the vocabulary",
            "salts": "the salts of ids",
            "spec": "the site's files (other than maps of codes)",
        }
        found = [words for name, words in named.items() if getattr(self, name) != getattr(other, name)]
        return ", ".join(dict.fromkeys(found))


def ground_of(site: Site, as_of: date, store: VocabularyStore, engine: EngineOptions, lake: SiteLake) -> Ground:
    maps = _map_labels(site)
    rest = [(label, digest) for label, digest in site.file_digests.items() if label not in maps]
    package = "pysail" if engine.name == "sail" else "pyspark"
    return Ground(
        format=_FORMAT,
        code=f"{version('dure')} {code_digest()}",
        engine=f"{engine.name} {version(package)}",
        vocabulary=store.digest,
        salts=salts_digest(lake),
        spec=_digest([*map(repr, sorted(rest)), *_fixed_maps(site)]),
        as_of=as_of.isoformat(),
        maps={label: site.file_digests[label] for label in sorted(maps)},
    )


def _fixed_maps(site: Site) -> Iterator[str]:
    """What the short maps of a site say, wherever they stand: the file of one may be that of a vocabulary, too."""
    for name, fixed in sorted(site.maps.items()):
        for key, to in sorted(fixed.values.items()):
            yield repr((name, fixed.arity, key, to.concept_id, to.vocabulary_id, to.concept_code, to.text))


def _map_labels(site: Site) -> set[str]:
    """The files of a site, as it calls them, that map codes of vocabularies."""
    paths = {path for vocabulary in site.vocabularies.values() for path in vocabulary.maps}
    folders = {"site": site.folder, "consortium": site.consortium_folder}
    found = set()
    for label in site.file_digests:
        owner, _, name = label.partition("/")
        folder = folders.get(owner)
        if folder is not None and (folder / name).resolve() in paths:
            found.add(label)
    return found


def _digest(texts: Iterable[str]) -> str:
    content = hashlib.sha256()
    for text in texts:
        content.update(f"{len(text)} {text}\n".encode())
    return content.hexdigest()


@dataclass(frozen=True)
class Basis:
    """The ground of a snapshot, the codes its rows asked for (`asked`), its resolved map, and the records of each code."""

    ground: Ground
    asked: pa.Table
    resolved: pa.Table
    records: pa.Table
    units: pa.Table


def write_basis(landing: Path, ground: Ground, work: Path, records: pa.Table, units: pa.Table) -> None:
    """Leaves in a landing what the next night starts from; `work` has the codes asked for and the resolved map."""
    folder = landing / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in (resolve.ASKED_FILE, resolve.RESOLVED):
        pq.write_table(pq.read_table(work / name), folder / name, compression="zstd")
    pq.write_table(records, folder / _RECORDS, compression="zstd")
    pq.write_table(units, folder / _UNITS, compression="zstd")
    (folder / _NOTE).write_text(json.dumps(asdict(ground), ensure_ascii=False, indent=1) + "\n", "utf-8")


def read_basis(landing: Path) -> Basis | None:
    """What the run that made this landing left; None where it left nothing that this version understands."""
    folder = landing / FOLDER
    try:
        note = json.loads((folder / _NOTE).read_text("utf-8"))
        if set(note) != {f.name for f in fields(Ground)}:
            return None
        return Basis(
            Ground(**note),
            pq.read_table(folder / resolve.ASKED_FILE).cast(resolve.ASKED),
            pq.read_table(folder / resolve.RESOLVED),
            pq.read_table(folder / _RECORDS).cast(KEYED),
            pq.read_table(folder / _UNITS).cast(KEYED),
        )
    except (OSError, ValueError, pa.ArrowException):
        return None


# ---------------------------------------------------------------- counts by request


def keyed(counted: pa.Table, resolved: pa.Table) -> pa.Table:
    """Counts of `terminology.counted_codes` with the request in place of the row of this resolved map."""
    at = counted["resolved_row"]
    columns = {name: resolved[there].take(at) for name, there in _STRETCH.items()}
    columns |= {name: counted[name] for name in counted.schema.names if name != "resolved_row"}
    columns["asked"] = pc.is_valid(at)
    rows = counted.num_rows
    return pa.table(
        [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in KEYED], schema=KEYED
    )


def unkeyed(counted: pa.Table, resolved: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same with the row of another resolved map; Mismatch where that has no such request."""
    first = {
        tuple(row[name] for name in _STRETCH.values()): row["resolved_row"]
        for row in resolved.select([*_STRETCH.values(), "rank", "resolved_row"]).to_pylist()
        if row["rank"] == 0
    }
    stretches = zip(*(counted[name].to_pylist() for name in _STRETCH), strict=True)
    rows = [
        first.get(stretch, -1) if asked else None
        for asked, stretch in zip(counted["asked"].to_pylist(), stretches, strict=True)
    ]
    if -1 in rows:
        raise Mismatch("records of codes that nobody asks for any more")
    found = counted.append_column("resolved_row", pa.array(rows, pa.int32()))
    return found.select(schema.names).cast(schema)


def counted(codes: CountedCodes, resolved: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Records and units by request."""
    return keyed(codes.records, resolved), keyed(codes.units, resolved)


def told(records: pa.Table, units: pa.Table, resolved: pa.Table) -> CountedCodes:
    """Records and units by request as counts of another resolved map."""
    return CountedCodes(unkeyed(records, resolved, terminology.RECORDS), unkeyed(units, resolved, terminology.UNITS))


def changed(before: pa.Table, taken: Sequence[pa.Table], given: Sequence[pa.Table], count: str = "records") -> pa.Table:
    """Counts of a table without those of some and with those of others, by all other columns; none that is 0.

    Raises Mismatch where more is taken than was there.
    """
    left = _added([(1, before), *((-1, table) for table in taken)], count)
    if left.num_rows and pc.min(left[count]).as_py() < 0:
        raise Mismatch("fewer codes than were taken away")
    made = _added([(1, left), *((1, table) for table in given)], count)
    return made.filter(pc.greater(made[count], 0))


def _added(signed: Iterable[tuple[int, pa.Table]], count: str) -> pa.Table:
    whole = pa.concat_tables(
        table.set_column(table.schema.get_field_index(count), count, pc.multiply(table[count], sign))
        for sign, table in signed
    )
    names = [name for name in whole.schema.names if name != count]
    added = whole.group_by(names).aggregate([(count, "sum")]).rename_columns([*names, count])
    return added.select(whole.schema.names).cast(whole.schema)
