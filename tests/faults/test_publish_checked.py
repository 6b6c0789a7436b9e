"""The whole way by the command line: checked, published, checked again on the copy, killed, forgotten."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from published_hospital import PATIENTS, TODAY, Hospital, patient

from dure.cli import main
from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.quality.command import CheckOptions, check_site
from dure.vocab import load_athena

pytestmark = [pytest.mark.together, pytest.mark.slow]
POLICY = """policy_version: 1
severities: {fatal: warns, convention: warns, characterization: warns}
floors: {}
required_tables: [person]
"""


@pytest.fixture(scope="module")
def hospital(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))
    with engine(EngineOptions(threads=2)) as running:
        hospital = Hospital(running, store, tmp_path_factory.mktemp("hospital"))
        hospital.build()
        (hospital.sites / "bada" / "policy.yaml").write_text(POLICY)
        checked = check_site(
            CheckOptions("bada", hospital.lake, (hospital.sites,), TODAY),
            SilentProgress(),
            lambda _: nullcontext(running),
        )
        assert checked.open
        yield hospital


@pytest.fixture(scope="module")
def delivered(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(hospital.publish(str(tmp_path_factory.mktemp("delivered"))).place)


@pytest.mark.parametrize("profile", ["center", "unshifted"])
def test_the_checks_of_the_copy_are_those_of_the_snapshot_but_for_reasons(
    hospital: Hospital, delivered: Path, tmp_path: Path, profile: str
) -> None:
    center = profile == "center"
    folder = delivered if center else Path(hospital.publish(str(tmp_path / "out"), profile=profile).place)
    said = json.loads((folder / "manifest.json").read_bytes())
    assert sum(said["checks"]["rerun"].values()) > 1500
    assert said["checks"]["differ"] and all(each["why"] for each in said["checks"]["differ"])
    checks = pq.read_table(folder / "evidence/checks.parquet").to_pylist()
    assert Counter(each["status"] for each in checks) == said["checks"]["rerun"]
    ends = {each["check"]: [each["status"], each["violated"], each["denominator"]] for each in checks}
    assert ends["field_isprimarykey_person_person_id"] == ["passed", 0, PATIENTS]
    fields = {each["check"] for each in said["checks"]["differ"]}
    assert fields < ends.keys()
    assert "field_measurevaluecompleteness_person_person_source_value" in fields
    # Where no row is left out, no key differs: what differs otherwise is what the profile empties or rolls up.
    keys = [check for check in fields if check.startswith(("field_isforeignkey", "field_isprimarykey"))]
    fewer = ("_note", "_location", "_source_to_concept_map", "_condition_era")
    assert [check for check in keys if not any(name in check for name in fewer)] == []


def command(hospital: Hospital, *arguments: str, code: str = "") -> list[str]:
    start = ["-c", code] if code else ["-m", "dure.cli"]
    keys = ["--key", str(hospital.keys / "pseudonym.key"), "--sign-key", str(hospital.keys / "signing.key")]
    return [sys.executable, *start, "publish", "bada", "--lake", str(hospital.lake), *keys, *arguments]


# The checks of the copy end as they did in a delivery before: what is killed comes after them.
KILLED = """
import os, signal, sys
import pyarrow.parquet as pq
from dure.publish import package, publish
from dure.publish.rerun import Rerun
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
package.sync_tree = killed
rows = pq.read_table(os.environ["CHECKS"]).to_pylist()
ends = {row["check"]: (row["status"], row["violated"], row["denominator"]) for row in rows}
publish.rerun = lambda *_: Rerun({}, [], ends)
from dure.cli import main
main(sys.argv[1:])
"""


def test_a_publication_that_is_really_killed(hospital: Hospital, delivered: Path, tmp_path: Path) -> None:
    out = tmp_path / "보낼것"
    environment = {
        **os.environ,
        "DURE_SITES": str(hospital.sites),
        "CHECKS": str(delivered / "evidence/checks.parquet"),
    }
    ended = subprocess.run(command(hospital, "--to", str(out), code=KILLED), env=environment, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert [path.name.startswith(".") for path in out.iterdir()] == [True]
    again = subprocess.run(command(hospital, "--to", str(out)), env=environment, capture_output=True)
    assert again.returncode == 0, again.stderr.decode()
    # the same number as before the kill: the evidence of the checks is the same on a second count
    assert [path.suffix for path in out.iterdir()] == [""] and not list((hospital.lake / "work").rglob("*.parquet"))
    assert not any(b"Traceback" in text for text in (again.stdout, again.stderr))


def test_the_commands_end_as_they_say(hospital: Hospital, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", "--out", str(tmp_path / "열쇠")]) == 0
    assert "signing.pub  SHA256:" in capfd.readouterr().out
    assert main(["keygen", "--out", str(tmp_path / "열쇠")]) == 2
    assert "is there already" in capfd.readouterr().err
    lake = ["--lake", str(hospital.lake)]
    assert main(["publish", "bada", *lake, "--to", "s3://bucket"]) == 2
    assert "is no kind of target" in capfd.readouterr().err
    assert main(["publish", "bada", *lake, "--to", str(tmp_path / "out")]) == 2
    assert "--key: not given" in capfd.readouterr().err
    profile = tmp_path / "과제.yaml"
    shipped = Path(__file__).parents[2] / "etl/dure/publish/profiles/center.yaml"
    text = shipped.read_text("utf-8").replace("  - person.gender_source_value", "  - person.person_source_value")
    profile.write_text(
        text.replace("oldest_age: 89", "oldest_age: 0").replace("  - measurement.measurement_time", "  - x.y")
    )
    assert main(["publish", "bada", *lake, "--to", str(tmp_path / "out"), "--profile", str(profile)]) == 2
    assert "oldest_age" in capfd.readouterr().err
    profile.write_text(text)
    assert main(["publish", "bada", *lake, "--to", str(tmp_path / "out"), "--profile", str(profile)]) == 2
    assert "names a person or a place" in capfd.readouterr().err
    assert main(["publish", "bada", *lake, "--to", f"postgresql://u:비밀@h/db{''}"]) == 2
    assert "비밀" not in capfd.readouterr().err


def test_forget_by_the_command_line_shuts_the_gate(hospital: Hospital, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(hospital.lake, lake)
    keys = tmp_path / "keys.csv"
    keys.write_text(f"환자번호,date,reason\n{patient(3)},2025-03-01,요청\n")
    assert main(["forget", "bada", "--lake", str(lake), "--keys", str(keys), "--sites", str(hospital.sites)]) == 0
    signing = ["--key", str(hospital.keys / "pseudonym.key"), "--sign-key", str(hospital.keys / "signing.key")]
    assert main(["publish", "bada", "--lake", str(lake), "--to", str(tmp_path / "out"), *signing]) == 1
    assert not (tmp_path / "out").exists()
