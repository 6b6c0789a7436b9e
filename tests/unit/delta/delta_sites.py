"""Small sites with landings of a few rows, for tests of what belongs together."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.landing.keys import key_text_of
from dure.run.delta.closure import Closure
from dure.run.delta.subset import headed
from dure.run.delta.ties import Ties, ties_of
from dure.site.load import load_site
from dure.site.loaded import Site
from dure.site.spec import LandedSource
from dure.stages.rules import rules_of

HEAD = """
spec_version: 1
site: {id: small, name: 작은 병원, holder: 두레, timezone: Asia/Seoul, extract_date: 2024-01-01}
defaults: {formats: [yyyyMMdd], type_concept_id: 32817}
maps:
  sex: {M: 8507}
  class: {I: 9201}
"""
PERSON = "  person:\n    - {from: patient, birth: 생년, gender: {column: 성별, map: sex}}\n"
VISIT = "  visit_occurrence:\n    - {from: visit, person: 환자, code: {column: 종류, map: class}, start: 시작}\n"
DIAGNOSIS = "  condition_occurrence:\n    - {from: %s, %s, code: {column: 상병, vocabulary: KCD7}, start: 날짜}\n"


def site_of(folder: Path, sources: str, tables: str, views: dict[str, str] | None = None) -> Site:
    """A site of these sources and entries, with views in `views/NAME.sql`."""
    own = folder / "small"
    (own / "views").mkdir(parents=True)
    (own / "site.yaml").write_text(f"{HEAD}sources:\n{sources}tables:\n{tables}", "utf-8")
    for name, sql in (views or {}).items():
        (own / f"views/{name}.sql").write_text(sql, "utf-8")
    return load_site("small", [folder])


def land(folder: Path, site: Site, rows: dict[str, list[dict[str, str | None]]]) -> Path:
    """A landing of these rows, two a row group."""
    for name, found in rows.items():
        source = site.spec.sources[name]
        assert isinstance(source, LandedSource)
        columns = list(found[0])
        keys = [key_text_of(row[column] for column in (source.key or columns)) for row in found]
        table = pa.table(
            {column: pa.array([row[column] for row in found], pa.string()) for column in columns}
            | {
                "_file": pa.array([f"{name}.csv"] * len(found)),
                "_row": pa.array(range(1, len(found) + 1), pa.int64()),
                "_key": pa.array(keys, pa.string()),
                "_row_hash": pa.array([hash(tuple(row.values())) for row in found], pa.int64()),
            }
        )
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-00000.parquet", row_group_size=2)
    return folder


def ties(site: Site, landing: Path) -> Ties:
    return ties_of(site, rules_of(site), headed(site, landing))


def chosen(closure: Closure, source: str) -> list[int]:
    """The numbers of the rows that were chosen of a source."""
    rows = closure.chosen[source]
    return sorted(n for table in closure.parts[source].take(rows, ["_row"]) for n in table["_row"].to_pylist())
