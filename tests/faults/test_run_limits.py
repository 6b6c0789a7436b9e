"""Limits of the machine, met for real by the command itself: memory, a full disk, a read-only one, a site that is held.

After each the snapshot before is current and whole, the message says what to do, and the next run succeeds.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_hospital import NAME, Content, is_whole, write_hospital

from dure.errors import ExitCode
from dure.snapshot.lake import Lake, SiteLake
from dure.vocab import load_athena

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("limits")]

Tables = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Hospital:
    """The small hospital with a lake in which `base` is the snapshot before."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store, self.lake = folder, store, folder / "lake"
        self.sites, self.extract = folder / "sites", folder / "extract"

    def command(self, *more: str, name: str = NAME) -> list[str]:
        return [
            sys.executable, "-m", "dure.cli", "run", name, "--sites", str(self.sites), "--source", str(self.extract),
            "--vocab", str(self.store), "--lake", str(self.lake), "--as-of", "2024-12-31", "--threads", "2",
            "--no-check", "--ledger", "none", "--log-format", "plain", *more,
        ]  # fmt: skip

    def run(self, *more: str) -> Ended:
        done = subprocess.run(self.command(*more), capture_output=True, text=True, check=False, cwd=self.folder)
        return Ended(done.returncode, done.stdout, done.stderr)

    def begin(self, name: str = NAME) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(name=name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    @property
    def own(self) -> SiteLake:
        return Lake(self.lake).called(NAME)

    def staged(self) -> list[str]:
        return sorted(path.name for path in self.lake.rglob(".staging-*"))

    def change(self) -> None:
        """What makes the next run a full one with other rows."""
        spec = self.sites / NAME / "site.yaml"
        spec.write_text(spec.read_text("utf-8") + "# 오늘부터\n", "utf-8")
        patients = self.extract / "환자.csv"
        patients.write_text(patients.read_text("utf-8") + "P99999,19800301,남\n", "utf-8")

    def still(self, before: str) -> None:
        """The snapshot before is current and whole."""
        assert self.own.latest().name == self.own.current().name == before
        assert is_whole(self.own, before)


@pytest.fixture(scope="module")
def base(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital of 3,000 persons whose lake has one snapshot."""
    folder = tmp_path_factory.mktemp("base")
    write_hospital(folder, persons=3000)
    store = load_athena(repository / "tests/scenarios/vocabulary", folder / "stores").folder
    hospital = Hospital(folder, store)
    ended = hospital.run()
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture
def hospital(base: Path, tmp_path: Path) -> Hospital:
    folder = tmp_path / "hospital"
    shutil.copytree(base, folder)
    found = Hospital(folder, next((folder / "stores").iterdir()))
    found.change()
    return found


@pytest.fixture(scope="module")
def tables(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What an undisturbed run makes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "hospital"
    shutil.copytree(base, folder)
    undisturbed = Hospital(folder, next((folder / "stores").iterdir()))
    undisturbed.change()
    ended = undisturbed.run()
    assert ended.code == 0, ended.err
    return Content.of(undisturbed.own, undisturbed.own.latest().name).tables


def succeeds(hospital: Hospital, before: str, tables: Tables) -> None:
    """The next run makes the snapshot that an undisturbed run makes."""
    ended = hospital.run()
    assert ended.code == 0, ended.err
    is_as_undisturbed(hospital, before, tables)


def is_as_undisturbed(hospital: Hospital, before: str, tables: Tables) -> None:
    made = hospital.own.latest().name
    assert made > before
    assert hospital.staged() == []
    assert Content.of(hospital.own, made).tables == tables


def test_an_engine_without_memory_says_so_and_the_next_run_goes_on(hospital: Hospital, tables: Tables) -> None:
    before = hospital.own.latest().name
    ended = hospital.run("--memory", "200k")
    assert ended.code == ExitCode.CONFIGURATION
    assert "Error: the engine has no more of the memory that it may take" in ended.err
    assert "give it more with --memory, or fewer --threads; the next run goes on" in ended.err
    assert "Traceback" not in ended.err
    hospital.still(before)
    (dead,) = set(hospital.staged())
    ended = hospital.run()
    assert ended.code == 0
    assert f"going on with the run {dead.removeprefix('.staging-')}, which was cut off after" in ended.err
    assert hospital.own.latest().name == dead.removeprefix(".staging-")
    is_as_undisturbed(hospital, before, tables)


def test_two_runs_started_together_and_a_run_killed_amid(hospital: Hospital, tables: Tables) -> None:
    before = hospital.own.latest().name
    with stopped_at(hospital.begin(), "map") as first:
        second = hospital.run()
        assert second.code == ExitCode.SITE_LOCKED
        assert f"another run holds the site bada: process {first.pid} on {os.uname().nodename}" in second.err
        assert "never delete the file" in second.err
        hospital.still(before)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert first.returncode == -signal.SIGKILL
    hospital.still(before)
    # Its lock went with it, whatever the file still says.
    assert (hospital.own.folder / "lock").read_text("utf-8") != ""
    ended = hospital.run()
    assert ended.code == 0, ended.err
    assert "which was cut off after" in ended.err
    is_as_undisturbed(hospital, before, tables)


def test_two_sites_run_in_one_lake_at_the_same_time(hospital: Hospital) -> None:
    shutil.copytree(hospital.sites / NAME, hospital.sites / "강산병원")
    spec = hospital.sites / "강산병원" / "site.yaml"
    spec.write_text(spec.read_text("utf-8").replace("id: bada", "id: gangsan"), "utf-8")
    with stopped_at(hospital.begin(), "map") as one, stopped_at(hospital.begin("강산병원"), "map") as other:
        for process in (one, other):
            process.send_signal(signal.SIGCONT)
        ends = [process.communicate() for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), ends
    lake = Lake(hospital.lake)
    made = [lake.site(site).latest() for site in ("bada", "gangsan")]
    assert all(is_whole(lake.site(folder.parent.name), folder.name) for folder in made)
    assert len(lake.site("bada").snapshots()) == 2
    assert hospital.staged() == []


@contextmanager
def stopped_at(process: subprocess.Popen[str], stage: str) -> Iterator[subprocess.Popen[str]]:
    """The command, stopped by a signal when it has told that the stage begins; it is killed where nobody lets it go on."""
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith(f"{stage} ..."):
                break
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait()


# ---------------------------------------------------------------- disks, in a space of mounts of our own


def in_own_mounts(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-e", "-c", script], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def mounts() -> None:
    if shutil.which("unshare") is None or in_own_mounts("mount -t tmpfs none /tmp").returncode:
        pytest.skip("this machine lets nobody mount (no unshare, or no right to it)")


@pytest.mark.usefixtures("mounts")
def test_a_disk_that_is_full_amid_the_run(hospital: Hospital) -> None:
    before = hospital.own.latest().name
    run, lake = shlex.join(hospital.command("--no-disk-check")), shlex.quote(str(hospital.lake))
    kept = shlex.quote(str(hospital.folder / "kept"))
    size = sum(path.stat().st_blocks * 512 for path in hospital.lake.rglob("*")) // 1024
    # Room for what is there and a part of a run; then for a whole one.
    done = in_own_mounts(
        f"mv {lake} {kept}; mkdir {lake}; mount -t tmpfs -o size={size + 300}k none {lake}; cp -a {kept}/. {lake}\n"
        f"set +e; {run}; echo \"ended $?\"; cat {lake}/sites/bada/latest; find {lake} -name '.staging-*'; echo again\n"
        f'mount -o remount,size=64m {lake}; {run}; echo "ended $?"; rm -rf {kept}/*; cp -a {lake}/. {kept}'
    )
    first, again = done.stdout.split("again\n")
    assert first == f"ended {int(ExitCode.CONFIGURATION)}\n{before}\n", done.stderr
    assert "No space left on device" in done.stderr or "no space left on a disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert again.endswith("ended 0\n"), done.stderr
    (hospital.lake).rmdir()
    (hospital.folder / "kept").rename(hospital.lake)
    assert is_whole(hospital.own, before)
    assert is_whole(hospital.own, hospital.own.latest().name)


@pytest.mark.usefixtures("mounts")
def test_a_disk_without_room_is_refused_before_anything_is_read(hospital: Hospital, tables: Tables) -> None:
    before = hospital.own.latest().name
    run, lake = shlex.join(hospital.command()), shlex.quote(str(hospital.lake))
    kept = shlex.quote(str(hospital.folder / "kept"))
    done = in_own_mounts(
        f"mv {lake} {kept}; mkdir {lake}; mount -t tmpfs -o size=20m none {lake}; cp -a {kept}/. {lake}\n"
        f'set +e; {run}; echo "ended $?"; cat {lake}/sites/bada/latest; umount {lake}; rmdir {lake}; mv {kept} {lake}'
    )
    assert done.stdout == f"ended {int(ExitCode.CONFIGURATION)}\n{before}\n"
    assert "the run may need " in done.stderr and "MiB are free" in done.stderr
    assert "remove old snapshots with `dure prune bada --keep 2`" in done.stderr
    assert "land ..." not in done.stderr
    succeeds(hospital, before, tables)


@pytest.mark.usefixtures("mounts")
def test_a_read_only_lake(hospital: Hospital, tables: Tables) -> None:
    before = hospital.own.latest().name
    run, lake = shlex.join(hospital.command()), shlex.quote(str(hospital.lake))
    path = shlex.join([sys.executable, "-m", "dure.cli", "path", NAME, "--lake", str(hospital.lake)])
    done = in_own_mounts(
        f'mount --bind {lake} {lake}; mount -o remount,bind,ro {lake}; set +e; {run}; echo "ended $?"; {path}'
    )
    assert done.stdout == f"ended {int(ExitCode.CONFIGURATION)}\n{hospital.own.snapshot(before)}\n"
    assert "Read-only file system" in done.stderr
    assert "mount that disk for writing, or choose another --lake, then run again" in done.stderr
    hospital.still(before)
    succeeds(hospital, before, tables)
