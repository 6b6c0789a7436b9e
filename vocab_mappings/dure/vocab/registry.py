"""Local concepts for codes that no vocabulary has: which id a code gets, and the lines that say so.

An id follows from the code itself: a hash of vocabulary and code, within the owner's block, and the next free id where
that one is taken. So it does not depend on who asks first, two branches give one code one id, and two branches that add
different codes hardly ever meet. `registry.csv` remembers what was given.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from dure.errors import ConfigurationError, Problem
from dure.site.local_concepts import BLOCK, COLUMNS, LocalConcept
from dure.site.local_ids import Code
from dure.vocab.coverage import Status

# What the CDM's columns hold.
LONGEST_CODE, LONGEST_VOCABULARY, LONGEST_NAME = 50, 20, 255
CONCEPT_CLASS = "Undefined"
_FIRST, _LAST = date(1970, 1, 1), date(2099, 12, 31)
_OPEN = (Status.UNMAPPED.value, Status.INVALID.value)


@dataclass(frozen=True)
class LocalCode:
    """One code that is to have a concept, with what its concept will say."""

    vocabulary_id: str
    concept_code: str
    name: str
    domain_id: str
    records: int = 0

    @property
    def code(self) -> Code:
        return self.vocabulary_id, self.concept_code


def codes_seen(records: pa.Table, vocabularies: Iterable[str], *, mapped_too: bool) -> list[LocalCode]:
    """The codes of some vocabularies that a snapshot's records have, those without a concept or all, by code."""
    wanted = set(vocabularies)
    found: dict[Code, LocalCode] = {}
    columns = ("vocabulary", "code", "role", "description", "domain_id", "status", "records")
    for vocabulary, code, role, description, domain, status, n in zip(
        *(records[name].to_pylist() for name in columns), strict=True
    ):
        if vocabulary not in wanted or role != "code" or not (mapped_too or status in _OPEN):
            continue
        before = found.get((vocabulary, code))
        found[vocabulary, code] = LocalCode(
            vocabulary,
            code,
            description or (before.name if before else code),
            before.domain_id if before else domain or "Observation",
            n + (before.records if before else 0),
        )
    return [found[code] for code in sorted(found)]


def unfit(codes: Iterable[LocalCode]) -> list[Problem]:
    """One problem a kind of code that cannot be a concept because the CDM has no room for it."""
    codes = list(codes)
    odd_codes = [code for code in codes if not _code_fits(code.concept_code)]
    long_names = sorted({code.vocabulary_id for code in codes if len(code.vocabulary_id) > LONGEST_VOCABULARY})
    problems = [
        Problem(name, f"has more than {LONGEST_VOCABULARY} characters", "name the vocabulary shorter in the spec")
        for name in long_names
    ]
    if odd_codes:
        found = f"{len(odd_codes)} codes are longer than {LONGEST_CODE} characters or hold what cannot be seen"
        problems.append(
            Problem("concepts.csv", found, "they get no concept: map them, or give them other codes in a view")
        )
    return problems


def fits(code: LocalCode) -> bool:
    return _code_fits(code.concept_code) and len(code.vocabulary_id) <= LONGEST_VOCABULARY


def _code_fits(code: str) -> bool:
    """Whether a code is short enough, and one line that reads back as it was written."""
    return 0 < len(code) <= LONGEST_CODE and code.isprintable() and code == code.strip()


def assigned(codes: Iterable[Code], known: Mapping[Code, int], taken: Iterable[int], first: int) -> dict[Code, int]:
    """The ids of the codes that have none yet, in the block that begins with `first`; `taken` are never given.

    Raises ConfigurationError where the block is full.
    """
    used = {*known.values(), *taken}
    new: dict[Code, int] = {}
    for code in sorted(set(codes) - known.keys()):
        start = int.from_bytes(hashlib.sha256("\0".join(code).encode()).digest()[:8], "big") % BLOCK
        for step in range(BLOCK):
            number = first + (start + step) % BLOCK
            if number not in used:
                break
        else:
            raise ConfigurationError(Problem("blocks.csv", f"the block at {first} is full", "give the owner another"))
        new[code] = number
        used.add(number)
    return new


def local_concept(code: LocalCode, concept_id: int) -> LocalConcept:
    """The concept of a code: valid always, of no class of its own."""
    name = " ".join(code.name.split())[:LONGEST_NAME] or code.concept_code
    return LocalConcept(
        concept_id, name, code.domain_id, code.vocabulary_id, CONCEPT_CLASS, code.concept_code, _FIRST, _LAST
    )


def concepts_text(before: str | None, new: Sequence[LocalConcept]) -> str:
    """`concepts.csv` with new lines, sorted by vocabulary and code; the lines that were there stay as they are."""
    reader = csv.DictReader(io.StringIO((before or "").removeprefix("\ufeff"), newline=""))
    header = [*(reader.fieldnames or ()), *(name for name in COLUMNS if name not in (reader.fieldnames or ()))]
    rows: list[dict[str, str]] = [{name: row.get(name) or "" for name in header} for row in reader]
    rows += [{name: str(value) for name, value in concept.row().items() if name in header} for concept in new]
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: (row["vocabulary_id"], row["concept_code"])))
    return text.getvalue()
