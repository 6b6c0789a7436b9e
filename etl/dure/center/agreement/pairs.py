"""How far each two hospitals agree on the codes, or the descriptions, that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from dure.center.agreement.codebook import NOTHING, Codebook, Flags, Longs, starts
from dure.vocab.compare import CODE, DESCRIPTION

KINDS = (CODE, DESCRIPTION)


@dataclass(frozen=True)
class Counts:
    """What pairs of hospitals share: keys, and the records that both hospitals have of them."""

    shared: int = 0
    only_one_mapped: int = 0
    both_mapped: int = 0
    agree: int = 0
    records: int = 0
    agree_records: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Counts)))

    def told(self) -> dict[str, int | float | None]:
        """The counts with the shares that follow: unweighted and weighted by records."""
        return {each.name: getattr(self, each.name) for each in fields(Counts)} | {
            "agree_share": share(self.agree, self.both_mapped),
            "agree_records_share": share(self.agree_records, self.records),
        }


@dataclass(frozen=True)
class Apart:
    """One row is two answers that stand against each other: numbers of targets, on how many keys, with which records."""

    one: Longs
    other: Longs
    keys: Longs
    records: Longs


@dataclass(frozen=True)
class Pairs:
    """All pairs of hospitals, by their numbers, and the answers in which any of them differ."""

    counts: dict[tuple[int, int], Counts]
    apart: Apart

    def of(self, one: int, other: int) -> Counts:
        return self.counts.get((min(one, other), max(one, other)), Counts())

    def among(self, hospitals: Sequence[int]) -> Counts:
        """The pairs of which both are among some hospitals."""
        chosen = set(hospitals)
        return sum((each for pair, each in self.counts.items() if chosen.issuperset(pair)), Counts())

    def with_others(self, hospital: int) -> Counts:
        return sum((each for pair, each in self.counts.items() if hospital in pair), Counts())


@dataclass(frozen=True)
class _Side:
    """What one hospital says of each key, ascending by key; `code` tells rows apart that are compared as codes."""

    key: Longs
    code: Longs
    targets: Longs
    records: Longs


def pairs(book: Codebook, kind: str) -> Pairs:
    """Compares every two hospitals on the keys of a kind that both have."""
    sides = _sides(book, kind)
    counts: dict[tuple[int, int], Counts] = {}
    apart: list[Longs] = []
    for one in range(len(sides)):
        of_one = []
        for other in range(one + 1, len(sides)):
            counts[one, other], differing = _compared(sides[one], sides[other], kind)
            of_one.append(differing)
        # Reduced as it grows: pairs of answers are few, pairs of hospitals times codes are not.
        apart = [_added([*apart, *of_one])]
    told = apart[0] if apart else np.zeros((4, 0), np.int64)
    return Pairs(counts, Apart(*told))


def keyed_rows(book: Codebook, kind: str) -> tuple[Longs, Longs]:
    """The rows of a codebook that have a key of a kind, with the key; ascending by hospital and key.

    One row a hospital and key: of several codes under one description the one with most records speaks for it.
    """
    key = book.code if kind == CODE else book.folded
    rows = np.flatnonzero(key != NOTHING)
    rows = rows[np.lexsort((book.code[rows], -book.records[rows], key[rows], book.site[rows]))]
    first = rows[starts(book.site[rows], key[rows])]
    return first, key[first]


def _sides(book: Codebook, kind: str) -> list[_Side]:
    rows, key = keyed_rows(book, kind)
    edges = np.searchsorted(book.site[rows], np.arange(len(book.sites) + 1)).tolist()
    return [
        _Side(key[low:high], *(column[rows[low:high]] for column in (book.code, book.targets, book.records)))
        for low, high in pairwise(edges)
    ]


def _compared(one: _Side, other: _Side, kind: str) -> tuple[Counts, Longs]:
    if not len(one.key) or not len(other.key):
        return Counts(), np.zeros((4, 0), np.int64)
    at = np.minimum(np.searchsorted(other.key, one.key), len(other.key) - 1)
    shared = other.key[at] == one.key
    if kind == DESCRIPTION:  # one code under one name was compared as a code
        shared &= other.code[at] != one.code
    left, right = np.flatnonzero(shared), at[shared]
    mine, theirs = one.targets[left], other.targets[right]
    records = one.records[left] + other.records[right]
    some, others = mine != NOTHING, theirs != NOTHING
    both, agree = some & others, some & (mine == theirs)
    differ: Flags = both & ~agree
    counts = Counts(
        shared=len(left),
        only_one_mapped=int((some != others).sum()),
        both_mapped=int(both.sum()),
        agree=int(agree.sum()),
        records=int(records[both].sum()),
        agree_records=int(records[agree].sum()),
    )
    low, high = np.minimum(mine, theirs)[differ], np.maximum(mine, theirs)[differ]
    return counts, np.stack([low, high, np.ones(len(low), np.int64), records[differ]])


def _added(parts: Sequence[Longs]) -> Longs:
    """Pairs of answers with their keys and records added up."""
    rows = np.concatenate(parts, axis=1) if parts else np.zeros((4, 0), np.int64)
    rows = rows[:, np.lexsort((rows[1], rows[0]))]
    first = starts(rows[0], rows[1])
    if not len(first):
        return rows
    return np.stack([rows[0][first], rows[1][first], *(np.add.reduceat(rows[i], first) for i in (2, 3))])


def share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def matrix(found: Pairs, sites: Sequence[str]) -> list[dict[str, Any]]:
    """One row a pair of hospitals, by name."""
    return [
        {"site_a": sites[one], "site_b": sites[other]} | counts.told()
        for (one, other), counts in sorted(found.counts.items())
    ]
