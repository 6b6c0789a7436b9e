"""A store of two hospitals, made by hand: few rows of which every number is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.center.store import CenterStore
from dure.center.summary.model import Recomputed, Summary, VocabularyUsed
from dure.snapshot.manifest import measure_tables
from dure.stages.tables import arrow_schema
from dure.vocab.store import VocabularyStore

DIABETES, TYPE_2, TYPE_1, GLUCOSE, LOCAL = 100, 101, 102, 200, 2_000_000_001
RECORDS = pa.schema(
    [
        ("table", pa.string()),
        ("concept_id", pa.int32()),
        ("year", pa.int32()),
        ("records", pa.int64()),
        ("persons", pa.int64()),
    ]
)
Rows = Sequence[Mapping[str, object]]


def vocabulary(folder: Path) -> VocabularyStore:
    """Diabetes with its two kinds, a measurement, and a code that is not standard."""
    folder.mkdir(parents=True)
    concepts = [
        (DIABETES, "Diabetes mellitus", "S"),
        (TYPE_2, "Type 2 diabetes mellitus", "S"),
        (TYPE_1, "Type 1 diabetes mellitus", "S"),
        (GLUCOSE, "Glucose <serum> 혈당", "S"),
        (300, "E11", None),
    ]
    ids, names, standard = zip(*concepts, strict=True)
    columns = {"concept_id": pa.array(ids, pa.int32()), "concept_name": names, "standard_concept": standard}
    pq.write_table(pa.table(columns), folder / "CONCEPT.parquet")
    pairs = [(DIABETES, TYPE_2, 1), (DIABETES, TYPE_1, 1), *((each, each, 0) for each in ids[:4])]
    above, below, levels = zip(*pairs, strict=True)
    names_of_columns = ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation")
    arrays = [pa.array(each, pa.int32()) for each in (above, below, levels)]
    pq.write_table(pa.table(arrays, names=list(names_of_columns)), folder / "CONCEPT_ANCESTOR.parquet")
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    said = {"format": 1, "release": "v5.0 29-FEB-24", "digest": "d" * 64, "counts": {}, "files": sizes}
    (folder / "store.json").write_text(json.dumps(said), encoding="utf-8")
    return VocabularyStore(folder, "v5.0 29-FEB-24", "d" * 64, {})


def put(
    root: Path,
    site: str,
    sequence: int = 1,
    *,
    name: str = "",
    consortium: str = "협력",
    persons: int = 0,
    counts: Iterable[tuple[str, int, int, int, int]] = (),
    tables: Mapping[str, Rows] | None = None,
    withdrawn: Sequence[int] = (),
) -> None:
    """One delivery that counts; `counts` are (table, concept, year, records, persons)."""
    store = CenterStore(root)
    delivery, summary = store.delivery(site, sequence), store.summary(site, sequence)
    delivery.mkdir(parents=True)
    summary.mkdir(parents=True)
    for table, rows in (tables or {}).items():
        (delivery / table).mkdir()
        pq.write_table(pa.Table.from_pylist(list(rows), arrow_schema(table)), delivery / table / "part-00000.parquet")
    manifest = {
        "site": site,
        "copy": {"digest": "c" * 64},
        "withdrawn": list(withdrawn),
        "tables": {name: content.model_dump(mode="json") for name, content in measure_tables(delivery).items()},
    }
    (delivery / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    said = Summary(
        site=site,
        consortium=consortium,
        name=name or f"{site} 병원",
        sequence=sequence,
        received=datetime(2026, 3, 2, tzinfo=UTC),
        as_of=date(2026, 1, 31),
        persons=persons,
        observed_from=None,
        observed_to=None,
        vocabulary=VocabularyUsed(release="v5.0 29-FEB-24", digest="d" * 64),
        tables={},
        gate="open",
        score=0.99,
        waived=[],
        profile="center",
        checks={},
        coverage=[],
        dure="0.1",
        engine="sail 0.7",
        shifted=True,
        recomputed=Recomputed(checks=0, differ=0, seed=1),
    )
    (summary / "summary.json").write_bytes(said.as_json())
    columns = [list(each) for each in zip(*counts, strict=True)] or [[] for _ in RECORDS]
    arrays = [pa.array(each, field.type) for each, field in zip(columns, RECORDS, strict=True)]
    pq.write_table(pa.table(arrays, schema=RECORDS), summary / "records.parquet")
    (root / "current").mkdir(exist_ok=True)
    (root / "current" / site).write_text(f"{sequence:06d}\n", "ascii")
    root.chmod(0o700)
