"""`dure vocab load` with a download of one concept."""

from __future__ import annotations

from pathlib import Path

import pytest

from dure.cdm.schema import tables
from dure.cli import main

ROWS = {
    "VOCABULARY": ("None\t시험\t\tv9.9 01-JAN-26\t1",),
    "CONCEPT": ("8532\tFEMALE\tGender\tGender\tGender\tS\tF\t19700101\t20991231\t",),
    "CONCEPT_RELATIONSHIP": ("8532\t99\tMaps to\t19700101\t20991231\t",),
}


@pytest.fixture
def download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "어휘"
    folder.mkdir()
    for name, table in tables().items():
        if table.vocabulary and name != "source_to_concept_map":
            lines = ["\t".join(table.names), *ROWS.get(name.upper(), ())]
            (folder / f"{name.upper()}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_the_store_and_its_counts_are_printed(download: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vocab", "load", "어휘", "--lake", "호수"]) == 0
    folder, *counts = capfd.readouterr().out.splitlines()
    assert Path(folder).is_absolute()
    assert Path(folder).parent == download.parent / "호수" / "vocab"
    assert "  CONCEPT                              1 rows" in counts
    assert (
        "  CONCEPT_RELATIONSHIP                 1 rows, 1 of them name a concept that is not in this download" in counts
    )
    assert "  DRUG_STRENGTH                        0 rows" in counts


def test_the_same_download_is_stored_once_and_for_its_owner_alone(
    download: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = []
    for _ in range(2):
        assert main(["vocab", "load", "어휘", "--lake", "호수", "--quiet"]) == 0
        said.append(capfd.readouterr())
    assert said[0] == said[1]
    assert said[0].err == ""
    (store,) = (download.parent / "호수" / "vocab").iterdir()
    assert said[0].out == f"{store}\n"
    assert {path.stat().st_mode & 0o077 for path in (download.parent / "호수").rglob("*")} == {0}


def test_a_folder_that_is_no_download_is_refused(download: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (download / "CONCEPT.csv").unlink()
    assert main(["vocab", "load", "어휘", "--lake", "호수"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "CONCEPT" in err
    assert main(["vocab", "load", "없음", "--lake", "호수"]) == 2
    assert capfd.readouterr().err == "Error: DIR: 없음 is not there\n    name a folder\n"
