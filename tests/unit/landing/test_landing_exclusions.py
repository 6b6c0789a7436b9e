"""The list of patients who opted out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dure.errors import ConfigurationError
from dure.landing import read_exclusions


def _file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "exclusions.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_keys_as_the_key_text_has_them(tmp_path: Path, encoding: str) -> None:
    text = '병원,환자번호,date,reason\r\nA,1|2,2024-01-31,철회\r\n\r\n나, 3 ,20240201,"본인 요청, 서면"\r\n'
    assert read_exclusions(_file(tmp_path, text, encoding)) == {"A|1\\|2", "나|3"}


def test_a_list_of_nobody(tmp_path: Path) -> None:
    assert read_exclusions(_file(tmp_path, "환자번호,date,reason\n")) == frozenset()


def test_an_objection_holds_whatever_its_date(tmp_path: Path) -> None:
    assert read_exclusions(_file(tmp_path, "환자번호,date,reason\n1,2999-12-31,\n")) == {"1"}


def test_every_line_that_is_not_understood_is_named_without_its_content(tmp_path: Path) -> None:
    path = _file(tmp_path, "환자번호,date,reason\n비밀1,2024-13-01,\n,2024-01-01,\n비밀2\n비밀3,2024-01-01,x\n")
    with pytest.raises(ConfigurationError) as error:
        read_exclusions(path)
    assert [(p.where.rsplit(":")[-1], p.found) for p in error.value.problems] == [
        ("2", "has no valid date"),
        ("3", "has no complete patient key"),
        ("4", "has 1 fields"),
    ]
    assert "비밀" not in str(error.value)


def test_a_list_by_another_key_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "병원,환자번호,date,reason\nA,1,2024-01-31,철회\n")
    assert read_exclusions(path, {2, 3}) == {"A|1"}
    with pytest.raises(
        ConfigurationError, match=r"exclusions\.csv:1: names patients by 2 columns, but their key has 1 or 3"
    ):
        read_exclusions(path, {3, 1})


@pytest.mark.parametrize("text", ["", "환자번호\n", "1,2024-01-01,x\n"])
def test_a_list_needs_its_header(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"exclusions\.csv:1: is not the header"):
        read_exclusions(_file(tmp_path, text))


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_exclusions(tmp_path / "exclusions.csv")


def test_an_unknown_encoding(tmp_path: Path) -> None:
    (tmp_path / "exclusions.csv").write_bytes(b"\xff\xfea,date,reason\n")
    with pytest.raises(ConfigurationError, match="neither UTF-8 nor CP949"):
        read_exclusions(tmp_path / "exclusions.csv")
