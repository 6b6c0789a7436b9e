"""A proposed common map: for each code the answer of most records, if enough hospitals stand behind it.

A proposal is work for the mapping desk, no decision: its rows are `unchecked`, and a run applies none of them before
somebody approves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from dure.center.agreement.codebook import NOTHING, Codebook, Longs, starts
from dure.center.agreement.steps import Vocabulary
from dure.site.local_concepts import FIRST_LOCAL
from dure.vocab.common_map import CONSORTIUM
from dure.vocab.maps.entry import EQUIVALENCES, MAPS_TO

_VOCABULARY = "vocabulary"
MINIMUM_HOSPITALS = 2
COLUMNS = (
    "source_vocabulary_id", "source_code", "description", "frequency", "target_concept_id", "target_concept_name",
    "mapping_type", "equivalence", "status", "comment", "hospitals_for", "hospitals_against", "hospitals_unmapped",
    "records_for", "records_against", "records_unmapped", "records_for_share", "steps", "alternatives", "sites_for",
    "sites_against",
)  # fmt: skip
NOT_PROPOSED = (
    "source_vocabulary_id", "source_code", "description", "reason", "hospitals", "records", "records_unmapped",
    "alternatives",
)  # fmt: skip


class Reason(StrEnum):
    """Why a code has no proposal."""

    SETTLED = "settled"
    NOT_MAPPED = "not_mapped"
    FEW_RECORDS = "few_records"
    LOCAL = "local"
    TIE = "tie"
    NO_MAJORITY = "no_majority"
    LOW_SUPPORT = "low_support"


@dataclass(frozen=True)
class Voted:
    """One code with its answers, that of most records first; `reason` is None where the first is proposed."""

    vocabulary: str
    code: str
    description: str | None
    answers: tuple[dict[str, Any], ...]
    hospitals: int
    hospitals_unmapped: int
    records_unmapped: int
    reason: Reason | None

    @property
    def records(self) -> int:
        """Those that have an answer."""
        return sum(answer["records"] for answer in self.answers)


def voted(book: Codebook, threshold: int) -> Iterator[Voted]:
    """Every code that several hospitals use, those with most records first."""
    order, begins, ends = _by_code(book)
    several = book.site[order[begins]] != book.site[order[ends - 1]] if len(begins) else np.zeros(0, np.bool_)
    begins, ends = begins[several], ends[several]
    records = np.array(
        [book.records[order[begin:end]].sum() for begin, end in zip(begins, ends, strict=True)], np.int64
    )
    for at in np.lexsort((begins, -records)).tolist():
        yield _vote(book, order[begins[at] : ends[at]], threshold)


def contested(book: Codebook) -> Longs:
    """The numbers of all targets that stand against another one for the same code, in whichever role."""
    order, begins, ends = _by_code(book)
    if not len(begins):
        return begins
    targets = book.targets[order]
    least = np.minimum.reduceat(np.where(targets == NOTHING, np.iinfo(np.int64).max, targets), begins)
    several = least < np.maximum.reduceat(targets, begins)
    apart = targets[np.repeat(several, ends - begins)]
    found: Longs = np.unique(apart[apart != NOTHING])
    return found


def of_one_hospital(book: Codebook) -> int:
    """How many codes only one hospital uses; nobody else can bear them out."""
    order, begins, ends = _by_code(book)
    return int((book.site[order[begins]] == book.site[order[ends - 1]]).sum()) if len(begins) else 0


def _by_code(book: Codebook) -> tuple[Longs, Longs, Longs]:
    """The rows sorted by code and hospital, and where the rows of each code begin and end."""
    code = book.without_role[book.code] if len(book.code) else book.code
    order = np.lexsort((book.site, code))
    begins = starts(code[order])
    return order, begins, np.append(begins[1:], len(order))[: len(begins)]


def _vote(book: Codebook, rows: Longs, threshold: int) -> Voted:
    answers: dict[int, dict[str, Any]] = {}
    columns = (column[rows].tolist() for column in (book.targets, book.site, book.records, book.equivalence))
    for number, site, records, equivalence in zip(*columns, strict=True):
        answer = answers.setdefault(number, {"number": number, "records": 0, "by_site": {}, "equivalences": {}})
        answer["records"] += records
        for counts, key in ((answer["by_site"], book.sites[site]), (answer["equivalences"], equivalence)):
            counts[key] = counts.get(key, 0) + records
    unmapped = answers.pop(NOTHING, {"records": 0, "by_site": {}})
    for answer in answers.values():
        answer["targets"] = book.text(book.target_texts, answer["number"])
    ordered = tuple(sorted(answers.values(), key=lambda answer: (-answer["records"], answer["targets"])))
    most = int(rows[np.argmax(book.records[rows])])
    _, vocabulary, form = book.code_parts(int(book.code[most]))
    return Voted(
        vocabulary=vocabulary,
        code=book.text(book.names, int(book.name[most])) or form,
        description=book.text(book.descriptions, int(book.description[most])),
        answers=ordered,
        hospitals=len(np.unique(book.site[rows])),
        hospitals_unmapped=len(unmapped["by_site"]),
        records_unmapped=unmapped["records"],
        reason=_reason(book, rows, ordered, threshold),
    )


def _reason(book: Codebook, rows: Longs, answers: tuple[dict[str, Any], ...], threshold: int) -> Reason | None:
    if not answers:
        return Reason.NOT_MAPPED
    if len(answers) == 1 and _needs_no_map(book, rows):
        return Reason.SETTLED
    first = answers[0]
    total = sum(answer["records"] for answer in answers)
    if len(answers) > 1 and answers[1]["records"] == first["records"]:
        return Reason.TIE
    if 2 * first["records"] <= total:
        return Reason.NO_MAJORITY
    if any(concept >= FIRST_LOCAL for concept in book.target_ids(first["number"])):
        return Reason.LOCAL
    if first["records"] < threshold:
        return Reason.FEW_RECORDS
    return Reason.LOW_SUPPORT if len(first["by_site"]) < MINIMUM_HOSPITALS else None


def _needs_no_map(book: Codebook, rows: Longs) -> bool:
    """Whether the common map or the vocabulary itself already gives every one of these hospitals its answer."""
    names = {book.text(book.authorities, number) for number in np.unique(book.authority[rows]).tolist()}
    return bool((book.targets[rows] != NOTHING).all()) and names <= {CONSORTIUM, _VOCABULARY}


def proposed_rows(book: Codebook, vote: Voted, vocabulary: Vocabulary, threshold: int) -> Iterator[dict[str, Any]]:
    """The rows of the map, of COLUMNS, for a code that has a proposal: one a target, each with all the evidence."""
    first, *others = vote.answers
    usual = max(sorted(first["equivalences"]), key=first["equivalences"].__getitem__)
    equivalence = book.text(book.equivalences, usual)
    against = {site for answer in others for site in answer["by_site"]}
    evidence = {
        "source_vocabulary_id": vote.vocabulary,
        "source_code": vote.code,
        "description": vote.description,
        "frequency": told_sum([*vote.answers, {"records": vote.records_unmapped}], threshold),
        "mapping_type": MAPS_TO,
        "equivalence": equivalence if equivalence in EQUIVALENCES else None,
        "status": "unchecked",
        "comment": f"majority of records: {len(first['by_site'])} hospitals for, {len(against)} against",
        "hospitals_for": len(first["by_site"]),
        "hospitals_against": len(against),
        "hospitals_unmapped": vote.hospitals_unmapped,
        "records_for": few(first["records"], threshold),
        "records_against": told_sum(others, threshold),
        "records_unmapped": few(vote.records_unmapped, threshold),
        "records_for_share": round(first["records"] / vote.records, 4),
        "steps": _farthest(book, first, others, vocabulary),
        "alternatives": alternatives(others, threshold),
        "sites_for": " ".join(sorted(first["by_site"])),
        "sites_against": " ".join(sorted(against)),
    }
    for concept in sorted(book.target_ids(first["number"])):
        yield evidence | {"target_concept_id": concept, "target_concept_name": vocabulary.names.get(concept)}


def _farthest(
    book: Codebook, first: dict[str, Any], others: Sequence[dict[str, Any]], vocabulary: Vocabulary
) -> int | None:
    ids = book.target_ids(first["number"])
    steps = [vocabulary.steps(ids, book.target_ids(answer["number"])) for answer in others]
    return max((each for each in steps if each is not None), default=None)


def not_proposed_row(vote: Voted, threshold: int) -> dict[str, Any]:
    """A row of NOT_PROPOSED."""
    return {
        "source_vocabulary_id": vote.vocabulary,
        "source_code": vote.code,
        "description": vote.description,
        "reason": str(vote.reason),
        "hospitals": vote.hospitals,
        "records": told_sum(vote.answers, threshold),
        "records_unmapped": few(vote.records_unmapped, threshold),
        "alternatives": alternatives(vote.answers, threshold),
    }


def alternatives(answers: Sequence[Mapping[str, Any]], threshold: int) -> str:
    """Answers as text: targets, hospitals, records."""
    return "; ".join(
        f"{answer['targets']} ({' '.join(sorted(answer['by_site']))}: {few(answer['records'], threshold)})"
        for answer in answers
    )


def few(count: int, threshold: int) -> int | str:
    """A count as it may be shown: one under the threshold is not told, none is."""
    return count if count >= threshold or count == 0 else f"<{threshold}"


def told_sum(answers: Iterable[Mapping[str, Any]], threshold: int) -> int:
    """The records of the answers whose records are told: a sum over all would tell the one that is not."""
    return sum(answer["records"] for answer in answers if answer["records"] >= threshold)
