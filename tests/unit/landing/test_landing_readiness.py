"""Whether an extract is ready, by its files' names, times and rows."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dure.errors import ExtractNotReadyError
from dure.landing import Landed, refuse_unready, source_files
from dure.landing.readiness import refuse_changed_since, refuse_small
from dure.site.spec import Arrival, FileSource

NOW = datetime(2026, 3, 15, 2, tzinfo=UTC)
SOURCES = {
    "patient": FileSource.model_validate({"path": "환자.csv"}),
    "code": FileSource.model_validate({"path": "코드.csv", "role": "lookup"}),
}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    folder = tmp_path / "자료"
    folder.mkdir()
    written(folder / "환자.csv", hours_ago=3)
    written(folder / "코드.csv", hours_ago=5000)
    return folder


def written(path: Path, *, hours_ago: float) -> None:
    path.write_text("번호\n1\n", "utf-8")
    moment = (NOW - timedelta(hours=hours_ago)).timestamp()
    os.utime(path, (moment, moment))


def asked(extract: Path, sources: dict[str, FileSource] = SOURCES, **spec: Any) -> list[str]:
    """What the check finds; nothing where the extract is ready."""
    try:
        refuse_unready(Arrival.model_validate(spec), sources, extract, NOW)
    except ExtractNotReadyError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_an_extract_that_says_nothing_of_its_times_is_ready(extract: Path) -> None:
    assert asked(extract) == []


def test_no_folder_and_an_empty_one(extract: Path) -> None:
    assert asked(extract / "없음")[0].startswith(f"--source: there is no folder {extract / '없음'}")
    empty = extract / "빈"
    empty.mkdir()
    (empty / ".진단.csv.part").touch()
    assert asked(empty)[0].startswith(f"--source: the folder {empty} is empty")
    assert asked(empty, {}) == [], "a site without files has nothing to wait for"


def test_the_marker_must_be_there(extract: Path) -> None:
    assert asked(extract, ready="_DONE") == [
        f"extract.ready: there is no _DONE in {extract}\n    wait for the export to write it when it is done"
    ]
    written(extract / "_DONE", hours_ago=2)
    assert asked(extract, ready="_DONE") == []


def test_a_marker_of_the_night_before_does_not_count(extract: Path) -> None:
    written(extract / "_DONE", hours_ago=20)
    assert asked(extract, ready="_DONE") == [
        "extract.ready: _DONE is older than sources.patient 환자.csv\n"
        "    wait for the export to write it anew when it is done"
    ]


def test_sources_of_rows_must_be_new(extract: Path) -> None:
    assert asked(extract, max_age="4h") == []
    assert asked(extract, max_age="120m")[0].startswith(
        "sources.patient: its newest file 환자.csv is of 2026-03-14 23:00 UTC, older than 120m\n"
    )


def test_a_source_may_be_older_or_must_be_newer(extract: Path) -> None:
    older = {"patient": FileSource.model_validate({"path": "환자.csv", "max_age": "2d"})}
    assert asked(extract, older, max_age="1h") == []
    lookup = {"code": FileSource.model_validate({"path": "코드.csv", "role": "lookup", "max_age": "7d"})}
    assert "older than 7d" in asked(extract, lookup)[0]


def test_the_newest_file_of_a_source_counts(extract: Path) -> None:
    written(extract / "환자2.csv", hours_ago=100)
    two = {"patient": FileSource.model_validate({"path": "환자*.csv"})}
    assert asked(extract, two, max_age="4h") == []


def test_files_must_have_been_left_alone(extract: Path) -> None:
    assert asked(extract, settled="10m") == []
    written(extract / "환자.csv", hours_ago=0.1)
    assert asked(extract, settled="10m")[0].startswith("sources.patient: 환자.csv was written less than 10m ago")
    written(extract / "환자.csv", hours_ago=-1)
    assert asked(extract, settled="10m") != [], "a clock that went back"


def test_sources_whose_changes_did_not_come_are_not_asked(extract: Path) -> None:
    changing = {
        "visit": FileSource.model_validate(
            {"path": "내원.csv", "key": "번호", "changes": {"path": "내원_변경.csv", "marker": "구분", "insert": "I"}}
        )
    }
    assert asked(extract, changing, max_age="1h") == []
    written(extract / "내원_변경.csv", hours_ago=9)
    assert "내원_변경.csv is of 2026-03-14 17:00 UTC, older than 1h" in asked(extract, changing, max_age="1h")[0]


@pytest.mark.parametrize("how", ["came", "went", "changed"])
def test_files_that_come_and_go_while_others_are_read(extract: Path, how: str) -> None:
    sources = {"patient": FileSource.model_validate({"path": "환자*.csv"})}
    found = {"patient": source_files("patient", sources["patient"], extract)}
    refuse_changed_since(found, sources, extract)
    written(extract / "환자_2.csv", hours_ago=1)
    if how == "changed":
        found = {"patient": source_files("patient", sources["patient"], extract)}
        written(extract / "환자_2.csv", hours_ago=0)
    elif how == "went":
        found = {"patient": source_files("patient", sources["patient"], extract)}
        (extract / "환자_2.csv").unlink()
    with pytest.raises(ExtractNotReadyError) as error:
        refuse_changed_since(found, sources, extract)
    assert [str(p).splitlines()[0] for p in error.value.problems] == [
        f"sources.patient 환자_2.csv: the file {how} while the extract was read"
    ]


def landed(rows: int, **given: Any) -> Landed:
    counts = {"rejected": {}, "opted_out": 0, "new_columns": (), "warnings": (), "columns": (), "files": ()}
    return Landed(name="patient", rows_read=rows, rows_landed=rows, **(counts | given))


@pytest.mark.parametrize(
    ("now", "before", "spec", "source", "refused"),
    [
        (500, 1000, {}, {}, False),
        (499, 1000, {}, {}, True),
        (0, 1000, {}, {}, True),
        (0, 1000, {"at_least": "0"}, {}, False),
        (799, 1000, {}, {"at_least": "0.8"}, True),
        (100, 1000, {}, {"at_least": "0.1"}, False),
        (1, 99, {}, {}, False),
        (1, 99, {}, {"at_least": "0.5"}, True),
        (10, 0, {}, {}, False),
    ],
)
def test_far_fewer_rows_than_before(
    now: int, before: int, spec: dict[str, Any], source: dict[str, Any], refused: bool
) -> None:
    declared = FileSource.model_validate({"path": "환자.csv"} | source)
    try:
        refuse_small(landed(now), declared, Arrival.model_validate(spec), before)
        said = ""
    except ExtractNotReadyError as error:
        said = str(error)
    assert bool(said) == refused
    assert not said or f"sources.patient: {now:,} rows, " in said


def test_a_night_of_changes_may_be_small(extract: Path) -> None:
    changes = landed(1, rows_before=1000, by_changes={"replaced": 1})
    refuse_small(changes, SOURCES["patient"], Arrival(), 1000)
