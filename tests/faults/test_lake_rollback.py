"""Back to an earlier snapshot: whole, passed where readers get it, recorded, and never undone by a later run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filled_lake import SITE, build, fill, manifest_of, parquet_of

from dure.cli import main
from dure.errors import ConfigurationError
from dure.run.rollback import roll_back, standing
from dure.run.waiting import Waiting, wait_for_gate, waiting_snapshot
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.manifest import read_manifest
from dure.snapshot.rollbacks import rollbacks, withdrawn

ONE, TWO, THREE, FOUR = DAYS = [f"202603{day:02d}T010000Z" for day in (1, 2, 3, 4)]
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def verdict(own: SiteLake, snapshot: str, gate: str) -> None:
    digest = read_manifest(own.snapshot(snapshot)).digest
    (own.reports(snapshot) / "verdict.json").write_text(json.dumps({"gate": gate, "digest": digest}), "utf-8")


@pytest.fixture
def own(tmp_path: Path) -> SiteLake:
    """Four nights: the gate opened for the first two and the last, not for the third."""
    site = Lake(tmp_path / "lake").site(SITE)
    with site.lock():
        for persons, day in enumerate(DAYS):
            build(site, day, persons)
            verdict(site, day, "closed" if day == THREE else "open")
        site.set_pointer("passed", FOUR)
    return site


def back(own: SiteLake, to: str | None = None, only: object = None) -> list[str]:
    with own.lock():
        done, said = roll_back(own, to, only, "두레@서버", NOW)  # type: ignore[arg-type]
    return [*(f"{name} {before}" for name, before in done.moved.items()), *map(str, said)]


def pointers(own: SiteLake) -> tuple[str, str | None]:
    passed = own.pointer("passed")
    return own.latest().name, passed.name if passed else None


def test_readers_and_the_next_run_get_the_snapshot_before_that_passed(own: SiteLake) -> None:
    assert back(own) == [f"latest {FOUR}", f"passed {FOUR}"]
    assert pointers(own) == (TWO, TWO)
    (record,) = rollbacks(own)
    assert (record.who, record.when, record.to, record.withdrawn) == ("두레@서버", NOW, TWO, (THREE, FOUR))
    assert set(withdrawn(own)) == {THREE, FOUR}
    # Once more: not to one that was rolled back, but one further.
    assert back(own) == [f"latest {TWO}", f"passed {TWO}"]
    assert pointers(own) == (ONE, ONE)
    with pytest.raises(ConfigurationError, match=f"no snapshot whose gate opened before {ONE}"):
        back(own)


def test_a_snapshot_that_did_not_pass_is_not_given_to_readers(own: SiteLake) -> None:
    with pytest.raises(ConfigurationError, match=f"snapshot {THREE}: its gate is closed") as raised:
        back(own, THREE)
    assert "--only latest" in raised.value.problems[0].do
    with pytest.raises(ConfigurationError, match="its gate is closed"):
        back(own, THREE, "passed")
    assert pointers(own) == (FOUR, FOUR)
    assert rollbacks(own) == ()
    assert back(own, THREE, "latest") == [f"latest {FOUR}"]
    assert pointers(own) == (THREE, FOUR)
    assert withdrawn(own) == {}, "readers get it still"


def test_what_passed_longer_ago_stays_where_only_the_newest_goes_back(own: SiteLake) -> None:
    with own.lock():
        own.set_pointer("passed", TWO)
    assert back(own, THREE) == [f"latest {FOUR}"]
    assert pointers(own) == (THREE, TWO)


def test_a_verdict_on_other_content_does_not_count(own: SiteLake) -> None:
    path = own.reports(TWO) / "verdict.json"
    path.write_text(json.dumps({"gate": "open", "digest": "0" * 64}), "utf-8")
    with pytest.raises(ConfigurationError, match="its gate is not checked"):
        back(own, TWO)
    assert back(own) == [f"latest {FOUR}", f"passed {FOUR}"]
    assert pointers(own) == (ONE, ONE)


def test_without_a_gate_the_newest_goes_back_alone(own: SiteLake) -> None:
    with own.lock():
        own.drop_pointer("passed")
    assert back(own) == [f"latest {FOUR}"]
    assert pointers(own) == (THREE, None)


@pytest.mark.parametrize("damage", ["flipped", "gone", "added"])
def test_a_snapshot_that_is_not_whole_is_refused(own: SiteLake, damage: str) -> None:
    file = own.snapshot(TWO) / "person" / "part-0.parquet"
    if damage == "flipped":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "gone":
        file.unlink()
    else:
        (file.parent / "part-1.parquet").write_bytes(parquet_of(7))
    with pytest.raises(ConfigurationError, match="1 files are not those of its manifest: person/part"):
        back(own, TWO)
    assert pointers(own) == (FOUR, FOUR)
    assert rollbacks(own) == ()


def test_forward_again_is_possible_and_said(own: SiteLake) -> None:
    back(own, ONE)
    assert set(withdrawn(own)) == {TWO, THREE, FOUR}
    assert back(own, FOUR) == [f"latest {ONE}", f"passed {ONE}"]
    assert pointers(own) == (FOUR, FOUR)
    assert set(withdrawn(own)) == {TWO, THREE}
    assert back(own, FOUR) == []
    assert len(rollbacks(own)) == 2


def test_what_has_left_already_is_said(own: SiteLake) -> None:
    with own.lock():
        own.set_pointer("published", FOUR)
    *_, said = back(own)
    assert said.startswith(f"site {SITE}: {FOUR} has been published already, which is newer than {TWO}")


def test_no_such_snapshot(own: SiteLake) -> None:
    with pytest.raises(ConfigurationError, match=f"no snapshot 20200101T000000Z of {SITE}") as raised:
        back(own, "20200101T000000Z")
    assert raised.value.problems[0].do == f"there are {', '.join(DAYS)}"
    with pytest.raises(ConfigurationError, match="is no snapshot id"):
        back(own, "../..")


def test_nothing_that_waits_passes_behind_a_rollback(own: SiteLake) -> None:
    inputs = {"the extract": "a"}
    with own.lock():
        staging = own.begin("20260305T010000Z")
        fill(staging)
        waiting = Waiting(snapshot=staging.snapshot, started=NOW, inputs=inputs, tables={}, lines=(), warnings=())
        wait_for_gate(own, waiting)
        own.commit(staging, manifest_of(staging))
    assert waiting_snapshot(own, inputs) == waiting_snapshot(own, inputs, NOW) == waiting
    assert waiting_snapshot(own, inputs, NOW + timedelta(seconds=1)) is None
    assert waiting_snapshot(own, {"the extract": "b"}) is None
    back(own, TWO)
    assert waiting_snapshot(own, inputs) is None
    # Not even when somebody goes forward again: the gate is asked by `dure check`.
    back(own, "20260305T010000Z", "latest")
    assert waiting_snapshot(own, inputs) is None


def test_the_next_run_has_a_newer_id_and_takes_over(own: SiteLake) -> None:
    back(own)
    with own.lock():
        new = own.new_id(datetime(2026, 3, 3, tzinfo=UTC))
        assert new > FOUR
        build(own, new)
    assert own.latest().name == new
    assert own.current().name == TWO


def test_a_broken_record_is_said(own: SiteLake) -> None:
    (own.folder / "rollbacks.json").write_text('[{"to": "x"}]', "utf-8")
    with pytest.raises(LakeError, match="is not a record of rollbacks"):
        list(standing(own))


def test_the_command_lists_and_says_what_readers_get(own: SiteLake, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["rollback", SITE, "--lake", str(own.root)]
    assert main([*given]) == 0
    assert capfd.readouterr().out.splitlines() == [
        f"latest: {FOUR} -> {TWO}",
        f"passed: {FOUR} -> {TWO}",
        f"readers get {own.snapshot(TWO)}",
    ]
    assert main([*given, "--list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == f"{ONE}  gate open"
    assert lines[1] == f"{TWO}  gate open  latest  passed"
    assert lines[2].startswith(f"{THREE}  gate closed  rolled back 20")
    assert main([*given, "--to", TWO]) == 0
    assert capfd.readouterr().out.startswith(f"nothing to do: {TWO} is current already\n")
    assert main([*given, "--to", THREE, "--only", "passed"]) == 2
    assert f"snapshot {THREE}: its gate is closed, so readers cannot be given it" in capfd.readouterr().err
