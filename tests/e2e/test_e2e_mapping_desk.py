"""Two hospitals of one consortium, mapped; then what each command of the mapping desk says of them.

`mapping_desk/` holds the hospitals and what is expected, to the character. Bada overrides the common map for GLU, names
a target that does not exist for OLD, has a diagnosis that only its parent code maps and codes that nobody maps, one of
which a spreadsheet would run as a formula; Haneul sends D50.9 and NA1 elsewhere than Bada.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dure.cli import main
from dure.engine import EngineOptions, engine
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.snapshot.lake import Lake

DATA = Path(__file__).parent / "mapping_desk"
pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A lake with a snapshot of each hospital."""
    folder = tmp_path_factory.mktemp("desk") / "호수"
    vocabulary = repository / "tests/scenarios/vocabulary"
    with engine(EngineOptions(threads=2)) as running:
        for site in ("bada", "haneul"):
            options = RunOptions(site, DATA / "extract" / site, vocabulary, folder, (DATA / "sites",))
            run_site(options, SilentProgress(), lambda _: _Up(running))
    return folder


class _Up:
    """An engine that another has started and will stop."""

    def __init__(self, running: object) -> None:
        self._running = running

    def __enter__(self) -> object:
        return self._running

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    """The folders of the hospitals and their consortium, to be changed."""
    shutil.copytree(DATA / "consortia", tmp_path / "consortia")
    shutil.copytree(DATA / "sites", tmp_path / "sites")
    return tmp_path / "sites"


def reports(lake: Path, site: str) -> Path:
    own = Lake(lake).site(site)
    return own.reports(own.latest().name)


def expected(name: str) -> str:
    return (DATA / "expected" / name).read_text("utf-8")


@pytest.mark.parametrize("name", ["worklist.csv", "coverage.csv"])
def test_the_evidence_of_a_run(lake: Path, name: str) -> None:
    assert (reports(lake, "bada") / name).read_text("utf-8-sig") == expected(f"bada_{name}")


def test_no_result_is_in_the_evidence_of_codes(lake: Path) -> None:
    evidence = b"".join((reports(lake, "bada") / name).read_bytes() for name in ("worklist.csv", "coverage.csv"))
    evidence += repr(pq.read_table(reports(lake, "bada") / "code_records.parquet").to_pylist()).encode()
    assert b"12345" not in evidence
    assert b"67891" not in evidence


def test_evidence_counts_every_record_with_a_code_once(lake: Path) -> None:
    for site, diagnoses, results in (("bada", 6, 9), ("haneul", 2, 4)):
        rows = pq.read_table(reports(lake, site) / "code_records.parquet").to_pylist()
        found = {"condition_occurrence": 0, "measurement": 0}
        for row in rows:
            if row["role"] == "code":
                found[row["table"]] += row["records"]
        assert found == {"condition_occurrence": diagnoses, "measurement": results}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["coverage"], "coverage.txt"),
        (["coverage", "bada", "--by", "vocabulary,domain,year", "--format", "csv"], "coverage_by_year.csv"),
        (["compare"], "compare.txt"),
        (["compare", "haneul", "bada", "--part", "overrides", "--format", "csv"], "overrides.csv"),
    ],
)
def test_what_commands_say(lake: Path, arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", *arguments, "--lake", str(lake)]) == 0
    assert capsys.readouterr().out == expected(name)


def test_comparison_as_json_has_every_part(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "compare", "--lake", str(lake), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["agreement", "differences", "adoption", "overrides"]
    anemia = next(row for row in said["differences"] if row["code"] == "D509" and row["same"] == "code")
    assert (anemia["targets_a"], anemia["targets_b"], anemia["distance"]) == ("436659", "439777", 1)
    overall = next(row for row in said["agreement"] if row["site_a"] == "all" and row["same"] == "code")
    assert (overall["both_mapped"], overall["agree"], overall["unrelated"]) == (5, 2, 2)


def test_a_changed_map_is_weighed_by_the_records_it_touches(
    lake: Path, sites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = sites / "bada/maps/lab.csv"
    changed.write_text(
        "source_vocabulary_id,source_code,target_concept_id\nLAB,NA1,3000285\nLAB,OLD,3020460\n", "utf-8"
    )
    of_site = ["--site", "bada", "--sites", str(DATA / "sites"), "--lake", str(lake)]
    assert main(["vocab", "diff", str(DATA / "sites/bada/maps/lab.csv"), str(changed), *of_site]) == 1
    assert capsys.readouterr().out == expected("diff.txt")
    # Without its own row the site inherits what the consortium says of GLU.
    assert main(["vocab", "diff", str(DATA / "sites/bada"), str(sites / "bada"), "--lake", str(lake)]) == 1
    assert capsys.readouterr().out == expected("diff.txt")


def test_a_diff_alone_needs_no_lake(
    sites: Path, repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sites.parent)
    own = sites / "haneul/maps/lab.csv"
    vocabulary = ["--vocab", str(repository / "tests/scenarios/vocabulary")]
    command = ["vocab", "diff", str(own), str(sites / "bada/maps/lab.csv"), *vocabulary, "--format", "csv"]
    assert main(command) == 1
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["change"], row["code"], row["old_targets"], row["new_targets"]) for row in rows] == [
        ("lost", "BUN-H", "3013682", ""),
        ("gained", "GLU", "", "3004410"),
        ("target", "NA1", "3019550", "3000285"),
    ]
    assert main(["vocab", "diff", str(own), str(own), *vocabulary]) == 0
    assert capsys.readouterr().out == "no difference in 2 codes\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["diff", "nowhere", "nothing"], "no such file or folder"),
        (["diff", "{data}/sites/bada", "{data}/sites/bada/maps/lab.csv"], "is a map, but"),
        (["diff", "{data}/sites/bada/maps/lab.csv", "{data}/sites/bada/maps/lab.csv"], "--vocab: not given"),
        (["coverage", "바다", "--lake", "{lake}"], "no snapshot of 바다 was built in this lake yet"),
        (["coverage", "--by", "hospital", "--lake", "{lake}"], "'hospital' is nothing to count by"),
        (["compare", "bada", "--lake", "{lake}"], "one site has nobody to be compared with"),
        (["local", "bada", "--sites", "{data}/sites", "--lake", "{lake}", "--vocabulary", "KCD7"], "hospital's own"),
    ],
)
def test_what_cannot_be_answered_is_said(
    lake: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part.format(data=DATA, lake=lake) for part in arguments]
    assert main(["vocab", *given]) == 2
    assert says in capsys.readouterr().err


def test_local_codes_get_ids_that_stay(lake: Path, sites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["vocab", "local", "bada", "--sites", str(sites), "--lake", str(lake)]
    assert main([*command, "--dry-run"]) == 0
    assert not (sites / "bada/registry.csv").exists()
    capsys.readouterr()
    assert main(command) == 0
    assert "3 concepts added" in capsys.readouterr().out
    registry, concepts = sites / "bada/registry.csv", sites / "bada/concepts.csv"
    assert registry.read_text("utf-8") == expected("registry.csv")
    assert concepts.read_text("utf-8") == expected("concepts.csv")
    assert main(["validate", "bada", "--sites", str(sites)]) == 0
    before = registry.read_bytes(), concepts.read_bytes()
    assert main(command) == 0
    assert (registry.read_bytes(), concepts.read_bytes()) == before
    # A concept that somebody removed comes back with the id that its code was given.
    concepts.write_text("\n".join(concepts.read_text("utf-8").splitlines()[:1]) + "\n", "utf-8")
    assert main(command) == 0
    assert (registry.read_bytes(), concepts.read_bytes()) == before


def test_ids_that_two_branches_gave_are_refused_with_a_way_out(
    lake: Path, sites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["vocab", "local", "bada", "--sites", str(sites), "--lake", str(lake), "--quiet"]
    assert main(command) == 0
    registry = sites / "bada/registry.csv"
    taken = registry.read_text("utf-8").splitlines()[2].rsplit(",", 1)[1]
    with registry.open("a", encoding="utf-8") as file:
        file.write(f"LAB,ZINC,{taken}\n")
    assert main(["validate", "bada", "--sites", str(sites)]) == 2
    said = capsys.readouterr().err
    assert f"site/registry.csv:5: id {taken} is given to LAB ZINC here and to LAB BUN on line 3" in said
    assert "keep the line that was published first" in said


def test_an_adopted_local_concept_is_standard_where_it_is_written(lake: Path) -> None:
    snapshot = Lake(lake).site("bada").latest()
    concepts = {row["concept_id"]: row["standard_concept"] for row in pq.read_table(snapshot / "concept").to_pylist()}
    assert concepts == {2010000001: "S"}
    rows = pq.read_table(snapshot / "measurement").to_pylist()
    fall = next(row for row in rows if row["measurement_source_value"] == "FALL")
    assert (fall["measurement_concept_id"], fall["measurement_source_concept_id"]) == (2010000001, 2010000001)
    used = pq.read_table(snapshot / "source_to_concept_map").to_pylist()
    assert [row["target_vocabulary_id"] for row in used if row["target_concept_id"] == 2010000001] == ["LAB"]


def test_the_guide_shows_what_the_commands_print(repository: Path) -> None:
    guide = (repository / "docs/guide/mapping-desk.md").read_text("utf-8")
    for name in ("coverage.txt", "diff.txt", "registry.csv"):
        assert expected(name) in guide, f"docs/guide/mapping-desk.md shows another {name}"
    for part in expected("compare.txt").split("\n\n"):
        assert part in guide
    assert "\n".join(expected("bada_worklist.csv").splitlines()[:5]) in guide
