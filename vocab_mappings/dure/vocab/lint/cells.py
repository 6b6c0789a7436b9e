"""Rules on what single cells hold: placeholders, lengths, formulas, words of a fixed list, vocabulary ids."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator

from dure.vocab.lint.finding import Edit, Found
from dure.vocab.lint.linted import LintedMap
from dure.vocab.lint.reference import athena_ids, vocabulary_written
from dure.vocab.lint.registry import rule
from dure.vocab.maps.entry import EQUIVALENCES, MAPPING_TYPES, STATUSES, is_placeholder
from dure.vocab.maps.fields import fields
from dure.vocab.maps.grid import Sheet

# The widths of source_to_concept_map in CDM 5.4.
_LONGEST = {
    "source_code": 50,
    "source_vocabulary_id": 20,
    "description": 255,
    "description_en": 255,
    "description_ko": 255,
    "target_vocabulary_id": 20,
    "invalid_reason": 1,
}
_DATES = ("valid_start_date", "valid_end_date")
# Other rules judge these, or a placeholder there is a word.
_NOT_FLAGGED = frozenset(
    {"source_code", "target_concept_id", "description", "description_en", "description_ko", "comment",
     "invalid_reason", "frequency", "match_score", "target_concept_name", *_DATES}
)  # fmt: skip
_SPREADSHEET_ERRORS = frozenset({"#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#N/A"})
_LAST_PART = re.compile(r"[;,]\s*(?:NA|N/A|NULL|None|nan|NaN)\s*(?=$|[;,])")
_HEADER = "source_vocabulary_id,source_code,target_concept_id"


@rule(
    "warning",
    finds="a placeholder (`NA`, `-`, `NULL`, `#N/A`) in a cell that should be empty.",
    because="To a program it is text: the vocabulary `NA`, the concept `NA`.",
    passing=f"{_HEADER},target_vocabulary_id\nEDI,A1100,0,\n",
    failing=f"{_HEADER},target_vocabulary_id\nEDI,A1100,0,NA\n",
    fix="Empties the cell.",
)
def placeholder(linted: LintedMap) -> Iterator[Found]:
    yield from _placeholders(linted, [name for name in fields() if name not in _NOT_FLAGGED])


@rule(
    "warning",
    finds="a placeholder in `invalid_reason`.",
    because="The CDM allows D, U or nothing; `NA` does not fit its one character.",
    passing=f"{_HEADER},invalid_reason\nEDI,A1100,4154551,\n",
    failing=f"{_HEADER},invalid_reason\nEDI,A1100,4154551,NA\n",
    fix="Empties the cell.",
)
def placeholder_flag(linted: LintedMap) -> Iterator[Found]:
    yield from _placeholders(linted, ["invalid_reason"])


@rule(
    "warning",
    finds="a placeholder or `00000000` in a validity date.",
    because="It is no date; an empty cell says that the row always applies.",
    passing=f"{_HEADER},valid_start_date\nEDI,A1100,4154551,\n",
    failing=f"{_HEADER},valid_start_date\nEDI,A1100,4154551,NA\n",
    fix="Empties the cell.",
)
def placeholder_date(linted: LintedMap) -> Iterator[Found]:
    yield from _placeholders(linted, _DATES, ("00000000", "0000-00-00"))


def _placeholders(linted: LintedMap, names: list[str] | tuple[str, ...], more: tuple[str, ...] = ()) -> Iterator[Found]:
    """One finding a row, with all its cells."""
    columns = linted.columns(*names)
    for line in linted.lines:
        cells = line.record.cells
        hits = [
            n for _, n in columns if cells[n] and cells[n].strip() and (is_placeholder(cells[n]) or cells[n] in more)
        ]
        if hits:
            shown = ", ".join(f"{linted.header(column)} is '{cells[column].strip()}'" for column in hits)
            yield Found(line.row, shown, tuple(Edit(line.row, column) for column in hits))


@rule(
    "warning",
    finds="a placeholder among the parts of a description: `… ; NA`, `…, NA`.",
    because="A program pasted an empty cell into the text; it misleads search and suggestion.",
    passing="source_code,source_code_description,target_concept_id\nD0013,백혈구백분율,3027651\n",
    failing='source_code,source_code_description,target_concept_id\nD0013,"백혈구백분율, NA",3027651\n',
)
def placeholder_in_description(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("description", "description_en", "description_ko"):
        if _LAST_PART.search(cell):
            yield Found(line.row, f"{linted.header(column)} has a part that is a placeholder")


@rule(
    "warning",
    finds="a cell longer than its column in the CDM: a description over 255 characters, a code over 50.",
    because="A strict database cuts it off or refuses the table.",
    passing="source_code,source_code_description,target_concept_id\nA1100,의료최고도,4154551\n",
    failing=f"source_code,source_code_description,target_concept_id\nA1100,{'의료최고도' * 52},4154551\n",
)
def too_long(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells(*_LONGEST):
        length = len(cell.strip())
        if length > _LONGEST[name] and not is_placeholder(cell):
            yield Found(line.row, f"{linted.header(column)} has {length} characters, the CDM {_LONGEST[name]}")


@rule(
    "error",
    finds="an error value of a spreadsheet (`#REF!`, `#VALUE!`, `#NAME?`) or a formula in a cell.",
    because="The formula that gave the cell no longer works; as text it would run in the next spreadsheet.",
    passing=f"{_HEADER},comment\nEDI,A1100,4154551,확인함\n",
    failing=f"{_HEADER},comment\nEDI,A1100,4154551,#REF!\n",
)
def spreadsheet_error(linted: LintedMap) -> Iterator[Found]:
    for line in linted.lines:
        for column, cell in enumerate(line.record.cells):
            if cell[:1] == "#" and cell in _SPREADSHEET_ERRORS and not (cell == "#N/A" and _known(linted, column)):
                yield Found(line.row, f"{linted.header(column)} is {cell}")
            elif cell[:1] in ("=", "@") and len(cell) > 1:
                yield Found(
                    line.row, f"{linted.header(column)} begins with {cell[0]}, as a formula does", (), "warning"
                )


def _known(linted: LintedMap, column: int) -> bool:
    return linted.table.grid.layout.fields[column] is not None


@rule(
    "error",
    finds="a vocabulary id that is Athena's in another spelling: `Korean EDI` for `EDI`, `SNOMED CT` for `SNOMED`.",
    because="Ids are compared letter by letter: the row belongs to no vocabulary of the spec, or names a target "
    "vocabulary that does not exist.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing=f"{_HEADER}\nKorean EDI,A1100,4154551\n",
    fix="Writes Athena's id.",
)
def vocabulary_misspelt(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells("source_vocabulary_id", "target_vocabulary_id"):
        text = cell.strip()
        right = vocabulary_written(text) if not is_placeholder(text) else None
        if right and right != text and not (name == "source_vocabulary_id" and text in linted.own):
            message = f"{linted.header(column)} is '{text}', Athena's id is {right}"
            yield Found(line.row, message, (Edit(line.row, column, right),))


@rule(
    "warning",
    finds="a vocabulary id that Athena does not have.",
    because="For a source it is right if the vocabulary is the site's own (name it with `--own`); a target's vocabulary "
    "must be one of Athena's, so there it is an error.",
    passing=f"{_HEADER},target_vocabulary_id\nEDI,A1100,4154551,SNOMED\n",
    failing=f"{_HEADER},target_vocabulary_id\nEDI,A1100,4154551,SNOMAD\n",
)
def vocabulary_unknown(linted: LintedMap) -> Iterator[Found]:
    known = athena_ids() | (linted.concepts.vocabulary_ids if linted.concepts else frozenset())
    close: dict[str, str] = {}
    for line, name, column, cell in linted.cells("source_vocabulary_id", "target_vocabulary_id"):
        text, source = cell.strip(), name == "source_vocabulary_id"
        if text in known or is_placeholder(text) or vocabulary_written(text) or (source and text in linted.own):
            continue
        if text not in close:
            near = difflib.get_close_matches(text, sorted(known), 1, 0.7)
            close[text] = f"; closest: {near[0]}" if near else ""
        message = f"{linted.header(column)} '{text}' is none of Athena's{close[text]}"
        yield Found(line.row, message, (), "warning" if source else "error")


@rule(
    "warning",
    finds="an empty source vocabulary in a file that has the column.",
    because="The row then speaks for whichever vocabulary of the spec reads the file.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing=f"{_HEADER}\n,A1100,4154551\n",
)
def vocabulary_missing(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("source_vocabulary_id"):
        if is_placeholder(cell):
            yield Found(line.row, f"{linted.header(column)} is empty")


@rule(
    "error",
    finds="a row with more or fewer cells than the header.",
    because="A comma within an unquoted value moved its cells; a run refuses the file.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing=f"{_HEADER}\nEDI,A1100,의료최고도,4154551\n",
)
def cells_do_not_fit(linted: LintedMap) -> Iterator[Found]:
    width = len(linted.table.grid.header)
    for record in linted.table.grid.ragged:
        yield Found(record.row, f"{len(record.cells)} cells, the header has {width}")


@rule(
    "info",
    finds="rows that are not approved, counted by status.",
    because="A run applies a row only if its status is `approved` (Usagi's `APPROVED`), or the file has no statuses.",
    passing="source_code,target_concept_id,status\nA,3019550,approved\n",
    failing="source_code,target_concept_id,status\nA,3019550,unchecked\n",
)
def not_approved(linted: LintedMap) -> Iterator[Found]:
    waiting = [line for line in linted.lines if not line.entry.approved]
    if waiting:
        counts = Counter(line.entry.status or "no status" for line in waiting)
        shown = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        yield Found(waiting[0].row, f"{len(waiting)} rows are not approved, this the first: {shown}")


@rule(
    "warning",
    finds="a status that neither Dure nor Usagi has.",
    because="Only `approved` applies; a word of one's own silently keeps the row out.",
    passing="source_code,target_concept_id,status\nA,3019550,approved\n",
    failing="source_code,target_concept_id,status\nA,3019550,승인\n",
)
def status_unknown(linted: LintedMap) -> Iterator[Found]:
    yield from _words(linted, "status", STATUSES)


@rule(
    "error",
    finds="a mapping type other than `Maps to`, `Maps to value`, `Maps to unit` and `Maps to operator`.",
    because="A run does not know where the concept belongs, and leaves the row out.",
    passing="source_code,target_concept_id,mapping_type\nA,3019550,Maps to\n",
    failing="source_code,target_concept_id,mapping_type\nA,3019550,Is a\n",
)
def mapping_type_unknown(linted: LintedMap) -> Iterator[Found]:
    yield from _words(linted, "mapping_type", MAPPING_TYPES)


@rule(
    "warning",
    finds="an equivalence other than equal, equivalent, wider, narrower, inexact, unmatched.",
    because="Coverage counts wider targets apart, and cannot count this one.",
    passing="source_code,target_concept_id,equivalence\nA,3019550,wider\n",
    failing="source_code,target_concept_id,equivalence\nA,3019550,roughly\n",
)
def equivalence_unknown(linted: LintedMap) -> Iterator[Found]:
    yield from _words(linted, "equivalence", EQUIVALENCES)


def _words(linted: LintedMap, name: str, allowed: tuple[str, ...]) -> Iterator[Found]:
    for line in linted.lines:
        text = getattr(line.entry, name)
        if text and text not in allowed:
            yield Found(line.row, f"{name} is '{text}'; expected {', '.join(allowed)}")


@rule(
    "warning",
    finds="a workbook with more than one sheet that looks like a map.",
    because="One sheet is read; the others are not.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing="",
)
def sheet_not_read(linted: LintedMap) -> Iterator[Found]:
    written = linted.table.grid.written
    if isinstance(written, Sheet) and written.others:
        others = ", ".join(written.others)
        yield Found(None, f"sheet {written.name} was read; {others} look like maps too (--sheet)")
