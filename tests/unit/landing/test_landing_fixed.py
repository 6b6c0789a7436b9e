"""Fixed width, counted in characters or in bytes of the stored text."""

from __future__ import annotations

import pytest
from landing_extract import Extract

LINES = ["0001김똠    A01.0", "0002홍길동  ", "", "0003", "0004남궁햏수B02.1 extra"]


def _by_bytes(number: str, name: str, code: str) -> bytes:
    """Ten bytes of name, as a legacy export pads it."""
    stored = name.encode("cp949")
    return number.encode() + stored + b" " * (10 - len(stored)) + code.encode()


def test_characters(extract: Extract) -> None:
    extract.write("x.txt", "\r\n".join(LINES) + "\r\n", "cp949")
    spans = {"번호": [1, 4], "이름": [5, 6], "코드": [11, 5]}
    extract.write(
        "x.txt", "\r\n".join(["0001김똠    A01.0", "0002홍길동", "", "0003", "0004남궁햏수  B02.1x"]), "cp949"
    )
    landed = extract.land("x.txt", format="fixed", columns=spans, encoding="cp949", key=["번호"])
    assert extract.cells() == [
        ("0001", "김똠", "A01.0"),
        ("0002", "홍길동", None),
        ("0003", None, None),
        ("0004", "남궁햏수", "B02.1"),
    ]
    assert [r["_row"] for r in extract.rows()] == [1, 2, 4, 5]
    assert (landed.rows_read, landed.rows_landed) == (4, 4)


def test_bytes(extract: Extract) -> None:
    lines = [b"title", _by_bytes("0001", "김똠", "A01.0"), b"", _by_bytes("0002", "제갈공명", "B02.1"), b"0003"]
    extract.write("x.txt", b"\n".join(lines))
    extract.land(
        "x.txt",
        format="fixed",
        unit="bytes",
        columns={"코드": ["15", "5"], "번호": ["1", "4"], "이름": ["5", "10"]},
        encoding="cp949",
        skip_lines="1",
        key=["번호"],
    )
    assert extract.cells() == [("A01.0", "0001", "김똠"), ("B02.1", "0002", "제갈공명"), (None, "0003", None)]
    assert [r["_row"] for r in extract.rows()] == [2, 4, 5]


@pytest.mark.parametrize("unit", ["characters", "bytes"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_undecodable_lines_are_rejected(extract: Extract, unit: str, encoding: str) -> None:
    lines = [f"{n:04}가".encode(encoding) for n in range(12)]
    lines[4] = b"0004\xff"
    lines.insert(2, b"")
    extract.write("x.txt", b"\n".join(lines) + b"\n")
    width = 10 if unit == "bytes" else 5
    landed = extract.land(
        "x.txt", format="fixed", unit=unit, columns={"a": [1, 4], "b": [5, width]}, encoding=encoding, key=["a"]
    )
    assert landed.rejected == {"undecodable": 1}
    assert extract.rejects() == [("x.txt", 6, "undecodable")]
    assert extract.raw_rejects() == [b"0004\xff\n"]
    assert [(r["a"], r["_row"]) for r in extract.rows()] == [
        (f"{n:04}", n + 1 if n < 2 else n + 2) for n in range(12) if n != 4
    ]


def test_utf_16_characters(extract: Extract) -> None:
    extract.write("x.txt", "01가나\n02다\n", "utf-16")
    extract.land("x.txt", format="fixed", columns={"a": [1, 2], "b": [3, 2]}, encoding="utf-16")
    assert extract.cells() == [("01", "가나"), ("02", "다")]


def test_a_mark_is_no_part_of_the_first_field_in_bytes(extract: Extract) -> None:
    extract.write("x.txt", "01가\n".encode("utf-8-sig"))
    extract.land("x.txt", format="fixed", unit="bytes", columns={"a": [1, 2], "b": [3, 3]})
    assert extract.cells() == [("01", "가")]


def test_many_blocks(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.fixed_width.BLOCK", 100)
    extract.write("x.txt", "".join(f"{n:05}다\n" for n in range(500)))
    extract.land("x.txt", format="fixed", columns={"a": [1, 5], "b": [6, 1]}, key=["a"])
    assert [(r["a"], r["b"], r["_row"]) for r in extract.rows()] == [(f"{n:05}", "다", n + 1) for n in range(500)]
