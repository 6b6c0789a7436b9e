"""Codes and descriptions that hospitals map to different concepts, those with most records first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dure.center.agreement.codebook import Codebook, Longs, starts
from dure.center.agreement.majority import few, told_sum
from dure.center.agreement.pairs import keyed_rows
from dure.center.agreement.steps import Vocabulary
from dure.vocab.compare import CODE


@dataclass(frozen=True)
class Differing:
    """The rows of each key on which hospitals differ: `rows` in runs that begin at `begins`, most records first."""

    kind: str
    rows: Longs
    begins: Longs
    ends: Longs

    def __len__(self) -> int:
        return len(self.begins)

    def targets(self, book: Codebook) -> Longs:
        """The numbers of all targets that stand against each other."""
        taken = [self.rows[begin:end] for begin, end in zip(self.begins, self.ends, strict=True)]
        return np.unique(book.targets[np.concatenate(taken)]) if taken else np.zeros(0, np.int64)


def differing(book: Codebook, kind: str) -> Differing:
    """The keys that hospitals map to two answers or more; a description only where their codes differ too."""
    rows, key = keyed_rows(book, kind)
    mapped = book.mapped[rows]
    rows, key = rows[mapped], key[mapped]
    order = np.lexsort((book.site[rows], book.targets[rows], key))
    rows, key = rows[order], key[order]
    begins = starts(key)
    ends = np.append(begins[1:], len(rows))[: len(begins)]
    if not len(begins):
        return Differing(kind, rows, begins, ends)
    targets, codes = book.targets[rows], book.code[rows]
    several = np.minimum.reduceat(targets, begins) != np.maximum.reduceat(targets, begins)
    if kind != CODE:
        several &= np.minimum.reduceat(codes, begins) != np.maximum.reduceat(codes, begins)
    records = np.add.reduceat(book.records[rows], begins)
    chosen = np.flatnonzero(several)
    chosen = chosen[np.lexsort((begins[chosen], -records[chosen]))]
    return Differing(kind, rows, begins[chosen], ends[chosen])


def told(book: Codebook, found: Differing, vocabulary: Vocabulary, threshold: int) -> Iterator[dict[str, Any]]:
    """One key at a time with its answers; the first answer has most records, and steps are counted from it."""
    for begin, end in zip(found.begins.tolist(), found.ends.tolist(), strict=True):
        rows = found.rows[begin:end]
        answers = _answers(book, rows)
        first = book.target_ids(answers[0]["number"])
        for answer in answers:
            ids = book.target_ids(answer.pop("number"))
            answer["names"] = vocabulary.named(ids)
            answer["steps"] = vocabulary.steps(first, ids)
        steps = [answer["steps"] for answer in answers[1:] if answer["steps"] is not None]
        most = int(rows[np.argmax(book.records[rows])])
        role, vocabulary_id, form = book.code_parts(int(book.code[most]))
        yield {
            "same": found.kind,
            "role": role,
            "vocabulary": vocabulary_id,
            "code": book.text(book.names, int(book.name[most])) or form,
            "description": book.text(book.descriptions, int(book.description[most])),
            "records": told_sum(answers, threshold),
            "hospitals": len(rows),
            "steps": max(steps, default=None),
            "unrelated": vocabulary.store is not None and len(steps) + 1 < len(answers),
            "answers": [answer | {"records": few(answer["records"], threshold)} for answer in answers],
        }


def _answers(book: Codebook, rows: Longs) -> list[dict[str, Any]]:
    """What hospitals answer for one key, the answer with most records first."""
    answers: dict[int, dict[str, Any]] = {}
    columns = (column[rows].tolist() for column in (book.targets, book.site, book.records, book.name))
    for number, site, records, name in zip(*columns, strict=True):
        answer = answers.setdefault(number, {"number": number, "records": 0, "sites": [], "codes": set()})
        answer["records"] += records
        answer["sites"].append(book.sites[site])
        answer["codes"].add(name)
    for answer in answers.values():
        answer["targets"] = book.text(book.target_texts, answer["number"])
        answer["codes"] = sorted(str(book.text(book.names, name)) for name in answer["codes"])
    return sorted(answers.values(), key=lambda answer: (-answer["records"], answer["targets"]))
