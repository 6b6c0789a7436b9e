"""YAML as text with lines, and what of YAML is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dure.site.yaml_text import closest, joined_path, read_yaml


def problems(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(problem) for problem in read_yaml(path, "site.yaml").problems]


def test_every_scalar_is_text_and_an_empty_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 02\nb: no\nc: 1e3\nd: ~\ne:\nf: ''\ng: [남, 2026-01-01, null]\n", encoding="utf-8")
    document = read_yaml(path)
    assert document.data == {
        "a": "02",
        "b": "no",
        "c": "1e3",
        "d": "~",
        "e": None,
        "f": "",
        "g": ["남", "2026-01-01", "null"],
    }
    assert document.problems == []


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("가: 나\r\n다: 라\r\n".encode("utf-8-sig"))
    assert read_yaml(path).data == {"가": "나", "다": "라"}


def test_lines_are_those_of_the_deepest_place_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "tables:\n  person:\n    - from: 환자\n      birth: {year: 년도}\n    - from: b\n", encoding="utf-8"
    )
    document = read_yaml(path, "site.yaml")
    assert (
        document.where(("tables", "person", 0, "birth", "<year>", "year")) == "site.yaml:4 tables.person[0].birth.year"
    )
    assert document.where(("tables", "person", 1, "nowhere")) == "site.yaml:5 tables.person[1]"
    assert document.where(()) == "site.yaml:1"


def test_a_place_behind_an_alias_has_the_line_where_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &x\n  k: 1\nb: *x\n", encoding="utf-8")
    document = read_yaml(path)
    assert document.data == {"a": {"k": "1"}, "b": {"k": "1"}}
    assert (document.line(("b",)), document.line(("b", "k"))) == (3, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "site.yaml:3: key 'a' is given twice in one mapping\n    remove one; only the last would count"),
        (
            "x: &x {k: 1}\ny:\n  <<: *x\n",
            "site.yaml:3: merge keys (<<) are not read\n    write the keys out; an anchor for a whole value is fine",
        ),
        ("a: !!int 3\n", "site.yaml:1: tags such as tag:yaml.org,2002:int are not read\n    remove the tag; the place of a value says what it is"),
        ("a: !!python/object/apply:os.system ['x']\n", "site.yaml:1: tags such as tag:yaml.org,2002:python/object/apply:os.system are not read\n    remove the tag; the place of a value says what it is"),
        ("? [a, b]\n: c\n", "site.yaml:1: a key must be a text\n    write one word, or quote it"),
        ("a: &x [1, *x]\n", "site.yaml:1: an anchor holds itself\n    write the value out"),
        ("", "site.yaml:1: the file is empty\n    see the guide for a first site.yaml"),
        ("a: 1\n---\nb: 2\n", "site.yaml:2: not YAML: but found another document\n    a spec is one document; remove the line '---'"),
        ("a: *x\n", "site.yaml:1: not YAML: found undefined alias 'x'\n    an alias *name needs an anchor &name above it; a value that begins with * needs quotes"),
        ("a:\n\t- b\n", "site.yaml:2: not YAML: found character '\\t' that cannot start any token\n    indent with spaces"),
        ("a: b: c\n", "site.yaml:1: not YAML: mapping values are not allowed here\n    a value that holds ': ' or ' #', or begins with one of * & ! % @ ` { [, needs quotes"),
        ("a: 1\nb: \x07\n", "site.yaml:2: not YAML: a control character\n    remove the character"),
        ("a: 1\nb: 환자\n".encode("cp949"), "site.yaml:2: not UTF-8\n    save the file as UTF-8; only extracts may be CP949"),
    ],
)  # fmt: skip
def test_what_a_spec_does_not_take_of_yaml(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert problems(tmp_path / "a.yaml", text) == [said]


def test_anchors_that_unfold_without_end_are_stopped(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    said = problems(tmp_path / "a.yaml", "\n".join(lines))
    assert [problem.split(": ")[1].split("\n")[0] for problem in said] == [
        "more than 500000 values when the anchors are written out"
    ]


@given(st.dictionaries(st.text("가나다abc01 :#-", min_size=1), st.text("환자 no1:#'\"", max_size=8), max_size=5))
def test_quoted_texts_come_back_as_they_are(tmp_path_factory: pytest.TempPathFactory, data: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"

    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    path.write_text("{" + ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in data.items()) + "}", encoding="utf-8")
    assert read_yaml(path).data == data


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("strat", ["start", "end"], " (closest: 'start')"),
        ("구븐", ["구분", "순번"], " (closest: '구분')"),
        ("kcd7", ["KCD7"], " (closest: 'KCD7')"),
        ("검사", ["patients"], ""),
        ("x", [], ""),
    ],
)
def test_the_closest_name(word: str, known: list[str], said: str) -> None:
    assert closest(word, known) == said


def test_a_path_is_written_with_dots_and_positions() -> None:
    assert joined_path(("tables", "person", 0, "key", 1)) == "tables.person[0].key[1]"
