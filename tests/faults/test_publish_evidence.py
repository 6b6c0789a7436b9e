"""The evidence of a package: listed and hashed, in every form, the same again, refused where it shows an identifier."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_hospital import Hospital, bytes_below

from dure.engine import EngineOptions, engine
from dure.errors import ConfigurationError
from dure.publish import publish
from dure.publish.keygen import make_keys
from dure.publish.refused import PublicationRefused
from dure.publish.rerun import Rerun
from dure.publish.signing import decrypt
from dure.vocab import load_athena
from dure.vocab.coverage import CODE_RECORDS_FILE

pytestmark = pytest.mark.together
FILES = {"checks": "evidence/checks.parquet", "codes": "evidence/codes.parquet"}


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))
    with engine(EngineOptions(threads=2)) as running:
        hospital = Hospital(running, store, tmp_path_factory.mktemp("hospital"))
        hospital.build()
        hospital.open_gate()
        yield hospital


@pytest.fixture
def hospital(built: Hospital, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """The same hospital, with the run's code records as they were, and two checks that ended."""
    counts = {"b": ("failed", 3, 40), "a": ("passed", 0, 40)}
    monkeypatch.setattr(publish, "rerun", lambda *_: Rerun({"failed": 1, "passed": 1}, [], counts))
    before = records_file(built).read_bytes()
    yield built
    records_file(built).write_bytes(before)


def records_file(hospital: Hospital) -> Path:
    return hospital.own.reports(hospital.own.latest().name) / CODE_RECORDS_FILE


def with_description(hospital: Hospital, code: str, description: str) -> None:
    """The run's code records, where a code has this description."""
    table = pq.read_table(records_file(hospital))
    place = table.schema.get_field_index("description")
    values = [description if each == code else None for each in table["code"].to_pylist()]
    pq.write_table(
        table.set_column(place, table.schema.field(place), pa.array(values, pa.string())), records_file(hospital)
    )


def test_a_package_carries_its_evidence_in_every_form(hospital: Hospital, tmp_path: Path) -> None:
    first = Path(hospital.publish(str(tmp_path / "first")).place)
    again = Path(hospital.publish(str(tmp_path / "again")).place)
    assert bytes_below(first) == bytes_below(again)
    said = json.loads((first / "manifest.json").read_bytes())["evidence"]
    for name, path in FILES.items():
        content, rows = (first / path).read_bytes(), pq.read_metadata(first / path).num_rows
        listed = {key: said[name][key] for key in ("path", "rows", "bytes", "sha256")}
        assert listed == {
            "path": path,
            "rows": rows,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    make_keys(tmp_path / "center", "center")
    hospital.publish(str(tmp_path / "sealed.dure"), encrypt_to=tmp_path / "center" / "center.pub")
    decrypt(tmp_path / "sealed.dure", tmp_path / "opened.tar", tmp_path / "center" / "center.key")
    with tarfile.open(tmp_path / "opened.tar") as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "opened", filter="data")
    assert names[:2] == ["manifest.json", "manifest.json.sig"] and set(FILES.values()) < set(names[2:])
    assert bytes_below(tmp_path / "opened") == bytes_below(first)


def test_the_evidence_says_what_the_copy_shows_and_no_more(hospital: Hospital, tmp_path: Path) -> None:
    with_description(hospital, "R51", "두통")
    folder = Path(hospital.publish(str(tmp_path / "out")).place)
    names = ("role", "vocabulary_id", "code", "description", "target_concept_id", "status", "records")
    rows = pq.read_table(folder / FILES["codes"], columns=list(names)).to_pylist()
    # R51 was recorded for nine persons and A010 for one; of visits and currencies the copy holds no code; notes stay.
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("code", "KCD7", "I10", None, 320128, "mapped", 30),
        ("code", "KCD7", None, None, None, "mapped", 10),
        ("code", None, None, None, 9202, "mapped", 40),
        ("currency", "Currency", None, None, 44818598, "mapped", 40),
        ("gender", None, "남", None, 8507, "mapped", 20),
        ("gender", None, "여", None, 8532, "mapped", 20),
    ]
    assert pq.read_table(folder / FILES["checks"]).to_pydict() == {
        "check": ["a", "b"],
        "status": ["passed", "failed"],
        "violated": [0, 3],
        "denominator": [40, 40],
    }
    said = json.loads((folder / "manifest.json").read_bytes())
    assert said["evidence"]["codes"]["left_out"] == {"rows": 0, "records": 0}


def test_an_identifier_in_a_description_blocks_and_is_not_shown(hospital: Hospital, tmp_path: Path) -> None:
    with_description(hospital, "I10", "고혈압 문의 010-1234-5678")
    with pytest.raises(PublicationRefused) as refused:
        hospital.publish(str(tmp_path / "out"))
    assert [(problem.where, problem.found) for problem in refused.value.problems] == [
        ("evidence.codes.description", "1 rows show a phone number")
    ]
    assert "1234" not in str(refused.value) and not (tmp_path / "out").exists()


def test_the_number_rises_with_the_evidence(hospital: Hospital, tmp_path: Path) -> None:
    first = hospital.publish(str(tmp_path / "a")).sequence
    with_description(hospital, "I10", "고혈압")
    assert hospital.publish(str(tmp_path / "b")).sequence == first + 1


def test_without_the_runs_code_records_no_package_is_made_but_a_database_is(hospital: Hospital, tmp_path: Path) -> None:
    records_file(hospital).unlink()
    for dry in (False, True):
        with pytest.raises(ConfigurationError, match=r"code_records\.parquet: no such file\n.*run the site again"):
            hospital.publish(str(tmp_path / "out"), dry_run=dry)
    assert not (tmp_path / "out").exists()
    database = str(tmp_path / "바다.duckdb")
    assert "evidence: none, a database gets the tables alone" in hospital.publish(database, dry_run=True).lines
    assert not any(line.startswith("evidence") for line in hospital.publish(database).lines)
