"""A disk that is full, read-only or limited ends in a clear error, and readers keep the snapshot they had."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filled_lake import FIRST, SECOND, SITE, build, fill, lake_with_first, manifest_of

from dure.errors import ExitCode
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import changed_files, read_manifest


def refuse_call(monkeypatch: pytest.MonkeyPatch, name: str, number: int, code: int) -> None:
    """The `number`th call of `os.<name>` from now on fails; the others work."""
    call: Callable[..., object] = getattr(os, name)
    count = 0

    def refused(*arguments: object, **keywords: object) -> object:
        nonlocal count
        count += 1
        if count == number:
            raise OSError(code, os.strerror(code))
        return call(*arguments, **keywords)

    monkeypatch.setattr(os, name, refused)


def first_is_whole(site: SiteLake) -> bool:
    folder = site.snapshot(FIRST)
    return changed_files(folder, read_manifest(folder)) == ()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("fsync", 1),
        ("fsync", 2),
        ("fsync", 30),
        ("rename", 1),
        ("rename", 2),
        ("rename", 3),
        ("replace", 1),
        ("replace", 2),
    ],
)
def test_no_room_while_committing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        manifest = manifest_of(staging)
        with monkeypatch.context() as patch:
            refuse_call(patch, name, number, errno.ENOSPC)
            with pytest.raises(LakeError) as raised:
                site.commit(staging, manifest)
        assert raised.value.exit_code is ExitCode.CONFIGURATION
        assert raised.value.problems[0].found == "No space left on device"
        assert raised.value.problems[0].do == (
            f"make room on that disk, then run again; the latest snapshot is still {FIRST}"
        )
        assert site.latest().name == FIRST
        site.abandon(staging)
        assert site.snapshots() == (FIRST,)
        assert not list(tmp_path.rglob(".staging-*"))
        assert first_is_whole(site)
        assert build(site, SECOND).name == SECOND


def test_no_room_when_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = lake_with_first(tmp_path)
    with site.lock(), monkeypatch.context() as patch:
        refuse_call(patch, "mkdir", 1, errno.EDQUOT)
        with pytest.raises(LakeError, match=rf"raise the disk quota .*the latest snapshot is still {FIRST}"):
            site.begin(SECOND)
    assert site.latest().name == FIRST


def test_a_pointer_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        build(site, SECOND)
        site.set_pointer("passed", FIRST)
        with monkeypatch.context() as patch:
            refuse_call(patch, "replace", 1, errno.EROFS)
            with pytest.raises(LakeError, match=r"mount that disk for writing.*the pointer 'passed' stays"):
                site.set_pointer("passed", SECOND)
    assert site.current().name == FIRST


def test_what_cannot_be_removed_after_the_commit_waits_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = lake_with_first(tmp_path)
    with site.lock():
        staging = site.begin(SECOND)
        fill(staging)
        manifest = manifest_of(staging)
        with monkeypatch.context() as patch:
            refuse_call(patch, "rmdir", 1, errno.EACCES)
            assert site.commit(staging, manifest) == site.snapshot(SECOND)
        assert staging.work.exists()
        assert site.latest().name == SECOND
        assert site.begin("20260316T010000Z").leftovers == ()
    assert not staging.work.exists()
    assert site.snapshots() == (FIRST, SECOND)


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from dure.errors import DureError
from filled_lake import SECOND, fill, lake_with_first, manifest_of

site = lake_with_first(Path(sys.argv[1]))
with site.lock():
    staging = site.begin(SECOND)
    fill(staging)
    manifest = manifest_of(staging)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
    try:
        site.commit(staging, manifest)
    except DureError as error:
        print(error)
        sys.exit(int(error.exit_code))
"""


def test_the_kernel_really_refuses_to_write_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == ExitCode.CONFIGURATION
    assert "File too large" in done.stdout
    assert (
        f"raise the limit on file sizes (ulimit -f), then run again; the latest snapshot is still {FIRST}"
        in done.stdout
    )
    site = Lake(tmp_path).site(SITE)
    assert site.latest().name == FIRST
    assert first_is_whole(site)


def test_a_lake_where_a_file_stands_is_said(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(LakeError) as raised, Lake(tmp_path / "lake").site(SITE).lock():
        pass
    assert raised.value.problems[0].where.startswith(str(tmp_path / "lake"))
    assert raised.value.problems[0].found == "File exists"
