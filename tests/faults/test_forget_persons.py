"""Forgetting: nothing of a person is left in the lake, it finishes after a stop, later runs and deliveries know of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_hospital import PAGES, PATIENTS, Hospital, patient, texts_below, without_rerun

from dure.accounting.reconciliation import Reconciliation
from dure.engine import EngineOptions, engine
from dure.errors import ConfigurationError
from dure.progress import SilentProgress
from dure.publish.forgetting import forget
from dure.publish.forgetting.forget import ForgetOptions, Forgotten, forget_site
from dure.publish.refused import PublicationRefused
from dure.snapshot.manifest import changed_files, read_manifest
from dure.vocab import load_athena

pytestmark = pytest.mark.together
GONE = 7


@pytest.fixture(scope="module")
def hospital(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Two snapshots, a delivery of the second, and an unread record that shows the person to be forgotten."""
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))
    with engine(EngineOptions(threads=2)) as running:
        hospital = Hospital(running, store, tmp_path_factory.mktemp("hospital"))
        hospital.build()
        hospital.build()
        _unread(hospital)
        hospital.open_gate()
        with pytest.MonkeyPatch.context() as patch:
            without_rerun(patch)
            hospital.publish(str(hospital.folder / "out"))
        yield hospital


def _unread(hospital: Hospital) -> None:
    folder = hospital.own.landing(hospital.own.latest().name) / "_rejects"
    folder.mkdir()
    records = [f"{patient(GONE)},깨진".encode("cp949") + b"\xff\n", f"{patient(1)},깨진".encode("cp949") + b"\xff\n"]
    (folder / "patients.raw").write_bytes(b"".join(records))
    rows = {"file": ["환자.csv"] * 2, "row": [50, 51], "reason": ["undecodable"] * 2}
    table = pa.table(rows | {"raw_offset": [0, len(records[0])], "raw_bytes": [len(record) for record in records]})
    pq.write_table(table, folder / "patients.parquet")


def forgetting(hospital: Hospital) -> Forgotten:
    keys = hospital.folder / "잊기.csv"
    keys.write_text(f"환자번호,date,reason\n{patient(GONE)},2025-03-01,본인 요청\n", "cp949")
    options = ForgetOptions("bada", keys, hospital.lake, (hospital.sites,))
    return forget_site(options, SilentProgress(), lambda _: nullcontext(hospital.running))


class _Killed(BaseException):
    pass


def test_a_person_is_forgotten_whatever_stops_it(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # stopped after the files of the first snapshot are rewritten, before its manifest is
    with monkeypatch.context() as patch:
        patch.setattr("dure.publish.forgetting.snapshots.measure_tables", _kill)
        with pytest.raises(_Killed):
            forgetting(hospital)
    first = hospital.own.snapshot(hospital.own.snapshots()[0])
    assert changed_files(first, read_manifest(first)), "half done, and seen to be"
    result = forgetting(hospital)
    assert result.warnings == [] and any("pseudonyms withdrawn" in line for line in result.lines)
    own = hospital.own
    for snapshot in own.snapshots():
        folder = own.snapshot(snapshot)
        assert changed_files(folder, read_manifest(folder)) == ()
        assert {table: read_manifest(folder).tables[table].rows for table in ("person", "cost", "note", "death")} == {
            "person": PATIENTS - 1, "cost": PATIENTS - 1, "note": PATIENTS - 1, "death": 2,
        }  # fmt: skip
        reconciled = json.loads((own.reports(snapshot) / "reconciliation.json").read_bytes())
        Reconciliation.model_validate(reconciled).balance()
        assert not any((own.reports(snapshot) / name).exists() for name in ("verdict.json", "results.json", *PAGES))
    raw = (own.landing(own.latest().name) / "_rejects" / "patients.raw").read_bytes()
    assert patient(1).encode("cp949") in raw and patient(GONE).encode("cp949") not in raw
    (own.folder / "forgotten.json").rename(tmp_path / "aside")  # the promise itself names the person
    seen = texts_below(hospital.lake)
    (tmp_path / "aside").rename(own.folder / "forgotten.json")
    assert [text for text in (patient(GONE), f"V{GONE:06d}", f"바다로 {GONE}길") if text in seen] == []
    assert patient(GONE + 1) in seen


def test_what_was_passed_must_pass_again(hospital: Hospital, tmp_path: Path) -> None:
    assert hospital.own.pointer("passed") is None
    with pytest.raises(PublicationRefused, match="was not checked"):
        hospital.publish(str(tmp_path / "out"))


def test_the_next_delivery_withdraws_and_later_runs_leave_out(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_rerun(monkeypatch)
    snapshot = hospital.build()
    assert read_manifest(snapshot).tables["person"].rows == PATIENTS - 1
    hospital.open_gate()
    before = set(pq.read_table(hospital.folder / "out/bada-000001/person")["person_id"].to_pylist())
    published = hospital.publish(str(tmp_path / "out"))
    folder = Path(published.place)
    withdrawn = json.loads((folder / "manifest.json").read_bytes())["withdrawn"]
    now = set(pq.read_table(folder / "person")["person_id"].to_pylist())
    assert published.sequence == 2 and before - now == set(withdrawn) and len(withdrawn) == 1


def test_forgetting_again_changes_nothing(hospital: Hospital) -> None:
    result = forgetting(hospital)
    assert result.lines == [
        "pseudonyms withdrawn: 0; the next delivery says so",
        "no snapshot and no landing of this lake held them; later runs leave them out",
    ]


def test_a_list_that_names_nobody_is_refused(hospital: Hospital) -> None:
    keys = hospital.folder / "빈.csv"
    keys.write_text("환자번호,date,reason\n", "utf-8")
    options = ForgetOptions("bada", keys, hospital.lake, (hospital.sites,))
    with pytest.raises(ConfigurationError, match="names nobody"):
        forget_site(options, SilentProgress(), lambda _: nullcontext(hospital.running))


def _kill(*_: object) -> None:
    raise _Killed


def test_the_promise_comes_before_the_work(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(forget, "remember_forgotten", lambda *_: said.append("remembered"))
    monkeypatch.setattr(forget, "_removed", lambda *_: said.append("removed"))
    forgetting(hospital)
    assert said == ["remembered", "removed"]
