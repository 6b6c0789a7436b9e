from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from dure.snapshot.durable import LakeError
from dure.snapshot.manifest import (
    EngineUsed,
    Manifest,
    TableContent,
    TableFile,
    VocabularyUsed,
    measure_tables,
    read_manifest,
    snapshot_digest,
)


def table(rows: int, **files: str) -> TableContent:
    return TableContent(
        rows=rows, files=tuple(TableFile(path=f"t/{name}.parquet", bytes=8, sha256=sha) for name, sha in files.items())
    )


TABLES = {"person": table(3, a="1" * 64, b="2" * 64), "death": table(0, a="3" * 64)}


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "site": "바다병원",
        "snapshot": "20260315T010000Z",
        "created": datetime(2026, 3, 15, 1, tzinfo=UTC),
        "as_of": date(2026, 3, 14),
        "dure_version": "0.1.0",
        "cdm_version": "5.4",
        "engine": EngineUsed(name="sail", version="0.7.2"),
        "vocabulary": VocabularyUsed(release="v5.0 29-FEB-24", digest="c" * 64, folder="v5.0"),
        "spec_digest": "a" * 64,
        "map_digests": {"maps/검사.csv": "b" * 64},
        "inputs": {},
        "tables": TABLES,
        "digest": snapshot_digest(TABLES),
        "reconciliation": {"환자": {"written": 3}},
    }
    return Manifest(**(fields | changes))


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest().as_json())
    assert read_manifest(tmp_path) == manifest()
    plain = json.loads((tmp_path / "manifest.json").read_bytes())
    assert plain["created"] == "2026-03-15T01:00:00Z"
    assert plain["as_of"] == "2026-03-14"
    assert plain["tables"]["person"]["files"][0] == {"path": "t/a.parquet", "bytes": 8, "sha256": "1" * 64}
    assert "바다병원" in (tmp_path / "manifest.json").read_text("utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "f" * 64},
        {"digest": "short"},
        {"created": datetime(2026, 3, 15, 1)},  # noqa: DTZ001
        {"created": datetime(2026, 3, 15, 1, tzinfo=timezone(timedelta(hours=9)))},
        {"as_of": "2026-03-14"},
        {"surprise": 1},
        {"reconciliation": {"환자": {"written": -1}}},
        {"site": 5},
    ],
)
def test_what_is_not_exactly_a_manifest_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        manifest(**changes)
    assert raised.value.error_count() == 1


def test_a_manifest_somebody_edited_is_said_without_its_values(tmp_path: Path) -> None:
    content = json.loads(manifest().as_json())
    content["tables"]["person"]["rows"] = "셋"
    (tmp_path / "manifest.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(LakeError) as raised:
        read_manifest(tmp_path)
    problem = raised.value.problems[0]
    assert problem.where == str(tmp_path / "manifest.json")
    assert "tables.person.rows" in problem.found
    assert "셋" not in str(raised.value)


def test_a_count_changed_by_hand_no_longer_fits_the_digest(tmp_path: Path) -> None:
    content = json.loads(manifest().as_json())
    content["tables"]["person"]["rows"] = 4
    (tmp_path / "manifest.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(LakeError, match="digest is not that of the tables listed"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"manifest\.json: No such file or directory"):
        read_manifest(tmp_path)


def test_the_digest_is_of_content_and_not_of_file_names() -> None:
    again = {"death": table(0, z="3" * 64), "person": table(3, x="2" * 64, y="1" * 64)}
    assert snapshot_digest(again) == snapshot_digest(TABLES)
    moved = {"person": table(3, a="1" * 64, b="3" * 64), "death": table(0, a="2" * 64)}
    assert snapshot_digest(moved) != snapshot_digest(TABLES)
    assert snapshot_digest({**TABLES, "person": table(4, a="1" * 64, b="2" * 64)}) != snapshot_digest(TABLES)


def test_tables_are_measured_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "person").mkdir()
    for name, rows in (("part-0", 2), ("part-1", 3)):
        pq.write_table(
            pa.table({"person_id": pa.array(range(rows), pa.int64())}), tmp_path / "person" / f"{name}.parquet"
        )
    (tmp_path / "person" / "_SUCCESS").touch()
    (tmp_path / "notes.txt").touch()
    files = [(tmp_path / "person" / f"part-{number}.parquet").read_bytes() for number in (0, 1)]
    assert measure_tables(tmp_path) == {
        "person": TableContent(
            rows=5,
            files=tuple(
                TableFile(
                    path=f"person/part-{number}.parquet", bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
                )
                for number, content in enumerate(files)
            ),
        )
    }
