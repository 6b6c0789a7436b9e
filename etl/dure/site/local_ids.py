"""`registry.csv`: the id that each code of a hospital was given, for good.

One line a code, sorted, in the folder of the owner. A line never changes and never goes, even when its concept leaves
`concepts.csv`: rows in somebody's CDM may have the id. Branches of a repository that both add lines merge as text;
what merging may break is found here and said with its way out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dure.errors import Problem
from dure.site.local_concepts import BLOCK, LocalConcept

FILE = "registry.csv"
COLUMNS = ("vocabulary_id", "concept_code", "concept_id")
Code = tuple[str, str]
_MARKS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass(frozen=True)
class LocalIds:
    """The ids of one owner by (vocabulary, code), and the line of each."""

    ids: Mapping[Code, int]
    lines: Mapping[Code, int]


def read_local_ids(content: bytes, shown: str, owner: str, blocks: Mapping[str, int]) -> tuple[LocalIds, list[Problem]]:
    """The registry of one owner; every mistake of the file, what a merge of two branches leaves among them."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return LocalIds({}, {}), [Problem(shown, "not UTF-8", "restore it: only `dure vocab local` writes this file")]
    marked = [n for n, line in enumerate(text.splitlines(), 1) if line.startswith(_MARKS)]
    if marked:
        do = f"keep the lines of both sides, remove the marks, then run `dure vocab local {owner}`: it sorts them"
        return LocalIds({}, {}), [Problem(f"{shown}:{marked[0]}", "a merge was left unfinished here", do)]
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    if header != list(COLUMNS):
        return LocalIds({}, {}), [Problem(f"{shown}:1", "another header", "write " + ",".join(COLUMNS))]
    ids, lines, first_of = dict[Code, int](), dict[Code, int](), dict[int, Code]()
    problems = []
    block = blocks.get(owner)
    for cells in reader:
        where = f"{shown}:{reader.line_num}"
        if not cells:
            continue
        if len(cells) != len(COLUMNS) or not all(cells) or not cells[2].isascii() or not cells[2].isdigit():
            problems.append(Problem(where, "is no line of a registry", "restore it; it is " + ",".join(COLUMNS)))
            continue
        code, number = (cells[0], cells[1]), int(cells[2])
        if block is None or not block <= number < block + BLOCK:
            expected = f"ids from {block} to {block + BLOCK - 1}" if block else f"a line for {owner} in blocks.csv"
            problems.append(Problem(where, f"id {number} is not in the block of {owner}", expected))
        if code in ids and ids[code] != number:
            problems.append(
                Problem(
                    where,
                    f"{code[0]} {code[1]} has id {number} here and {ids[code]} on line {lines[code]}",
                    "two branches gave it different ids: keep the line that was published first, delete the other",
                )
            )
            continue
        if number in first_of and first_of[number] != code:
            other = first_of[number]
            problems.append(
                Problem(
                    where,
                    f"id {number} is given to {code[0]} {code[1]} here and to {other[0]} {other[1]} on line {lines[other]}",
                    "two branches gave the same id: keep the line that was published first, delete the other line here "
                    f"and in concepts.csv, then run `dure vocab local {owner}`: it gives that code another id",
                )
            )
            continue
        ids[code], lines[code] = number, reader.line_num
        first_of[number] = code
    return LocalIds(ids, lines), problems


def check_concepts(concepts: Iterable[LocalConcept], known: LocalIds, shown: str, registry: str) -> list[Problem]:
    """What of `concepts.csv` contradicts the registry: another id for a code, or an id that another code was given."""
    problems = []
    of_id = {number: code for code, number in known.ids.items()}
    for concept in concepts:
        code = (concept.vocabulary_id, concept.concept_code)
        given = known.ids.get(code)
        if given is not None and given != concept.concept_id:
            found = (
                f"{code[0]} {code[1]} has id {concept.concept_id}, but {registry}:{known.lines[code]} gave it {given}"
            )
            problems.append(Problem(shown, found, f"write {given}: an id once given stays"))
        elif given is None and concept.concept_id in of_id:
            other = of_id[concept.concept_id]
            found = (
                f"{code[0]} {code[1]} has id {concept.concept_id}, which {registry}:{known.lines[other]} gave to "
                f"{other[0]} {other[1]}"
            )
            do = "remove the line, then run `dure vocab local`: it gives the code an id of its own"
            problems.append(Problem(shown, found, do))
    return problems


def registry_text(ids: Mapping[Code, int]) -> str:
    """The file, one line a code, sorted by vocabulary and code."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*code, number) for code, number in sorted(ids.items()))
    return text.getvalue()
