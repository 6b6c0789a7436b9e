"""Rules on codes and concept ids: there at all, whole, and of the shape that their vocabulary gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dure.vocab.lint.check_digits import check_digit_holds
from dure.vocab.lint.finding import Edit, Found
from dure.vocab.lint.linted import LintedMap
from dure.vocab.lint.reference import code_shapes, vocabulary_written
from dure.vocab.lint.registry import rule
from dure.vocab.maps.entry import LARGEST_CONCEPT_ID, concept_id, is_placeholder

_WITH_ZERO = re.compile(r"([0-9]+)\.0+")
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+[eE]|[eE])\+[0-9]+|[0-9]\.[0-9]+[eE][0-9]+")
_DATE_LIKE = re.compile(
    r"[0-9]{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{2}|[0-9]{1,2}월 ?[0-9]{1,2}일"
)
_HEADER = "source_vocabulary_id,source_code,target_concept_id"
# Codes of numbers with a point; 250.0 is a code there.
_DECIMAL = frozenset({"ICD9CM", "ICD9Proc", "ICD9ProcCN"})


@rule(
    "error",
    finds="a row without a source code, or with what exports write for nothing: `NA`, `-`, `NULL`, `#N/A`, blank.",
    because="The row speaks for no code; a placeholder would speak for every record whose code is that placeholder.",
    passing=f"{_HEADER}\nEDI,D2800020,3019550\n",
    failing=f"{_HEADER}\nEDI,NA,3019550\n",
)
def code_missing(linted: LintedMap) -> Iterator[Found]:
    for line in linted.lines:
        code = line.entry.source_code
        if is_placeholder(code):
            yield Found(line.row, f"the source code is {_shown(code)}")


@rule(
    "error",
    finds="an approved row whose target is blank or a placeholder.",
    because="Write 0 where a code was looked at and has no concept; a blank says that nobody looked.",
    passing=f"{_HEADER}\nEDI,A1100,0\n",
    failing=f"{_HEADER}\nEDI,A1100,NA\n",
)
def target_missing(linted: LintedMap) -> Iterator[Found]:
    column = linted.column("target_concept_id")
    for line in linted.approved:
        if not line.entry.target_concept_id and column is not None:
            written = line.record.cells[column]
            yield Found(line.row, f"the target is {_shown(written)}; write 0 if the code is known to have no concept")


@rule(
    "error",
    finds="a target that is no concept id: a float (`4154551.0`), scientific notation (`4.32E+14`), text, a number "
    "beyond 2,147,483,647.",
    because="A spreadsheet or a data frame made the id a float; the run cannot use it.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing=f"{_HEADER}\nEDI,A1100,4154551.0\n",
    fix="Drops `.0` after a whole number. Lost digits (`4.32E+14`) cannot be known again.",
)
def target_not_an_id(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("target_concept_id"):
        if found := _not_an_id(cell):
            yield Found(line.row, f"{linted.header(column)} {found[0]}", _edit(line.row, column, found[1]))


@rule(
    "warning",
    finds="a source concept id that is no concept id.",
    because="Without it the code's own concept is not recorded as `*_source_concept_id`.",
    passing=f"{_HEADER},source_concept_id\nEDI,A1100,4154551,42364257\n",
    failing=f"{_HEADER},source_concept_id\nEDI,A1100,4154551,42364257.0\n",
    fix="Drops `.0` after a whole number.",
)
def source_concept_not_an_id(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("source_concept_id"):
        if found := _not_an_id(cell):
            yield Found(line.row, f"{linted.header(column)} {found[0]}", _edit(line.row, column, found[1]))


def _not_an_id(cell: str) -> tuple[str, str | None] | None:
    """What is wrong with a cell that should be a concept id, and the id it certainly means."""
    text = cell.strip()
    if is_placeholder(text) or concept_id(text) is not None:
        return None
    if match := _WITH_ZERO.fullmatch(text):
        return f"is the float {text}", match[1] if concept_id(match[1]) is not None else None
    if _SCIENTIFIC.fullmatch(text):
        return f"is the number {text}: its digits are lost", None
    if text.isascii() and text.isdigit():
        return f"is larger than any concept id ({LARGEST_CONCEPT_ID})", None
    return f"is {_shown(text)}, not a whole number", None


@rule(
    "error",
    finds="a source or target code that a spreadsheet turned into a number or a date: `4.32E+14`, `370885003.0`, "
    "`1-Mar`.",
    because="The code in the file is not the code in the data; long codes have lost digits for good.",
    passing="source_code,target_concept_id,target_vocabulary_id,target_concept_code\nA,4154551,SNOMED,370885003\n",
    failing="source_code,target_concept_id,target_vocabulary_id,target_concept_code\nA,36717294,SNOMED,1.63E+16\n",
    fix="Drops `.0` after a target code of a vocabulary whose codes are whole numbers.",
)
def code_damaged(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells("source_code", "target_concept_code"):
        text = cell.strip()
        if not text or text[-1] not in "0123456789일nbrylgptvc":
            continue
        vocabulary = line.entry.source_vocabulary_id if name == "source_code" else line.entry.target_vocabulary_id
        if _SCIENTIFIC.fullmatch(text):
            yield Found(line.row, f"{linted.header(column)} is the number {text}: its digits are lost")
        elif _DATE_LIKE.fullmatch(text):
            yield Found(line.row, f"{linted.header(column)} is {text}: a spreadsheet took the code for a date")
        elif (match := _WITH_ZERO.fullmatch(text)) and vocabulary not in _DECIMAL:
            certain = match[1] if vocabulary in ("SNOMED", "RxNorm", "NDC", "CVX") else None
            yield Found(line.row, f"{linted.header(column)} is the float {text}", _edit(line.row, column, certain))


@rule(
    "warning",
    finds="a code that its vocabulary cannot have, as EDI, KCD7, ICD, LOINC, SNOMED, RxNorm, ATC and others shape "
    "them.",
    because="It will match no record, or the vocabulary id of the row is wrong. Spreadsheets eat leading zeros, and "
    "fingers put O for 0.",
    passing=f"{_HEADER}\nEDI,D2800020,3019550\nKCD7,E11.9,201826\n",
    failing=f"{_HEADER}\nEDI,D28O0020,3019550\n",
)
def code_shape(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells("source_code", "target_concept_code"):
        text, vocabulary = cell.strip(), _vocabulary_of(linted, line.record.cells, name, column)
        shape = code_shapes().get(vocabulary)
        if shape is None or is_placeholder(text) or shape.pattern.fullmatch(text):
            continue
        if name == "target_concept_code" and (text == line.entry.source_code or _is_number_word(text)):
            continue  # other rules say more
        message = f"{linted.header(column)} {_shown(text)} is no code of {vocabulary}: expected {shape.expected}"
        zeros = text.zfill(9)
        if vocabulary == "EDI" and text.isascii() and text.isdigit() and len(text) < 9:
            message += f"; as a drug it would be {zeros}"
        elif shape.pattern.fullmatch(_digits(text)):
            message += f"; perhaps {_digits(text)}"
        yield Found(line.row, message)


@rule(
    "warning",
    finds="a LOINC or SNOMED code whose check digit is wrong.",
    because="A digit was mistyped, or a spreadsheet rounded the code (it keeps 15 digits).",
    passing="source_code,target_concept_id,target_vocabulary_id,target_concept_code\nA,3004501,LOINC,2345-7\n",
    failing="source_code,target_concept_id,target_vocabulary_id,target_concept_code\nA,3004501,LOINC,2345-1\n",
)
def check_digit(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells("source_code", "target_concept_code"):
        text, vocabulary = cell.strip(), _vocabulary_of(linted, line.record.cells, name, column)
        shape = code_shapes().get(vocabulary)
        has_digit = vocabulary in ("LOINC", "SNOMED") and shape and shape.pattern.fullmatch(text)
        if has_digit and not check_digit_holds(vocabulary, text):
            yield Found(line.row, f"{linted.header(column)} {text}: the last digit contradicts the others")


def _vocabulary_of(linted: LintedMap, cells: tuple[str, ...], name: str, column: int) -> str:
    """The vocabulary of a code: the source's, or that of the target whose code it is."""
    if name == "source_code":
        at = linted.column("source_vocabulary_id")
    else:
        at = next(
            (group.get("target_vocabulary_id") for group in linted.target_groups if group.get(name) == column), None
        )
    return "" if at is None else vocabulary_written(cells[at].strip()) or ""


def _is_number_word(text: str) -> bool:
    return bool(_SCIENTIFIC.fullmatch(text) or _WITH_ZERO.fullmatch(text))


def _digits(text: str) -> str:
    """A code with its first letter, and digits where letters look like them."""
    return text[:1] + text[1:].upper().translate(str.maketrans("OIL", "011"))


def _edit(row: int, column: int, text: str | None) -> tuple[Edit, ...]:
    return () if text is None else (Edit(row, column, text),)


def _shown(text: str) -> str:
    return f"'{text}'" if text.strip() else "blank"
