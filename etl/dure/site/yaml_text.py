"""YAML in which every scalar is text and every value knows its line.

A site's codes are texts such as `02`, `no` or `1`; YAML's own typing would turn them into a number or a truth value,
so nothing here is typed: the place where a scalar stands decides later what it means.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dure.errors import Problem

Step = str | int
_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})
# More nodes than any spec needs; stops a file whose anchors unfold into millions.
_MOST_NODES = 500_000


def closest(word: str, words: Iterable[str]) -> str:
    """' (closest: 'x')' for the most similar of `words`, or '' where none is similar."""
    # Compared letter by letter: a Hangul syllable counts as the two or three letters that it is made of.
    spelt = {unicodedata.normalize("NFD", known).casefold(): known for known in words}
    hit = difflib.get_close_matches(unicodedata.normalize("NFD", word).casefold(), spelt, 1, 0.6)
    return f" (closest: '{spelt[hit[0]]}')" if hit else ""


def joined_path(steps: Iterable[Step]) -> str:
    """`tables.person[0].gender` for a sequence of keys and positions."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif text:
            text += f".{step}"
        else:
            text = step
    return text


@dataclass
class Document:
    """One YAML file: `data` as text, lists and dicts, the lines of its nodes, and what is wrong with it as YAML."""

    file: str
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    _root: yaml.Node | None = None

    def trail(self, steps: Sequence[Step]) -> tuple[list[Step], int]:
        """The part of `steps` that the file really holds, and the line of its last node."""
        node, held = self._root, list[Step]()
        line = node.start_mark.line if node is not None else 0
        for step in steps:
            if isinstance(node, yaml.MappingNode):
                hit = next(((k, v) for k, v in node.value if k.value == step), None)
                if hit is None:
                    continue
                line, node = hit[0].start_mark.line, hit[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line
            else:
                continue
            held.append(step)
        return held, line + 1

    def line(self, steps: Sequence[Step]) -> int:
        return self.trail(steps)[1]

    def where(self, steps: Sequence[Step], line_of: Sequence[Step] | None = None) -> str:
        """`sites/bada/site.yaml:42 tables.person[0].gender`; the line is that of `line_of` where it differs."""
        held, line = self.trail(steps)
        if line_of is not None:
            line = self.line(line_of)
        return f"{self.file}:{line} {joined_path(held)}".rstrip()

    def problem(self, steps: Sequence[Step], found: str, do: str = "") -> Problem:
        return Problem(self.where(steps), found, do)


def read_yaml(path: Path, shown: str | None = None) -> Document:
    """The document at `path`; its mistakes are in `problems`, and `data` is None where it cannot be read at all."""
    document = Document(shown or str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        document.problems.append(
            Problem(f"{document.file}:{line}", "not UTF-8", "save the file as UTF-8; only extracts may be CP949")
        )
        return document
    try:
        document._root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        document.problems.append(
            Problem(f"{document.file}:{line}", "not YAML: a control character", "remove the character")
        )
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{document.file}:{mark.line + 1}" if mark else document.file
        what = re.sub(r"\s+", " ", error.problem or error.context or "it does not parse")
        document.problems.append(Problem(at, f"not YAML: {what}", _yaml_hint(what)))
        return document
    if document._root is None:
        document.problems.append(
            Problem(f"{document.file}:1", "the file is empty", "see the guide for a first site.yaml")
        )
        return document
    document.data = _Reader(document).plain(document._root)
    return document


def _yaml_hint(what: str) -> str:
    if "tab" in what or "\\t" in what:
        return "indent with spaces"
    if "undefined alias" in what:
        return "an alias *name needs an anchor &name above it; a value that begins with * needs quotes"
    if "another document" in what:
        return "a spec is one document; remove the line '---'"
    return "a value that holds ': ' or ' #', or begins with one of * & ! % @ ` { [, needs quotes"


class _Reader:
    """Turns nodes into plain text, lists and dicts; collects what YAML allows and a spec does not."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0
        self.open: set[int] = set()

    def _problem(self, node: yaml.Node, found: str, do: str) -> None:
        self.document.problems.append(Problem(f"{self.document.file}:{node.start_mark.line + 1}", found, do))

    def plain(self, node: yaml.Node) -> Any:
        self.nodes += 1
        if id(node) in self.open:
            self._problem(node, "an anchor holds itself", "write the value out")
            return None
        if self.nodes > _MOST_NODES:
            if self.nodes == _MOST_NODES + 1:
                self._problem(
                    node, f"more than {_MOST_NODES} values when the anchors are written out", "use fewer anchors"
                )
            return None
        if node.tag not in _PLAIN_TAGS:
            self._problem(
                node, f"tags such as {node.tag} are not read", "remove the tag; the place of a value says what it is"
            )
        if isinstance(node, yaml.ScalarNode):
            return None if node.value == "" and node.style is None else str(node.value)
        self.open.add(id(node))
        value = self._mapping(node) if isinstance(node, yaml.MappingNode) else [self.plain(item) for item in node.value]
        self.open.remove(id(node))
        return value

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "a key must be a text", "write one word, or quote it")
            elif key.value == "<<":
                self._problem(
                    key, "merge keys (<<) are not read", "write the keys out; an anchor for a whole value is fine"
                )
            elif key.value in out:
                self._problem(
                    key, f"key '{key.value}' is given twice in one mapping", "remove one; only the last would count"
                )
            else:
                out[str(key.value)] = self.plain(value)
        return out
