"""Writes docs/guide/semantics.md: each rule of the semantics with one of the scenarios that pin it.

The rules stand in tests/scenarios/rules.csv. Run by `make docs`; tests/scenarios/test_rules.py fails when the page is
not what this writes.

    rule       its name, section first
    section    the heading it stands under; sections come in the order in which they first occur
    statement  one sentence
    pinned_by  scenario folders (TABLE/NN_NAME) and tests (tests/….py::test_…) that fail when the rule is broken
    shows      what the page shows of the first scenario, where that is not its inputs and the rows of its table:
               FILE, FILE:1-3,5 (these data rows), site.yaml#KEY (that part of the spec)
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
SCENARIOS = REPOSITORY / "tests" / "scenarios"
RULES = SCENARIOS / "rules.csv"
PAGE = REPOSITORY / "docs" / "guide" / "semantics.md"
COMMAND = "make docs"

MOST_ROWS = 6
LONGEST_NAME = 36
LONGEST_CELL = 60

HEAD = """\
# What a right row is

<!-- Written by docs/generate_semantics.py (`make docs`) from tests/scenarios/rules.csv: change the rules there. -->

Each rule by which rows of a hospital become rows of the CDM, with rows in and rows out. The rows are those of a scenario
in [tests/scenarios](../../tests/scenarios): a small hospital as a folder, and what must come of it. `make test` runs them
all, so what this page shows is what Dure does.

An empty cell is NULL. A concept id is followed by the name of the concept. *In place of an id*, columns such as `person`
and `visit` show the source's own number of the row that the id points at. Of long tables the first rows are shown, and
columns without content are left out. Rules without rows are laws over all inputs; the test that holds them is named.
"""


@dataclass(frozen=True)
class Rule:
    """One line of rules.csv."""

    rule: str
    section: str
    statement: str
    pinned_by: tuple[str, ...]
    shows: tuple[str, ...]

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenario folders, below tests/scenarios."""
        return tuple(name for name in self.pinned_by if "::" not in name)

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests, from the repository's root."""
        return tuple(name for name in self.pinned_by if "::" in name)


def rules() -> list[Rule]:
    """The rules in their order."""
    with RULES.open(encoding="utf-8", newline="") as file:
        return [
            Rule(
                line["rule"],
                line["section"],
                line["statement"],
                tuple(line["pinned_by"].split()),
                tuple((line["shows"] or "").split()),
            )
            for line in csv.DictReader(file)
        ]


def page(of: Sequence[Rule]) -> str:
    """The whole page."""
    sections = list(dict.fromkeys(rule.section for rule in of))
    links = [f"[{section}](#{section.lower().replace(' ', '-')})" for section in sections]
    blocks = [HEAD, " · ".join(links) + "\n"]
    for section in sections:
        blocks.append(f"## {section}\n")
        for rule in of:
            if rule.section == section:
                blocks += [f"### `{rule.rule}`\n", f"{rule.statement}\n", *_example(rule), _pins(rule)]
    return "\n".join(blocks)


def _example(rule: Rule) -> Iterator[str]:
    if not rule.scenarios:
        return
    folder = SCENARIOS / rule.scenarios[0]
    site = yaml.safe_load((folder / "site.yaml").read_text(encoding="utf-8"))
    came = False
    for show in rule.shows or _usual(folder):
        name, _, rows = show.partition(":")
        if name.startswith("expected_") and not came:
            came = True
            yield "is refused:\n" if name == "expected_error.txt" else "becomes\n"
        if name.startswith("site.yaml#"):
            yield _block("yaml", _part(folder / "site.yaml", name.partition("#")[2]))
        elif name.endswith(".sql"):
            yield _block("sql", (folder / name).read_text(encoding="utf-8"))
        elif name == "expected_error.txt":
            yield _block("text", "… " + " … ".join((folder / name).read_text(encoding="utf-8").split("\n")[:-1]) + " …")
        else:
            yield _table(folder, name, rows, site)


def _usual(folder: Path) -> list[str]:
    """What is shown when nothing is said: the inputs but for the patients, then what is expected of the table."""
    inputs = sorted(path.name for path in folder.glob("*.csv") if not path.name.startswith("expected_"))
    told = [name for name in inputs if name != "patients.csv"] if folder.parent.name != "person" else inputs
    expected = folder / f"expected_{folder.parent.name}.csv"
    return [*(told or inputs), expected.name if expected.exists() else "expected_error.txt"]


def _table(folder: Path, name: str, rows: str, site: dict[str, Any]) -> str:
    header, *lines = _cells(folder / name, name, site)
    chosen = [lines[n - 1] for n in _numbers(rows)] if rows else lines[:MOST_ROWS]
    kept = [n for n in range(len(header)) if any(line[n] for line in chosen)]
    ours = name.startswith("expected_")
    title = f"`{name.removeprefix('expected_').removesuffix('.csv')}`" if ours else f"`{name.removeprefix('../../')}`"
    if not kept:
        return f"{title}: no rows\n"
    more = f", the first {MOST_ROWS} of {len(lines)} rows" if not rows and len(lines) > MOST_ROWS else ""
    table = [
        [_escaped(header[n]) for n in kept],
        ["---"] * len(kept),
        *([_shown(line[n], header[n] if ours else "") for n in kept] for line in chosen),
    ]
    return "\n".join([f"{title}{more}\n", *("| " + " | ".join(line) + " |" for line in table), ""])


def _cells(path: Path, name: str, site: dict[str, Any]) -> list[list[str]]:
    """The header and the rows of a file, as the site declares it to be written."""
    defaults = site.get("defaults") or {}
    source = next((each for each in site["sources"].values() if each.get("path") == name), {})
    declared = {**defaults, **source} if source else {}
    text = path.read_bytes().decode(declared.get("encoding", "utf-8-sig")).removeprefix("\ufeff")
    lines = [
        [cell.strip() for cell in line]
        for line in csv.reader(StringIO(text, newline=""), delimiter=declared.get("delimiter", ","))
        if line
    ]
    if "header" in declared:
        lines.insert(0, list(declared["header"]))
    return lines


def _numbers(rows: str) -> list[int]:
    """The row numbers of `1-3,5`."""
    found: list[int] = []
    for part in rows.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _shown(cell: str, column: str) -> str:
    name = concept_names().get(cell, "") if column.endswith("concept_id") and cell != "0" else ""
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1].rstrip() + "…"
    if len(cell) > LONGEST_CELL:
        cell = cell[: LONGEST_CELL - 1].rstrip() + f"… ({len(cell)} characters)"
    return _escaped(f"{cell} {name}".strip())


def _escaped(text: str) -> str:
    for mark in "\\|*`[]<":
        text = text.replace(mark, f"\\{mark}")
    return "<br>".join(text.splitlines())


@cache
def concept_names() -> dict[str, str]:
    """Concept id -> name, of the scenarios' own vocabulary."""
    with (SCENARIOS / "vocabulary" / "CONCEPT.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {line["concept_id"]: line["concept_name"] for line in reader}


def _part(path: Path, key: str) -> str:
    """The lines of a YAML file that belong to a key, wherever it first stands."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
        end += 1
    return dedent("\n".join(lines[start:end])) + "\n"


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _pins(rule: Rule) -> str:
    links = [f"[{name}](../../tests/scenarios/{name})" for name in rule.scenarios]
    files = dict.fromkeys(name.partition("::")[0] for name in rule.tests)
    links += [f"[{name.removeprefix('tests/')}](../../{name})" for name in files]
    return f"Held by {', '.join(links)}.\n"


if __name__ == "__main__":
    written = page(rules())
    PAGE.write_text(written, encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(REPOSITORY)}: {len(rules())} rules\n")
