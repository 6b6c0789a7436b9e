"""Old snapshots go by policy; never one that a pointer names, never half of one, whenever the machine stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filled_lake import SITE, fill, manifest_of

from dure.cli import main
from dure.errors import ConfigurationError
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import changed_files, read_manifest
from dure.snapshot.pruning import Pruned, Retention, finish_pruning, prune, to_prune

DAYS = [f"202603{day:02d}T010000Z" for day in range(1, 7)]
NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def site(tmp_path: Path) -> SiteLake:
    """A lake with a snapshot of each of six days."""
    own = Lake(tmp_path / "lake").site(SITE)
    with own.lock():
        for day in DAYS:
            staging = own.begin(day)
            fill(staging)
            made = datetime.strptime(day, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            own.commit(staging, manifest_of(staging).model_copy(update={"created": made}))
    return own


def there(site: SiteLake) -> dict[str, list[str]]:
    areas = ("cdm", "landing", "reports")
    return {area: sorted(path.name for path in (site.root / area / SITE).iterdir()) for area in areas}


def test_the_newest_stay(site: SiteLake) -> None:
    with site.lock():
        pruned = prune(site, Retention(2), NOW)
    assert pruned.snapshots == tuple(DAYS[:4])
    assert pruned.bytes > 0
    assert there(site) == dict.fromkeys(("cdm", "landing", "reports"), DAYS[4:])
    assert sorted(path.name for path in site.folder.iterdir()) == ["latest", "lock"]
    with site.lock():
        assert prune(site, Retention(2), NOW) == Pruned((), (), 0)


def test_what_a_pointer_names_stays_whatever_the_policy_says(site: SiteLake) -> None:
    with site.lock():
        site.set_pointer("published", DAYS[0])
        site.set_pointer("passed", DAYS[2])
        assert prune(site, Retention(1), NOW).snapshots == (DAYS[1], DAYS[3], DAYS[4])
    assert site.snapshots() == (DAYS[0], DAYS[2], DAYS[5])
    assert site.current().name == DAYS[2]
    for snapshot in site.snapshots():
        assert changed_files(site.snapshot(snapshot), read_manifest(site.snapshot(snapshot))) == ()


def test_what_is_young_stays_too(site: SiteLake) -> None:
    assert to_prune(site, Retention(1, days=3), NOW).snapshots == tuple(DAYS[:3])
    assert to_prune(site, Retention(5, days=1), NOW).snapshots == (DAYS[0],)
    assert to_prune(site, Retention(1, days=3), NOW + timedelta(days=30)).snapshots == tuple(DAYS[:5])
    # A clock set back makes everything young: nothing goes.
    assert to_prune(site, Retention(1, days=3), NOW - timedelta(days=300)).snapshots == ()


def test_evidence_may_stay_longer_than_the_snapshot(site: SiteLake) -> None:
    with site.lock():
        pruned = prune(site, Retention(2, reports=4), NOW)
    assert (pruned.snapshots, pruned.reports) == (tuple(DAYS[:4]), tuple(DAYS[:2]))
    assert there(site) == {"cdm": DAYS[4:], "landing": DAYS[4:], "reports": DAYS[2:]}
    with site.lock():
        assert prune(site, Retention(2, reports=3), NOW).reports == (DAYS[2],)
        assert site.new_id(datetime(2026, 3, 4, 1, tzinfo=UTC)) == "20260306T010001Z"
    assert there(site)["reports"] == DAYS[3:]


def test_a_snapshot_whose_manifest_cannot_be_read_counts_as_new(site: SiteLake) -> None:
    (site.snapshot(DAYS[0]) / "manifest.json").write_text("{", "utf-8")
    assert to_prune(site, Retention(1, days=1), NOW).snapshots == tuple(DAYS[1:5])


def test_landed_files_that_snapshots_share_stay_with_the_one_that_is_left(site: SiteLake) -> None:
    old, new = (site.landing(day) / "patient" / "part-0.parquet" for day in DAYS[4:])
    new.unlink()
    os.link(old, new)
    content = new.read_bytes()
    alone = to_prune(site, Retention(1), NOW)
    with site.lock():
        prune(site, Retention(1), NOW)
    assert new.read_bytes() == content
    assert new.stat().st_nlink == 1
    assert not old.exists()
    # The file that both had gave nothing back.
    assert alone.bytes == 5 * _bytes(site, DAYS[5]) - len(content)


def _bytes(site: SiteLake, snapshot: str) -> int:
    folders = (site.snapshot(snapshot), site.landing(snapshot), site.reports(snapshot))
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("wrong", [(0,), (1, -1), (1, 0, -1)])
def test_a_policy_that_cannot_be_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be"):
        Retention(*wrong)


def test_a_list_of_what_goes_that_somebody_changed_is_refused(site: SiteLake) -> None:
    (site.folder / "pruning").write_text("snapshot ../../etc\n", "utf-8")
    with site.lock(), pytest.raises(ConfigurationError, match="is no snapshot id"):
        finish_pruning(site)
    (site.folder / "pruning").write_text(f"{DAYS[0]}\n", "utf-8")
    with site.lock(), pytest.raises(LakeError, match="is not a list of snapshots to remove"):
        finish_pruning(site)
    assert site.snapshots() == tuple(DAYS)


# ---------------------------------------------------------------- killed

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from dure.snapshot.lake import Lake
from dure.snapshot.pruning import Retention, prune

os.fsync = lambda handle: None
at, seen = int(sys.argv[3]), 0

def counted(call):
    def wrapped(*arguments, **keywords):
        global seen
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        return call(*arguments, **keywords)
    return wrapped

for name in ("rename", "replace", "unlink", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
site = Lake(Path(sys.argv[1])).site(sys.argv[2])
with site.lock():
    prune(site, Retention(1), datetime(2026, 3, 6, 12, tzinfo=UTC))
"""


@pytest.mark.parametrize("at", [0, 1, 2, 40, 47, 60, 90])
def test_a_killed_pruning_is_finished_by_the_next(site: SiteLake, at: int) -> None:
    with site.lock():
        site.set_pointer("passed", DAYS[1])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(site.root), SITE, str(at)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # What readers see are whole snapshots.
    for snapshot in site.snapshots():
        folder = site.snapshot(snapshot)
        assert changed_files(folder, read_manifest(folder)) == ()
    assert (site.latest().name, site.current().name) == (DAYS[5], DAYS[1])
    with site.lock():
        prune(site, Retention(1), NOW)
    assert all(kept == [DAYS[1], DAYS[5]] for kept in there(site).values())


def test_a_snapshot_that_a_pointer_names_by_now_is_spared(site: SiteLake) -> None:
    (site.folder / "pruning").write_text(f"snapshot {DAYS[0]}\nreports {DAYS[0]}\nsnapshot {DAYS[1]}\n", "utf-8")
    with site.lock():
        site.set_pointer("passed", DAYS[0])
        finish_pruning(site)
    assert site.snapshots() == (DAYS[0], *DAYS[2:])


# ---------------------------------------------------------------- the command


def test_the_command_says_what_goes(site: SiteLake, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["prune", SITE, "--lake", str(site.root)]
    assert main([*given, "--keep", "4", "--dry-run"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[:2] == [f"would remove {DAYS[0]}", f"would remove {DAYS[1]}"]
    assert said[2].startswith("would remove 2 snapshots, ")
    assert site.snapshots() == tuple(DAYS)
    assert main([*given, "--keep", "4"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == f"removed {DAYS[0]}"
    assert site.snapshots() == tuple(DAYS[2:])


def test_without_a_policy_nothing_goes(site: SiteLake, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", SITE, "--lake", str(site.root)]) == 2
    assert "--keep: not given" in capfd.readouterr().err
    assert site.snapshots() == tuple(DAYS)


def test_a_run_under_way_is_not_disturbed(site: SiteLake, capfd: pytest.CaptureFixture[str]) -> None:
    with site.lock():
        assert main(["prune", SITE, "--lake", str(site.root), "--keep", "1"]) == 4
    assert f"another run holds the site {SITE}" in capfd.readouterr().err
    assert site.snapshots() == tuple(DAYS)
