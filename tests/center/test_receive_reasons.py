"""The sentences of the reasons: each there in both languages, with the same places to fill."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from string import Formatter

import pytest

from dure.center.receive.refused import Finding, plain

SOURCES = "etl/dure/center/receive"


def reasons(repository: Path) -> dict[str, dict[str, str]]:
    with (repository / SOURCES / "reasons.csv").open(encoding="utf-8", newline="") as file:
        return {row["reason"]: row for row in csv.DictReader(file)}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_each_reason_is_said_in_both_languages(repository: Path) -> None:
    for name, row in reasons(repository).items():
        assert all(row.values()), name
        for part in ("found", "expected", "do"):
            assert places(row[f"{part}_en"]) == places(row[f"{part}_ko"]), (name, part)
            assert re.search("[가-힣]", row["do_ko"]), name
            assert not re.search("[가-힣]", row[f"{part}_en"]), name


def test_each_reason_that_the_code_gives_has_its_words_and_the_other_way_round(repository: Path) -> None:
    code = "\n".join(path.read_text("utf-8") for path in sorted((repository / SOURCES).glob("*.py")))
    given = set(re.findall(r'(?:refuse|Finding)\(\s*"([a-z_]+)"', code))
    assert given == reasons(repository).keys()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("person/part-00000.parquet", True),
        ("../x", False),
        ("a b", False),
        ("환자", False),
        ("\x1b[31m", False),
        ("x" * 200, False),
        ("", False),
    ],
)
def test_only_plain_names_are_shown(name: str, shown: bool) -> None:
    assert plain(name) == (name if shown else "(a name that is not shown)")


def test_numbers_are_written_for_people() -> None:
    finding = Finding("another_count", "person", {"found": 1_234_567, "expected": 12})
    assert str(finding.problem()).splitlines()[0] == (
        "person: holds 1,234,567 rows; expected: 12 rows, as the manifest says"
    )
    assert finding.said("ko")["found"] == "1,234,567행이 들어 있습니다"
