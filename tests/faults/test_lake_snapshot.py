"""How a run becomes the latest snapshot, and how it does not."""

from __future__ import annotations

import os
import stat
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filled_lake import FIRST, SECOND, SITE, build, fill, lake_with_first, manifest_of, parquet_of

from dure.errors import ConfigurationError, ExitCode, IntegrityError
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake
from dure.snapshot.manifest import changed_files, read_manifest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true here is true without it; the tests of a full disk and of the lock do wait."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_committed_run_is_where_the_design_says(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path / "lake")
    lake = tmp_path / "lake"

    assert site.pointer("latest") == lake / "cdm" / SITE / FIRST
    assert site.pointer("passed") is None
    assert site.current() == site.latest() == lake / "cdm" / SITE / FIRST
    assert names(lake / "reports" / SITE / FIRST) == ["reconciliation.csv"]
    assert names(lake / "landing" / SITE / FIRST) == ["patient"]
    assert names(lake / "work" / SITE) == []
    assert names(lake / "sites" / SITE) == ["latest", "lock"]
    assert (lake / "sites" / SITE / "latest").read_text() == f"{FIRST}\n"
    manifest = read_manifest(site.latest())
    assert manifest.tables["person"].rows == 2
    assert manifest.tables["death"].rows == 0
    assert changed_files(site.latest(), manifest) == ()


def test_everything_in_the_lake_is_for_its_owner_alone(tmp_path: Path) -> None:
    lake_with_first(tmp_path / "lake")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lake").rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lake").rglob("*") if path.is_dir()}
    assert modes == {0o600}
    assert folders == {0o700}


def test_the_umask_of_the_process_comes_back(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        site = lake_with_first(tmp_path / "lake")
        (tmp_path / "after").touch()
        with site.lock():
            (tmp_path / "inside").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "after").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "inside").stat().st_mode) == 0o600


def test_the_second_snapshot_takes_over_and_the_first_stays(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        assert build(site, SECOND, persons=3) == tmp_path / "cdm" / SITE / SECOND
    assert site.latest().name == SECOND
    assert site.snapshots() == (FIRST, SECOND)
    assert read_manifest(site.snapshot(FIRST)).digest != read_manifest(site.latest()).digest


def test_passed_goes_before_latest(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        site.set_pointer("passed", FIRST)
        build(site, SECOND)
    assert site.current().name == FIRST
    assert site.latest().name == SECOND


def test_a_pointer_to_nothing_is_refused_and_a_broken_one_is_said(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock(), pytest.raises(LakeError, match="no snapshot there"):
        site.set_pointer("passed", SECOND)
    assert site.pointer("passed") is None

    (tmp_path / "sites" / SITE / "latest").write_text(f"{SECOND}\n")
    with pytest.raises(LakeError, match=f"names the snapshot {SECOND}, which is not there"):
        site.latest()


def test_writing_needs_the_lock(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    for write in (
        lambda: site.begin(SECOND),
        lambda: site.set_pointer("passed", FIRST),
        lambda: site.remember_salts({}),
    ):
        with pytest.raises(RuntimeError, match="without its lock"):
            write()
    assert site.snapshots() == (FIRST,)


def test_a_snapshot_without_a_table_of_the_cdm_is_not_committed(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        (staging.cdm / "death" / "part-0.parquet").unlink()
        (staging.cdm / "death").rmdir()
        (staging.cdm / "note" / "part-0.parquet").unlink()
        (staging.cdm / "note").rmdir()
        with pytest.raises(IntegrityError) as raised:
            site.commit(staging, manifest_of(staging))
    assert [problem.where for problem in raised.value.problems] == ["death", "note"]
    assert site.latest().name == FIRST
    assert site.snapshots() == (FIRST,)


def test_an_empty_table_folder_and_a_torn_file_are_found_when_measured(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        (staging.cdm / "person" / "part-0.parquet").write_bytes(parquet_of(1)[:-4])
        with pytest.raises(IntegrityError, match="person: a file of this table is not whole Parquet"):
            manifest_of(staging)
        (staging.cdm / "person" / "part-0.parquet").unlink()
        with pytest.raises(IntegrityError, match="person: no Parquet file was written"):
            manifest_of(staging)


def test_the_manifest_must_list_the_files_that_are_there(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        manifest = manifest_of(staging)
        (staging.cdm / "person" / "part-1.parquet").write_bytes(parquet_of(9))
        (staging.cdm / "death" / "part-0.parquet").unlink()
        (staging.cdm / "note" / "part-0.parquet").write_bytes(parquet_of(1, 2, 3, 4))
        with pytest.raises(IntegrityError) as raised:
            site.commit(staging, manifest)
    assert {problem.where: problem.found for problem in raised.value.problems} == {
        "death/part-0.parquet": "listed in the manifest but not there",
        "note/part-0.parquet": "has changed since it was measured",
        "person/part-1.parquet": "there but not listed in the manifest",
    }
    assert site.latest().name == FIRST


def test_the_manifest_must_be_of_this_site_and_snapshot(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        with pytest.raises(IntegrityError, match=f"is of 강산 {SECOND}, not of {SITE} {SECOND}"):
            site.commit(staging, manifest_of(staging, "강산"))


def test_marks_that_an_engine_leaves_do_not_get_into_a_snapshot(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        (staging.cdm / "person" / "_SUCCESS").touch()
        (staging.cdm / "person" / ".part-0.parquet.crc").touch()
        (staging.cdm / "person" / "_temporary").mkdir()
        (staging.cdm / "person" / "_temporary" / "0").touch()
        folder = site.commit(staging, manifest_of(staging))
    assert names(folder / "person") == ["part-0.parquet"]


def test_what_dead_runs_left_goes_and_is_named(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        fill(site.begin(SECOND))
    # A second dead run, older, of which the note of its id is lost.
    (tmp_path / "cdm" / SITE / ".staging-20260313T010000Z" / "person").mkdir(parents=True)
    with site.lock():
        staging = site.begin("20260316T010000Z")
        assert staging.leftovers == ("20260313T010000Z", SECOND)
        for area in ("cdm", "landing", "reports", "work"):
            there = [name for name in names(tmp_path / area / SITE) if name != FIRST]
            assert there == [".staging-20260316T010000Z"]
        site.abandon(staging)
    assert names(tmp_path / "cdm" / SITE) == [FIRST]
    assert names(tmp_path / "work" / SITE) == []
    assert site.latest().name == FIRST


def test_a_run_under_way_does_not_disturb_readers(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        fill(site.begin(SECOND))
        reader = Lake(tmp_path).site(SITE)
        assert reader.latest().name == FIRST
        assert reader.snapshots() == (FIRST,)


def test_ids_follow_the_clock_and_are_never_given_twice(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    moment = datetime(2026, 3, 14, 1, tzinfo=UTC)
    assert site.new_id(moment) == f"{FIRST}-2"
    assert site.new_id(moment.replace(minute=5)) == "20260314T010500Z"
    with site.lock(), pytest.raises(LakeError, match="this snapshot exists"):
        site.begin(FIRST)
    assert site.latest().name == FIRST


def test_one_site_is_one_folder_however_its_name_is_typed(tmp_path: Path) -> None:
    lake_with_first(tmp_path)
    typed = unicodedata.normalize("NFD", SITE)
    assert typed != SITE
    assert Lake(tmp_path).site(typed).latest().name == FIRST
    assert Lake(tmp_path).sites() == (SITE,)


@pytest.mark.parametrize("name", ["", ".", "..", ".숨김", "가/나", "../밖", "a\nb", "a\x00b", " 바다", "가" * 80])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Lake(tmp_path).site(name)
    assert raised.value.problems[0].where == "SITE"


@pytest.mark.parametrize("snapshot", ["", "..", "a/b", ".staging-x", "오늘", "a b"])
def test_a_snapshot_id_that_is_none_is_refused(tmp_path: Path, snapshot: str) -> None:
    site = lake_with_first(tmp_path)
    with site.lock(), pytest.raises(ConfigurationError, match="is no snapshot id"):
        site.begin(snapshot)


def test_nothing_built_says_what_to_do(tmp_path: Path) -> None:
    lake_with_first(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        Lake(tmp_path).site("바다병윈").current()
    assert "no snapshot of 바다병윈 was built in this lake yet" in str(raised.value)
    assert f"did you mean {SITE}?" in str(raised.value)
    assert raised.value.exit_code is ExitCode.CONFIGURATION
    with pytest.raises(ConfigurationError, match="no such folder"):
        Lake(tmp_path / "elsewhere").site(SITE).latest()
    assert not (tmp_path / "elsewhere").exists()


def test_changed_and_added_files_of_a_snapshot_are_found(tmp_path: Path) -> None:
    site = lake_with_first(tmp_path)
    folder = site.latest()
    manifest = read_manifest(folder)
    content = bytearray((folder / "person" / "part-0.parquet").read_bytes())
    content[8] ^= 1
    (folder / "person" / "part-0.parquet").write_bytes(content)
    (folder / "death" / "part-0.parquet").unlink()
    (folder / "note" / "part-1.parquet").write_bytes(parquet_of(5))
    assert changed_files(folder, manifest) == ("death/part-0.parquet", "note/part-1.parquet", "person/part-0.parquet")
