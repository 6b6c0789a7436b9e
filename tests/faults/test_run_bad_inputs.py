"""Bad inputs to a whole run: each ends in a clear error or a counted reject, and the previous snapshot stays.

One good snapshot of the demo extract is built; every test spoils a copy of the extract, the site or the vocabulary and
runs again into the same lake.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, DureError, ExitCode, ExtractNotReadyError, SourceError
from dure.progress import SilentProgress
from dure.run import RunOptions, RunResult, run_site
from dure.snapshot.lake import Lake

pytestmark = pytest.mark.together


class Runner:
    """Runs the demo site from a folder of its own that a test may spoil."""

    def __init__(self, repository: Path, folder: Path, running: Engine, lake: Path) -> None:
        self.extract, self.sites, self.vocab = folder / "extract", folder / "sites", folder / "vocabulary"
        shutil.copytree(repository / "tests/data/extract", self.extract)
        shutil.copytree(repository / "tests/data/vocabulary", self.vocab)
        shutil.copytree(repository / "vocab_mappings/sites/synthea", self.sites / "synthea")
        self.lake, self._running = lake, running

    def run(self) -> RunResult:
        @contextmanager
        def shared(_: EngineOptions) -> Iterator[Engine]:
            yield self._running

        options = RunOptions("synthea", self.extract, self.vocab, self.lake, (self.sites,), as_of=date(2024, 2, 3))
        return run_site(options, SilentProgress(), start=shared)

    def refused(self, kind: type[DureError], words: str, code: ExitCode) -> None:
        """The run raises this error with these words; the snapshot that was current before still is, and is whole."""
        before = Lake(self.lake).site("synthea").latest()
        content = sorted(path.name for path in before.iterdir())
        with pytest.raises(kind, match=words) as caught:
            self.run()
        assert caught.value.exit_code == code
        assert Lake(self.lake).site("synthea").latest() == before
        assert sorted(path.name for path in before.iterdir()) == content
        staged = list(self.lake.rglob(".staging-*"))
        assert staged == [], "a failed run gives its space back"

    def change(self, name: str, change: Callable[[str], str]) -> None:
        path = self.extract / name
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    def add_line(self, name: str, line: str) -> None:
        self.change(name, lambda text: text.rstrip("\n") + "\n" + line + "\n")

    def change_site(self, old: str, new: str) -> None:
        path = self.sites / "synthea/site.yaml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions()) as started:
        yield started


@pytest.fixture(scope="module")
def good(repository: Path, running: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one snapshot."""
    folder = tmp_path_factory.mktemp("good")
    Runner(repository, folder / "first", running, folder / "lake").run()
    return folder / "lake"


@pytest.fixture
def runner(repository: Path, running: Engine, good: Path, tmp_path: Path) -> Runner:
    return Runner(repository, tmp_path, running, good)


def reconciled(result: RunResult) -> dict[tuple[str, str, str, str], int]:
    """(level, name, outcome, reason) -> rows, as reconciliation.csv has them."""
    lines = (result.reports / "reconciliation.csv").read_text("utf-8-sig").splitlines()[1:]
    found = {}
    for line in lines:
        match = re.match(r'([^,]*),("[^"]*"|[^,]*),([^,]*),("[^"]*"|[^,]*),([0-9]+)$', line)
        assert match is not None, line
        found[match[1], match[2], match[3], match[4]] = int(match[5])
    return found


# ---------------------------------------------------------------- errors: nothing is built


def test_a_missing_file(runner: Runner) -> None:
    (runner.extract / "conditions.csv").unlink()
    runner.refused(ExtractNotReadyError, r"conditions.*conditions\.csv", ExitCode.EXTRACT_NOT_READY)


def test_a_wrong_encoding(runner: Runner) -> None:
    text = (runner.extract / "conditions.csv").read_text("utf-8").replace("Hypertension", "고혈압")
    (runner.extract / "conditions.csv").write_bytes(text.encode("utf-16"))
    runner.refused(SourceError, "conditions", ExitCode.SOURCE_UNREADABLE)


def test_a_truncated_gzip(runner: Runner) -> None:
    whole = gzip.compress((runner.extract / "conditions.csv").read_bytes())
    (runner.extract / "conditions.csv.gz").write_bytes(whole[: len(whole) // 2])
    (runner.extract / "conditions.csv").unlink()
    runner.change_site("conditions.csv", "conditions.csv.gz")
    runner.refused(SourceError, r"conditions\.csv\.gz", ExitCode.SOURCE_UNREADABLE)


def test_a_column_gone(runner: Runner) -> None:
    runner.change("conditions.csv", lambda text: text.replace("START,STOP,PATIENT", "START,STOP,PATIENTS", 1))
    runner.refused(
        ConfigurationError,
        r"site\.yaml:\d+ .*no column .PATIENT. in conditions .closest: .PATIENTS",
        ExitCode.CONFIGURATION,
    )


def test_an_empty_file(runner: Runner) -> None:
    (runner.extract / "conditions.csv").write_bytes(b"")
    runner.refused(SourceError, r"conditions\.csv.*empty", ExitCode.SOURCE_UNREADABLE)


def test_a_malformed_vocabulary(runner: Runner) -> None:
    concept = runner.vocab / "CONCEPT.csv"
    concept.write_text(concept.read_text("utf-8") + "not-a-number\tx\n", "utf-8")
    runner.refused(ConfigurationError, r"CONCEPT\.csv:\d+", ExitCode.CONFIGURATION)


def test_a_full_disk_while_tables_are_written(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dure.stages.tables.write_table", full)
    before = Lake(runner.lake).site("synthea").latest()
    with pytest.raises(OSError, match="No space left"):
        runner.run()
    assert Lake(runner.lake).site("synthea").latest() == before
    assert list(runner.lake.rglob(".staging-*")) == []


# ---------------------------------------------------------------- dirt: counted, and the rest is built


def test_a_quoted_newline_is_one_row(runner: Runner) -> None:
    runner.change("conditions.csv", lambda text: text.replace("Hypertension", '"Hyper\ntension"', 1))
    counts = reconciled(runner.run())
    assert counts["source", "conditions", "read", ""] == 35


def test_duplicate_keys(runner: Runner) -> None:
    first = (runner.extract / "conditions.csv").read_text("utf-8").splitlines()[1]
    runner.add_line("conditions.csv", first)  # the same again: a duplicate
    second = (runner.extract / "conditions.csv").read_text("utf-8").splitlines()[3].split(",")
    runner.add_line("conditions.csv", ",".join([*second[:5], "something else"]))  # the same key, another text
    counts = reconciled(runner.run())
    assert counts["source", "conditions", "duplicate", ""] == 1
    assert counts["source", "conditions", "rejected", "duplicate_key"] == 2


def test_two_patients_with_one_number(runner: Runner) -> None:
    line = (runner.extract / "patients.csv").read_text("utf-8").splitlines()[1]
    runner.add_line("patients.csv", line.replace("1958-03-14", "1999-09-09"))
    result = runner.run()
    counts = reconciled(result)
    assert counts["source", "patients", "rejected", "duplicate_key"] == 2
    assert counts["rule", "visit_occurrence[0] encounters", "rejected", "person_rejected"] >= 3
    assert result.tables["person"] == 7


@pytest.mark.parametrize(
    ("start", "stop", "reason"),
    [
        ("00000000", "", "bad_date"),
        ("20210230", "", "bad_date"),
        ("2021-02-30", "", "bad_date"),
        ("", "", "no_date"),
        ("2021-03-02", "2021-03-01", "end_before_start"),
    ],
)
def test_dates_that_are_none(runner: Runner, start: str, stop: str, reason: str) -> None:
    before = reconciled(runner.run())
    _, _, patient, encounter, _, _ = (runner.extract / "conditions.csv").read_text("utf-8").splitlines()[1].split(",")
    runner.add_line("conditions.csv", f"{start},{stop},{patient},{encounter},10509002,Acute bronchitis")
    after = reconciled(runner.run())
    at = ("rule", "condition_occurrence[0] conditions", "rejected", reason)
    assert after[at] == before.get(at, 0) + 1


def test_a_visit_without_a_patient(runner: Runner) -> None:
    line = (runner.extract / "encounters.csv").read_text("utf-8").splitlines()[1].split(",")
    runner.add_line("encounters.csv", ",".join(["another-visit", *line[1:3], "", *line[4:]]))
    counts = reconciled(runner.run())
    assert counts["rule", "visit_occurrence[0] encounters", "rejected", "no_person"] == 1


def test_a_map_target_that_does_not_exist(runner: Runner) -> None:
    units = runner.sites / "synthea/maps/unit.csv"
    text = units.read_text("utf-8")
    header, first = text.splitlines()[:2]
    target = header.split(",").index("target_concept_id")
    cells = first.split(",")
    code = cells[header.split(",").index("source_code")]
    units.write_text(
        "\n".join([header, ",".join([*cells[:target], "1999999999", *cells[target + 1 :]])]) + "\n", "utf-8"
    )
    result = runner.run()
    problems = (result.reports / "mapping_problems.csv").read_text("utf-8-sig")
    assert code in problems
    assert "target_unknown" in problems
    assert any("target_unknown" in str(warning) for warning in result.warnings)


def test_a_concept_that_is_no_longer_standard(runner: Runner) -> None:
    concept = runner.vocab / "CONCEPT.csv"
    lines = concept.read_text("utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.split("\t")[6] == "10509002")
    cells = lines[at].split("\t")
    assert cells[5] == "S"
    lines[at] = "\t".join([*cells[:5], "", *cells[6:9], "U"])
    concept.write_text("\n".join(lines) + "\n", "utf-8")
    relations = runner.vocab / "CONCEPT_RELATIONSHIP.csv"
    own = [line for line in relations.read_text("utf-8").splitlines() if not line.startswith(cells[0] + "\t")]
    relations.write_text("\n".join(own) + "\n", "utf-8")
    result = runner.run()
    open_still = (result.reports / "worklist.csv").read_text("utf-8-sig")
    assert "10509002" in open_still


def test_an_unreadable_line_goes_to_a_file_of_the_owner(runner: Runner) -> None:
    runner.add_line("conditions.csv", "2021-03-01,,too,few")
    result = runner.run()
    assert reconciled(result)["source", "conditions", "unreadable", "wrong_number_of_fields"] == 1
    raw = Lake(runner.lake).site("synthea").landing(result.snapshot.name) / "_rejects/conditions.raw"
    assert raw.read_text("utf-8").strip() == "2021-03-01,,too,few"
    assert raw.stat().st_mode & 0o077 == 0


def test_no_cell_of_the_extract_is_in_the_evidence(runner: Runner) -> None:
    runner.add_line("conditions.csv", "2021-03-01,,900101-1234567,여기,10509002,비밀스러운 말")
    result = runner.run()
    evidence = json.dumps([path.read_bytes().decode("utf-8", "replace") for path in result.reports.iterdir()])
    assert "900101-1234567" not in evidence
    assert "비밀" not in evidence
