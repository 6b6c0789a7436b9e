"""What a hospital really publishes is what the center takes: a package made by `dure publish`, received."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from published_hospital import Hospital

from dure.center.receive.receive import ReceiveOptions, receive_packages
from dure.center.store import CenterStore
from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.publish import publish
from dure.publish.keygen import make_keys
from dure.publish.rerun import Rerun
from dure.vocab import load_athena

pytestmark = pytest.mark.together
REGISTRY = """hospitals_version: "1"
shared_blocks: {vocabulary_of_the_tests: 2000000000}
hospitals:
  bada: {name: 바다병원, keys: [{key: keys/signing.pub, from: 2025-01-01}]}
"""


@pytest.fixture(scope="module")
def hospital(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    store = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores"))
    with engine(EngineOptions(threads=2)) as running:
        made = Hospital(running, store, tmp_path_factory.mktemp("hospital"))
        made.build()
        made.open_gate()
        yield made


@pytest.mark.parametrize("form", ["folder", "archive", "encrypted"])
def test_each_form_of_a_publication_is_received(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    counts = {"table_cdmtable_person": ("passed", 0, 1)}
    monkeypatch.setattr(publish, "rerun", lambda *_: Rerun({"passed": 1}, [], counts))
    make_keys(tmp_path / "center", "center")
    to = {"folder": "out", "archive": "out/바다.tar", "encrypted": "out/바다.dure"}[form]
    recipient = tmp_path / "center/center.pub" if form == "encrypted" else None
    place = Path(hospital.publish(str(tmp_path / to), encrypt_to=recipient).place)
    (hospital.folder / "hospitals.yaml").write_text(REGISTRY, "utf-8")
    options = ReceiveOptions(
        (place,),
        tmp_path / "store",
        datetime(2025, 3, 2, tzinfo=UTC),
        1,
        hospital.folder / "hospitals.yaml",
        tmp_path / "center/center.key",
    )
    [result] = receive_packages(options, SilentProgress())
    assert (result.outcome, result.site) == ("received", "bada"), [str(problem) for problem in result.problems]
    [summary] = CenterStore(tmp_path / "store").summaries()
    assert (summary.persons, summary.shifted, summary.profile) == (40, True, "center")
    assert summary.tables["visit_occurrence"] == 40
