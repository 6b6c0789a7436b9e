"""Three hospitals that share some codes, made by hand so that every figure of their report can be counted."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.center.report.command import ReportOptions, make_report
from dure.progress import SilentProgress

TODAY = date(2024, 5, 1)
# The root, its child, that one's child, another child of the root, and one that is related to none.
ROOT, CHILD, GRANDCHILD, SIBLING, STRANGER = 10, 11, 12, 13, 20
NAMES = {ROOT: "Anemia", CHILD: "Deficiency anemia", GRANDCHILD: "Iron deficiency anemia", SIBLING: "Hemolytic anemia"}
_ABOVE = [(ROOT, CHILD, 1), (ROOT, GRANDCHILD, 2), (CHILD, GRANDCHILD, 1), (ROOT, SIBLING, 1)]


def _made() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "center_store.py"
    found = importlib.util.spec_from_file_location("center_store", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules["center_store"] = module
    found.loader.exec_module(module)
    return module


made = _made()


def code(code: str | None, targets: int | str, records: int, **more: Any) -> dict[str, Any]:
    """One row of a hospital's codes; 0 stands for no target."""
    return {"vocabulary_id": "LAB", "code": code, "targets": str(targets or ""), "records": records} | more


def hospital(store: Path, site: str, codes: Sequence[Mapping[str, Any]] = (), **more: Any) -> None:
    """One delivery; `more` is `records`, `values` (rows), and what the summary says otherwise."""
    tables = {name: rows_table(name, more.pop(name)) for name in ("records", "values") if name in more}
    made.write_delivery(store, site, more, codes=made.codes_table(codes) if codes else None, **tables)


def rows_table(name: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    schema = {"records": made.RECORDS, "values": made.VALUES}[name]
    named = [name for name in schema.names if name != "mean"]
    return pa.Table.from_pylist([dict(zip(named, row, strict=True)) for row in rows], schema)


def three_hospitals(store: Path) -> None:
    """haneul and bada of one consortium, gangsan of another."""
    kcd = {"vocabulary_id": "KCD7", "description": "철결핍빈혈"}
    hospital(
        store,
        "haneul",
        [
            code("D50.9", CHILD, 100, **kcd),
            code("X1", ROOT, 40, description="Serum  FERRITIN", common_targets="12"),
            code("X2", CHILD, 20),
            code("X4", 0, 10),
        ],
        consortium="동부",
        name="하늘병원",
    )
    hospital(
        store,
        "bada",
        [
            code("D509", CHILD, 50, **kcd, authority="consortium", common_targets="11"),
            code("X1", GRANDCHILD, 60),
            code("X3", CHILD, 10),
            code("X4", CHILD, 15),
        ],
        consortium="동부",
    )
    hospital(
        store,
        "gangsan",
        [
            code("D50.9", GRANDCHILD, 30, **kcd),
            code("X2", SIBLING, 20),
            code("X3", STRANGER, 90),
            code("Y9", CHILD, 25, description="serum ferritin"),
        ],
        consortium="서부",
    )


def vocabulary(folder: Path) -> Path:
    """A store with the five concepts."""
    folder.mkdir(parents=True)
    ids = [ROOT, CHILD, GRANDCHILD, SIBLING, STRANGER]
    names = [NAMES.get(each, "Fracture <b>") for each in ids]
    pq.write_table(
        pa.table({"concept_id": pa.array(ids, pa.int32()), "concept_name": names}), folder / "CONCEPT.parquet"
    )
    pairs = _ABOVE + [(each, each, 0) for each in ids]
    columns = ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation")
    arrays = [pa.array(each, pa.int32()) for each in zip(*pairs, strict=True)]
    pq.write_table(pa.table(arrays, names=list(columns)), folder / "CONCEPT_ANCESTOR.parquet")
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    said = {"format": 1, "release": "v5.0 29-FEB-24", "digest": "d" * 64, "counts": {}, "files": sizes}
    (folder / "store.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def report(store: Path, out: Path, vocab: Path | None = None, threshold: int = 10) -> dict[str, Any]:
    """`report.json` of a store."""
    store.mkdir(exist_ok=True)
    options = ReportOptions(
        store=store, registry=None, vocab=vocab, out=out, threshold=threshold, language="en", today=TODAY
    )
    make_report(options, SilentProgress())
    told: dict[str, Any] = json.loads((out / "report.json").read_bytes())
    return told
