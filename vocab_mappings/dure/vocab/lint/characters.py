"""Rules on the characters of cells: white space, characters that nobody sees, characters that look like others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from dure.vocab.lint.finding import Edit, Found
from dure.vocab.lint.linted import LintedMap
from dure.vocab.lint.reference import code_shapes, table, vocabulary_written
from dure.vocab.lint.registry import rule
from dure.vocab.maps.fields import fields

_TEXTS = frozenset(
    {"description", "description_en", "description_ko", "target_concept_name", "comment", "author", "reviewer",
     "assigned_reviewer", "specimen"}
)  # fmt: skip
_NAMED_SPACES = {
    "\xa0": "no-break space",
    "\u3000": "ideographic space",
    "\t": "tab",
    "\n": "line end",
    "\r": "line end",
}
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_WIDE = re.compile("[\uff01-\uff5e]")
_WORD = re.compile(r"[^\W\d_]+")
_HEADER = "source_vocabulary_id,source_code,source_code_description,target_concept_id"


@rule(
    "warning",
    finds="white space before or after a cell's text, twice in a row within it, or of an unusual kind (no-break space, "
    "tab, line end).",
    because="`D2830 ` and `D2830` are two codes to a program and one to the eye.",
    passing=f"{_HEADER}\nEDI,D2830,혈액총이산화탄소함량,3045424\n",
    failing=f"{_HEADER}\nEDI,D2830 ,혈액총이산화탄소함량,3045424\n",
    fix="Removes it around a cell, and makes it one space within a description; within a code it is left to you.",
)
def white_space(linted: LintedMap) -> Iterator[Found]:
    for line, name, column, cell in linted.cells(*fields()):
        if cell.isalnum() or not cell:
            continue
        plain = " ".join(_spaced(cell).split())
        if plain == cell:
            continue
        around = _spaced(cell).strip() != _spaced(cell)
        kinds = sorted(
            {_NAMED_SPACES.get(letter, "unusual space") for letter in cell if letter != " " and letter.isspace()}
        )
        places = ["around the text"] * around + ["twice in a row"] * (
            " ".join(_spaced(cell).strip().split()) != _spaced(cell).strip()
        )
        if not cell.strip():
            continue  # blank, which other rules judge
        certain = name in _TEXTS or " " not in plain or _spaced(cell).strip() == plain
        message = f"{linted.header(column)} has white space {', '.join([*places, *kinds])}"
        yield Found(line.row, message, (Edit(line.row, column, plain),) if certain else ())


def _spaced(cell: str) -> str:
    """A cell with an ordinary space for each of another kind."""
    return "".join(" " if letter.isspace() else letter for letter in cell)


@rule(
    "error",
    finds="characters without a shape: zero-width spaces and joiners, byte order marks, direction marks, soft hyphens, "
    "Hangul fillers, control characters.",
    because="Nobody sees them, and a code with one matches nothing.",
    passing=f"{_HEADER}\nEDI,A1100,의료최고도,4154551\n",
    failing=f"{_HEADER}\nEDI,A11\u200b00,의료최고도,4154551\n",
    fix="Removes them.",
)
def invisible_character(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells(*fields()):
        if cell.isascii() and cell.isprintable():
            continue
        hidden = sorted({letter for letter in cell if _is_invisible(letter)})
        if hidden:
            names = ", ".join(f"U+{ord(letter):04X}" for letter in hidden)
            plain = "".join(letter for letter in cell if letter not in hidden)
            yield Found(line.row, f"{linted.header(column)} has {names}", (Edit(line.row, column, plain),))


def _is_invisible(letter: str) -> bool:
    return (unicodedata.category(letter) in ("Cf", "Cc") and not letter.isspace()) or letter in _FILLERS


@dataclass(frozen=True, slots=True)
class _LookAlike:
    plain: str
    name: str
    in_codes: bool
    in_text: bool
    certain: bool


@cache
def _look_alikes() -> Mapping[str, _LookAlike]:
    listed = {
        chr(int(row["character"], 16)): _LookAlike(
            row["plain"], row["name"], row["in_codes"] == "yes", row["in_text"] == "yes", row["certain"] == "yes"
        )
        for row in table("look_alikes")
    }
    wide = {chr(0xFEE0 + code): _LookAlike(chr(code), "full-width", True, True, True) for code in range(0x21, 0x7F)}
    return listed | wide


@rule(
    "warning",
    finds="a character in the place of another that looks the same: full-width letters and brackets, Cyrillic or Greek "
    "letters in a code or in a Latin word, the letter `ㆍ` for a middle dot, `∼` for `~`, dashes for a hyphen.",
    because="The text reads right and compares wrong. In a code it is an error.",
    passing=f"{_HEADER}\nEDI,A1100,골수검사[정밀],4154551\n",
    failing=f"{_HEADER}\nEDI,\u04101100,골수검사［정밀],4154551\n",
    fix="Writes the plain character in a code if the result is a code of its vocabulary, and for full-width characters "
    "in a description; `ㆍ`, `∼` and letters within a word are left to you.",
)
def look_alike(linted: LintedMap) -> Iterator[Found]:
    known = _look_alikes()
    for line, name, column, cell in linted.cells(*fields()):
        if cell.isascii() or name == "unit":
            continue
        text = name in _TEXTS
        hits = {
            letter for letter in cell if letter in known and (known[letter].in_text if text else known[letter].in_codes)
        }
        if text:
            hits = {letter for letter in hits if _is_out_of_place(letter, cell)}
        elif not _is_code(name):
            continue
        if not hits:
            continue
        plain = "".join(known[letter].plain if letter in hits else letter for letter in cell)
        certain = all(known[letter].certain for letter in hits)
        if text:
            certain = certain and all(_WIDE.fullmatch(letter) for letter in hits)
        elif name == "source_code":
            shape = code_shapes().get(vocabulary_written(line.entry.source_vocabulary_id) or "")
            if plain.isascii() is False and shape is None:
                continue  # a local code in Korean may have any character
            certain = certain and shape is not None and bool(shape.pattern.fullmatch(plain.strip()))
        else:
            certain = certain and plain.isascii()
        names = ", ".join(
            f"'{letter}' (U+{ord(letter):04X}, {known[letter].name}) for '{known[letter].plain}'"
            for letter in sorted(hits)
        )
        yield Found(
            line.row,
            f"{linted.header(column)} has {names}",
            (Edit(line.row, column, plain),) if certain else (),
            "warning" if text else "error",
        )


def _is_code(name: str) -> bool:
    return name.endswith(("_id", "_code", "_type", "_date")) or name in ("invalid_reason", "status", "equivalence")


def _is_out_of_place(letter: str, cell: str) -> bool:
    """In a text a Cyrillic letter is out of place where its word has Latin ones too."""
    if not unicodedata.name(letter, "").startswith("CYRILLIC"):
        return True
    words = [word for word in _WORD.findall(cell) if letter in word]
    return any(any(unicodedata.name(other, "").startswith("LATIN") for other in word) for word in words)


@rule(
    "info",
    finds="compatibility characters in a description (`㎠`, `Ⅱ`, `²`) and Hangul that is stored letter by letter.",
    because="They are right to read, but a search for `cm2` or `II` does not find them. Dure's own comparisons fold them.",
    passing=f"{_HEADER}\nEDI,S4791,피부양성종양적출술-Type II,4154551\n",
    failing=f"{_HEADER}\nEDI,S4791,피부양성종양적출술-Type Ⅱ,4154551\n",
    fix="Composes Hangul syllables; the others are left as they are.",
)
def compatibility_character(linted: LintedMap) -> Iterator[Found]:
    known = _look_alikes()
    for line, _, column, cell in linted.cells(*_TEXTS):
        if cell.isascii():
            continue
        composed = unicodedata.normalize("NFC", cell)
        if composed != cell:
            message = f"{linted.header(column)} has Hangul or accents in pieces"
            yield Found(line.row, message, (Edit(line.row, column, composed),), "warning")
        if unicodedata.normalize("NFKC", composed) == composed:
            continue
        folded = sorted(
            {letter for letter in composed if unicodedata.normalize("NFKC", letter) != letter}
            - {letter for letter in composed if letter.isspace() or letter in _FILLERS or letter in known}
        )
        if folded:
            pairs = ", ".join(f"'{letter}' for '{unicodedata.normalize('NFKC', letter)}'" for letter in folded)
            yield Found(line.row, f"{linted.header(column)} has {pairs}")
