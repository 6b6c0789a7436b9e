"""`dure vocab lint` and `dure vocab convert` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dure.cdm.schema import tables
from dure.cli import main
from dure.vocab.maps import read_map

CLEAN = "source_vocabulary_id,source_code,target_concept_id\nEDI,D2800020,3019550\n"
DIRTY = "source_vocabulary_id,source_code,target_concept_id\nKorean EDI,A1100,4154551.0\nEDI,NA,7\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "지도").mkdir()
    return tmp_path / "지도"


def written(folder: Path, text: str, name: str = "검사.csv") -> str:
    (folder / name).write_text(text, "utf-8", newline="")
    return f"지도/{name}"


def test_a_clean_map_ends_with_0(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "lint", written(folder, CLEAN)]) == 0
    assert capfd.readouterr().out == "0 findings in 1 map; without --vocab targets were not looked up\n"


def test_findings_as_json(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "lint", written(folder, DIRTY), "--format", "json"]) == 1
    assert json.loads(capfd.readouterr().out) == [
        {
            "file": "지도/검사.csv",
            "row": 2,
            "rule": "vocabulary_misspelt",
            "severity": "error",
            "message": "source_vocabulary_id is 'Korean EDI', Athena's id is EDI",
            "fix": "source_vocabulary_id becomes 'EDI'",
        },
        {
            "file": "지도/검사.csv",
            "row": 2,
            "rule": "target_not_an_id",
            "severity": "error",
            "message": "target_concept_id is the float 4154551.0",
            "fix": "target_concept_id becomes '4154551'",
        },
        {
            "file": "지도/검사.csv",
            "row": 3,
            "rule": "code_missing",
            "severity": "error",
            "message": "the source code is 'NA'",
            "fix": None,
        },
    ]


def test_findings_as_text_with_their_counts(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    many = CLEAN + "".join(f"EDI,X{number},0\n" for number in range(5))
    assert main(["vocab", "lint", written(folder, many), "--limit", "2"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("지도/검사.csv:3: warning code_shape: source_code 'X0' is no code of EDI: expected ")
    assert len([line for line in lines if line.startswith("지도/검사.csv:")]) == 2
    assert lines[-2].split()[:4] == ["5", "warning", "code_shape", "지도/검사.csv"]
    assert lines[-2].endswith("(2 shown; --limit 0 shows all)")
    assert lines[-1] == "5 findings in 1 map; without --vocab targets were not looked up"


def test_severity_leaves_out_what_is_less(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    waiting = written(folder, "source_code,target_concept_id,status\nA,7,unchecked\n")
    assert main(["vocab", "lint", waiting]) == 1
    assert main(["vocab", "lint", waiting, "--severity", "warning"]) == 0


def test_a_file_that_cannot_be_read_ends_with_2_and_the_others_are_linted(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [written(folder, DIRTY), written(folder, "a,b\n1,2\n", "다른.csv"), "지도/없음.csv"]
    assert main(["vocab", "lint", *files, "--format", "json"]) == 2
    shown = capfd.readouterr()
    found = json.loads(shown.out)
    assert [each["rule"] for each in found] == ["vocabulary_misspelt", "target_not_an_id", "code_missing"] + 2 * [
        "unreadable"
    ]
    assert [(each["file"], each["row"]) for each in found[3:]] == [("지도/다른.csv", 1), ("지도/없음.csv", None)]
    assert "no column source_code, target_concept_id" in shown.err and "Traceback" not in shown.err


def test_a_fixed_list_of_values_is_no_map_and_no_mistake(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "lint", written(folder, "value,concept_id\n양성,9191\n")]) == 0
    shown = capfd.readouterr()
    assert "0 findings in 0 maps" in shown.out and "fixed list" in shown.err


def test_the_spec_around_a_map_declares_its_vocabularies(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "source_vocabulary_id,source_code,target_concept_id\nLAB,패널,1\nLAB,패널,2\n"
    file = written(folder, text)
    assert main(["vocab", "lint", file]) == 1
    (folder.parent / "site.yaml").write_text("vocabularies:\n  LAB: {maps: [검사.csv], many_targets: yes}\n", "utf-8")
    assert main(["vocab", "lint", file]) == 0
    (folder.parent / "site.yaml").write_text("vocabularies: [oops\n", "utf-8")
    assert main(["vocab", "lint", file]) == 1
    assert main(["vocab", "lint", file, "--own", "LAB", "--many-targets", "LAB"]) == 0
    capfd.readouterr()


def test_fix_shows_and_writes_and_dry_run_only_shows(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = written(folder, DIRTY)
    path = folder / "검사.csv"
    path.chmod(0o640)
    assert main(["vocab", "lint", file, "--fix", "--dry-run", "--quiet"]) == 1
    dry = capfd.readouterr().out
    assert "-Korean EDI,A1100,4154551.0\n+EDI,A1100,4154551\n" in dry
    assert "검사.csv:3: error code_missing" in dry and "vocabulary_misspelt" not in dry
    assert path.read_text("utf-8") == DIRTY
    assert main(["vocab", "lint", file, "--fix", "--quiet"]) == 1
    assert capfd.readouterr().out == dry
    assert path.read_text("utf-8") == DIRTY.replace("Korean EDI,A1100,4154551.0", "EDI,A1100,4154551")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in folder.iterdir()) == ["검사.csv"]
    assert main(["vocab", "lint", file, "--dry-run"]) == 2
    assert "--dry-run: given without --fix" in capfd.readouterr().err


def test_fix_beside_json_keeps_standard_output_json(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "lint", written(folder, DIRTY), "--fix", "--format", "json"]) == 1
    shown = capfd.readouterr()
    assert [each["rule"] for each in json.loads(shown.out)] == ["code_missing"]
    assert "+EDI,A1100,4154551" in shown.err


def test_targets_are_looked_up_in_a_vocabulary(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    concepts = (
        "1001\t포도당\tMeasurement\tLOINC\tLab Test\tS\t2345-7\t19700101\t20991231\t",
        "1002\t옛것\tMeasurement\tLOINC\tLab Test\t\t2345-6\t19700101\t20200101\tU",
    )
    rows = {
        "VOCABULARY": ("None\t시험\t\tv9.9 01-JAN-26\t1",),
        "CONCEPT": concepts,
        "CONCEPT_RELATIONSHIP": ("1002\t1001\tConcept replaced by\t19700101\t20991231\t",),
    }
    (folder.parent / "어휘").mkdir()
    for name, table in tables().items():
        if table.vocabulary and name != "source_to_concept_map":
            lines = ["\t".join(table.names), *rows.get(name.upper(), ())]
            (folder.parent / "어휘" / f"{name.upper()}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    text = (
        "source_vocabulary_id,source_code,target_concept_id,target_vocabulary_id\n"
        "EDI,D2800020,1001,LOINC\nEDI,D2800050,1002,LOINC\nEDI,D2800060,1003,LOINC\nEDI,D2800070,1001,SNOMED\n"
    )
    for more in ([], ["--lake", "호수"]):
        assert main(["vocab", "lint", written(folder, text), "--vocab", "어휘", "--format", "json", *more]) == 1
        found = json.loads(capfd.readouterr().out)
        assert [(each["row"], each["rule"], each["severity"]) for each in found] == [
            (3, "target_invalid", "warning"),
            (4, "target_unknown", "error"),
            (5, "target_contradicts_vocabulary", "error"),
            (5, "target_contradicts_itself", "error"),
        ]


def test_convert_to_usagi_and_back(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = (
        "source_vocabulary_id,source_code,description_ko,target_concept_id,status,reviewer,우리 열\n"
        'EDI,A1100,의료최고도,4154551,approved,김검토,"가, 나"\nEDI,A1101,의료최고도,4154551,unchecked,,\n'
    )
    file = written(folder, text)
    assert main(["vocab", "convert", file, "--to", "usagi", "-o", "usagi.csv", "--quiet"]) == 0
    assert main(["vocab", "convert", "usagi.csv", "--to", "dure", "-o", "dure.xlsx", "--quiet"]) == 0
    assert capfd.readouterr().out == "usagi.csv\ndure.xlsx\n"
    assert "ADD_INFO:우리 열" in (folder.parent / "usagi.csv").read_text("utf-8").splitlines()[0]
    before, after = (list(read_map(Path(name)).entries()) for name in (file, "dure.xlsx"))
    assert [
        (each.source_code, each.description_ko, each.status, each.reviewer, dict(each.extra)) for each in after
    ] == [(each.source_code, each.description_ko, each.status, each.reviewer, dict(each.extra)) for each in before]


def test_convert_writes_over_nothing_unless_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = written(folder, CLEAN)
    assert main(["vocab", "convert", file, "--to", "dure", "-o", file]) == 2
    assert "is there already" in capfd.readouterr().err
    assert (folder / "검사.csv").read_text("utf-8") == CLEAN
    assert main(["vocab", "convert", file, "--to", "dure", "-o", file, "--force"]) == 0
    ragged = written(folder, CLEAN + "EDI,A,1,2\n", "어긋남.csv")
    assert main(["vocab", "convert", ragged, "--to", "dure", "-o", "out.csv"]) == 2
    assert "어긋남.csv:3: 4 cells, the header has 3" in capfd.readouterr().err


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=120) | st.binary(max_size=90).map(lambda tail: CLEAN.encode() + tail))
def test_no_bytes_make_it_fall(folder: Path, capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    (folder / "검사.csv").write_bytes(content)
    assert main(["vocab", "lint", "지도/검사.csv", "--fix", "--dry-run"]) in (0, 1, 2)
    assert (folder / "검사.csv").read_bytes() == content
    assert "Traceback" not in capfd.readouterr().err
