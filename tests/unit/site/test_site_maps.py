"""Fixed maps in CSV: what is read, and what is refused with its line."""

from __future__ import annotations

import pytest

from dure.site.fixed_maps import MapTarget, read_map


def read(text: str, encoding: str = "utf-8") -> tuple[dict[tuple[str, ...], MapTarget], list[str]]:
    fixed, problems = read_map("m", text.encode(encoding), "maps/m.csv")
    return (fixed.values if fixed else {}), [str(problem) for problem in problems]


def test_a_value_and_a_concept() -> None:
    values, problems = read("value,concept_id,note\n남,8507,\n 여 ,8532,여성\n\n", "utf-8-sig")
    assert problems == []
    assert values == {("남",): MapTarget(concept_id=8507), ("여",): MapTarget(concept_id=8532)}
    assert values["여",].where == "maps/m.csv:3"


def test_several_values_and_a_code_of_a_vocabulary() -> None:
    values, problems = read("vocabulary_id,value_2,concept_code,value_1\r\nUCUM,b,mg/dL,a\r\n")
    assert problems == []
    assert values == {("a", "b"): MapTarget(vocabulary_id="UCUM", concept_code="mg/dL")}


def test_a_text_with_a_comma_and_a_line_in_quotes() -> None:
    values, problems = read('value,text\n"서울,\n강남",Seoul\n부산,Busan\n부산,Pusan\n')
    assert values["서울,\n강남",] == MapTarget(text="Seoul")
    assert problems == ["maps/m.csv:5: '부산' is mapped twice (first at maps/m.csv:4)\n    remove one"]


_EXPECTED = "columns: value (or value_1, value_2, …), then concept_id, or vocabulary_id and concept_code, or text"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", [f"maps/m.csv:1: the file is empty\n    {_EXPECTED}"]),
        ("valeu,concept_id\na,1\n", [f"maps/m.csv:1: no column value, nor value_1, value_2 in order (closest: 'value')\n    {_EXPECTED}"]),
        ("value_1,value_3,concept_id\na,b,1\n", [f"maps/m.csv:1: no column value, nor value_1, value_2 in order\n    {_EXPECTED}"]),
        ("value,concept\na,1\n", [f"maps/m.csv:1: no column says what a value becomes (closest: 'concept_id')\n    {_EXPECTED}"]),
        ("value,concept_id,text\na,1,b\n", [f"maps/m.csv:1: targets concept_id, text, where one kind is needed\n    {_EXPECTED}"]),
        ("value,value,text\na,b,c\n", ["maps/m.csv:1: column value is there twice\n    remove one"]),
        ("value,concept_id\na,1,2\n", ["maps/m.csv:2: 3 fields where the header has 2\n    a value that holds a comma needs quotes"]),
        ("value,concept_id\na,\n", ["maps/m.csv:2: concept_id is empty\n    give the target, or remove the line"]),
        ("value,concept_id\n,1\n", ["maps/m.csv:2: value is empty\n    an empty cell of an extract has no concept"]),
        ("value,concept_id\na,12.0\nb,-1\n", [
            "maps/m.csv:2: '12.0' is not a concept id\n    a whole number from 0 to 2147483647",
            "maps/m.csv:3: '-1' is not a concept id\n    a whole number from 0 to 2147483647",
        ]),
        ("value,concept_id\na,1\nb,2\na,1\n", ["maps/m.csv:4: 'a' is mapped twice (first at maps/m.csv:2)\n    remove one"]),
        ("value_1,value_2,text\na,b,x\na,b,y\n", ["maps/m.csv:3: 'a' with 'b' is mapped twice (first at maps/m.csv:2)\n    remove one"]),
        ('value,concept_id\n"a,1\n', ["maps/m.csv:2: not a CSV: unexpected end of data\n    see that every quote is closed"]),
    ],
)  # fmt: skip
def test_what_a_map_file_may_not_be(text: str, said: list[str]) -> None:
    assert read(text)[1] == said


def test_a_map_file_that_is_not_utf_8() -> None:
    assert read("value,concept_id\n남,8507\n", "cp949")[1] == [
        "maps/m.csv:2: not UTF-8\n    save the file as CSV UTF-8"
    ]
