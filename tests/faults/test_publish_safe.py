"""Publications that must not take place, are cut off, or are made twice: the target is whole or as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_hospital import Hospital, bytes_below, without_rerun

from dure.engine import EngineOptions, engine
from dure.errors import ConfigurationError, DureError, ExitCode
from dure.publish import copied, package, publish
from dure.publish.deidentify import pseudonyms
from dure.publish.keygen import make_keys
from dure.publish.refused import PublicationRefused
from dure.publish.rerun import Difference, Rerun
from dure.publish.signing import decrypt, verified, verifying_key
from dure.snapshot.durable import LakeError
from dure.vocab import load_athena

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))
    with engine(EngineOptions(threads=2)) as running:
        hospital = Hospital(running, store, tmp_path_factory.mktemp("hospital"))
        hospital.build()
        hospital.open_gate()
        yield hospital


@pytest.fixture
def hospital(built: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    """The same hospital, in a folder of its own."""
    without_rerun(monkeypatch)
    shutil.copytree(built.folder, tmp_path / "hospital")
    copied = object.__new__(Hospital)
    copied.__dict__.update(built.__dict__)
    copied.folder = tmp_path / "hospital"
    for name in ("lake", "sites", "keys"):
        setattr(copied, name, copied.folder / name)
    return copied


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_package_is_whole_signed_and_the_same_again(hospital: Hospital, tmp_path: Path) -> None:
    first = hospital.publish(str(tmp_path / "first"))
    again = hospital.publish(str(tmp_path / "again"))
    assert (first.sequence, again.sequence) == (1, 1)
    folder = tmp_path / "first" / "bada-000001"
    assert bytes_below(folder) == bytes_below(tmp_path / "again" / "bada-000001")
    manifest, signature = (folder / "manifest.json").read_bytes(), (folder / "manifest.json.sig").read_bytes()
    key = verifying_key(hospital.keys / "signing.pub")
    assert verified(key, signature, manifest) and not verified(key, signature, manifest + b" ")
    said = json.loads(manifest)
    assert said["sequence"] == 1 and said["gated"]["digest"] != said["copy"]["digest"]
    assert said["tables"]["person"]["rows"] == 40 and said["withdrawn"] == []
    assert (hospital.own.folder / "published").read_text().strip() == said["gated"]["snapshot"]
    assert names(hospital.lake / "work" / "bada") == []


def test_an_encrypted_archive_opens_with_the_centers_key_alone(hospital: Hospital, tmp_path: Path) -> None:
    make_keys(tmp_path / "center", "center")
    make_keys(tmp_path / "other", "center")
    sealed = tmp_path / "out" / "바다.dure"
    hospital.publish(str(sealed), encrypt_to=tmp_path / "center" / "center.pub")
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n")
    hospital.publish(str(tmp_path / "plain.tar"))
    decrypt(sealed, tmp_path / "opened.tar", tmp_path / "center" / "center.key")
    assert (tmp_path / "opened.tar").read_bytes() == (tmp_path / "plain.tar").read_bytes()
    with pytest.raises(ConfigurationError, match="cannot be opened with this key"):
        decrypt(sealed, tmp_path / "no.tar", tmp_path / "other" / "center.key")


def test_a_closed_gate_says_every_reason(hospital: Hospital, tmp_path: Path) -> None:
    (hospital.own.folder / "passed").unlink()
    hospital.open_gate(
        "closed", [{"check": "field_isrequired_person_year_of_birth", "found": "1 of 40", "why": "fatal"}]
    )
    with pytest.raises(PublicationRefused) as refused:
        hospital.publish(str(tmp_path / "out"))
    assert refused.value.exit_code == ExitCode.GATE_CLOSED
    assert [problem.found for problem in refused.value.problems] == ["the gate is closed", "1 of 40 (fatal)"]
    assert not (tmp_path / "out").exists()


def test_a_snapshot_that_changed_since_it_passed_stays(hospital: Hospital, tmp_path: Path) -> None:
    file = next((hospital.own.latest() / "person").glob("*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.slice(1), file)
    with pytest.raises(PublicationRefused, match="is not what passed the gate"):
        hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_snapshot_that_changes_meanwhile_stays(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_copy = publish.write_copy

    def changed(*arguments: object) -> object:
        copied = write_copy(*arguments)  # type: ignore[arg-type]
        (hospital.own.latest() / "death" / "more.parquet").write_bytes(b"PAR1")
        return copied

    monkeypatch.setattr(publish, "write_copy", changed)
    with pytest.raises(PublicationRefused, match=r"death/more\.parquet: is not what passed the gate"):
        hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["pseudonym.key", "signing.key"])
def test_a_key_that_others_can_read_is_refused(hospital: Hospital, tmp_path: Path, name: str) -> None:
    (hospital.keys / name).chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"is open to others \(mode 0640\)"):
        hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists() and not (hospital.own.folder / "publish").exists()


def test_a_key_of_another_kind_is_refused_without_showing_it(hospital: Hospital, tmp_path: Path) -> None:
    (hospital.keys / "pseudonym.key").write_text("비밀번호1234\n")
    with pytest.raises(ConfigurationError, match="holds no key of pseudonyms") as raised:
        hospital.publish(str(tmp_path / "out"))
    assert "1234" not in str(raised.value)


@pytest.mark.parametrize("archive", [False, True])
def test_a_full_disk_leaves_nothing_half(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(package, "_tar" if archive else "sync_tree", full)
    out = tmp_path / "out"
    with pytest.raises(LakeError, match="nothing was published"):
        hospital.publish(str(out / "bada.tar" if archive else out))
    assert names(out) == [] and not (hospital.own.folder / "published").exists()


def test_a_disk_that_is_full_while_the_copy_is_written(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(copied, "write_parquet", full)
        with pytest.raises(LakeError, match="make room on that disk"):
            hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists() and names(hospital.lake / "work" / "bada") == []
    assert hospital.publish(str(tmp_path / "out")).sequence == 1


def test_pseudonyms_that_meet_are_parted_for_good(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudonyms, "ENTITY_ID_BITS", 8)
    first = pq.read_table(Path(hospital.publish(str(tmp_path / "one")).place) / "person")["person_id"].to_pylist()
    assert len(set(first)) == 40 and max(first) < 1 << 8
    salts = json.loads(next((hospital.own.folder / "publish").rglob("salts.json")).read_bytes())
    assert salts and set(salts.values()) <= set(range(1, pseudonyms.ROUNDS))
    again = pq.read_table(Path(hospital.publish(str(tmp_path / "two")).place) / "person")["person_id"].to_pylist()
    assert again == first


def test_of_two_that_meet_the_newcomer_moves(tmp_path: Path) -> None:
    pq.write_table(pa.table({"person_id": [5, 9, 7], "pseudonym": [3, 3, 4]}), tmp_path / "part.parquet")
    assert pseudonyms._shared(tmp_path, np.array([9])) == [5]
    assert pseudonyms._shared(tmp_path, np.array([], np.int64)) == [9]


def test_parts_of_any_size_hold_the_same_rows_in_one_order(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(hospital.publish(str(tmp_path / "whole")).place)
    monkeypatch.setattr(publish, "write_copy", partial(copied.write_copy, part_rows=3))
    parts = Path(hospital.publish(str(tmp_path / "parts")).place)
    assert len(list((parts / "cost").glob("*.parquet"))) > 8
    for table in ("person", "visit_occurrence", "condition_occurrence", "cost", "location"):
        read = [pa.concat_tables(map(pq.read_table, sorted((of / table).glob("*.parquet")))) for of in (whole, parts)]
        assert read[0].equals(read[1]), table


class _Killed(BaseException):
    """Ends a publication as a kill does: nothing that runs on errors is meant to help."""


@pytest.mark.parametrize("point", ["rerun", "give_sequence", "package_of", "write_folder"])
def test_a_killed_publication_is_made_whole_by_the_next(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    real = getattr(publish, point)

    def killed(*arguments: object, **keywords: object) -> object:
        if point in ("give_sequence",):
            real(*arguments, **keywords)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(publish, point, killed)
        with pytest.raises(_Killed):
            hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    # what a real kill leaves besides: half a folder, and the work folder
    (tmp_path / "out" / ".bada-000001.partial" / "person").mkdir(parents=True)
    (hospital.lake / "work" / "bada" / "publish" / "crosswalk").mkdir(parents=True)
    assert hospital.publish(str(tmp_path / "out")).sequence == 1
    assert names(tmp_path / "out") == ["bada-000001"]


def test_the_number_rises_with_the_content_only(hospital: Hospital, tmp_path: Path) -> None:
    numbers = [
        hospital.publish(str(tmp_path / "a")).sequence,
        hospital.publish(str(tmp_path / "b"), profile="unshifted").sequence,
        hospital.publish(str(tmp_path / "c")).sequence,
        hospital.publish(str(tmp_path / "d")).sequence,
    ]
    assert numbers == [1, 2, 3, 3]


def test_an_unexplained_difference_of_the_checks_blocks(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    difference = Difference("field_isforeignkey_person_location_id", ("passed", 0, 40), ("failed", 3, 40), "")
    monkeypatch.setattr(publish, "rerun", lambda *_: Rerun({"failed": 1}, [difference]))
    with pytest.raises(PublicationRefused, match=r"ended as failed \(3 of 40\) on the copy, passed \(0 of 40\) before"):
        hospital.publish(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_identifier_in_an_allowed_text_blocks_and_is_not_shown(hospital: Hospital, tmp_path: Path) -> None:
    snapshot = hospital.own.latest()
    file = next((snapshot / "condition_occurrence").glob("*.parquet"))
    table = pq.read_table(file)
    place = table.schema.get_field_index("condition_status_source_value")
    values = table.set_column(place, table.schema.field(place), [["900101-1234567"] * 12 + [None] * (len(table) - 12)])
    pq.write_table(values, file)
    _measure_anew(hospital)
    with pytest.raises(PublicationRefused) as refused:
        hospital.publish(str(tmp_path / "out"))
    assert [(p.where, p.found) for p in refused.value.problems] == [
        ("condition_occurrence.condition_status_source_value", "12 rows show a resident number")
    ]
    assert "900101" not in str(refused.value) and not (tmp_path / "out").exists()


def _measure_anew(hospital: Hospital) -> None:
    """The manifest and the verdict of the files as they are now."""
    from dure.snapshot.manifest import measure_tables, read_manifest, snapshot_digest

    snapshot = hospital.own.latest()
    tables = measure_tables(snapshot)
    new = read_manifest(snapshot).model_copy(update={"tables": tables, "digest": snapshot_digest(tables)})
    (snapshot / "manifest.json").write_bytes(new.as_json())
    hospital.open_gate()


def test_a_dry_run_says_what_would_leave_and_writes_nothing(hospital: Hospital, tmp_path: Path) -> None:
    before = bytes_below(hospital.lake)
    lines = hospital.publish(str(tmp_path / "out"), dry_run=True, key=None, sign_key=None).lines
    assert "note: none of 40 rows (the profile drops notes)" in lines
    assert any(line.startswith("codes of fewer than 10 persons:") for line in lines)
    assert not (tmp_path / "out").exists() and bytes_below(hospital.lake) == before


def test_a_package_without_a_signature_is_not_made(hospital: Hospital, tmp_path: Path) -> None:
    with pytest.raises(DureError, match="--sign-key: not given"):
        hospital.publish(str(tmp_path / "out"), sign_key=None)
