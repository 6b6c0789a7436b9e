"""The codes of all hospitals as numbers, so that 43 hospitals with 20,000 codes each are compared as arrays.

Texts stay in Arrow's columns. What tells codes apart is what `dure vocab compare` goes by: role, vocabulary and code,
spellings of one code together (KCD with and without its dot). Codes without a vocabulary mean what they mean in their
own hospital, so nobody else's are the same, and they are left out, as is what a package does not tell code by code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.center.summary.reading import summary_table
from dure.vocab.compare import normalised
from dure.vocab.normalise import normaliser

Longs: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

CODES_FILE = "codes.parquet"
_READ = (
    "role", "vocabulary_id", "code", "description", "targets", "equivalence", "authority", "common_targets", "records",
)  # fmt: skip
_TEXTS = _READ[2:-1]
# Small, with a dot and white space: what every rule of spelling changes.
_SPELLED = "a. b"
# Between the parts of a key: no text of a code has it, since landing takes control characters for defects.
_BETWEEN = "\x1f"
_SHORTEST = 2
_AT_ONCE = 50_000
NOTHING = -1


@dataclass(frozen=True)
class Codebook:
    """Row i is one code of one hospital with what most of its records were mapped to; sorted by hospital and code.

    `site`, `code`, `name`, `description`, `targets`, `common`, `authority` and `equivalence` are numbers into the
    texts (`sites`, `codes`, …); `NOTHING` where there is no description, no target, no answer of the common map.
    """

    sites: tuple[str, ...]
    site: Longs
    code: Longs
    name: Longs
    description: Longs
    targets: Longs
    common: Longs
    authority: Longs
    equivalence: Longs
    records: Longs
    codes: pa.Array
    names: pa.Array
    descriptions: pa.Array
    target_texts: pa.Array
    authorities: pa.Array
    equivalences: pa.Array

    @property
    def mapped(self) -> Flags:
        found: Flags = self.targets != NOTHING
        return found

    def authority_is(self, name: str) -> Flags:
        found: Flags = self.authority == _number_of(self.authorities, name)
        return found

    def code_parts(self, number: int) -> tuple[str, str, str]:
        """(role, vocabulary, form) of a code."""
        role, vocabulary, form = self.codes[number].as_py().split(_BETWEEN, 2)
        return role, vocabulary, form

    def target_ids(self, number: int) -> frozenset[int]:
        """The concepts that a number of `targets` or `common` stands for."""
        return frozenset() if number == NOTHING else ids_of(self.target_texts[number].as_py())

    def text(self, texts: pa.Array, number: int) -> str | None:
        found: str | None = None if number == NOTHING else texts[number].as_py()
        return found

    @cached_property
    def without_role(self) -> Longs:
        """By code number: the number of its vocabulary and form, the same in every role."""
        parts = pc.replace_substring_regex(self.codes, f"^[^{_BETWEEN}]*{_BETWEEN}", "")
        return _numbers(parts.dictionary_encode().indices)

    @cached_property
    def folded(self) -> Longs:
        """By row: the number of its role and folded description, NOTHING where that says too little."""
        folded = pa.chunked_array([_folded(part) for part in _parts(self.descriptions)], pa.string())
        short = np.append(_encoded(folded.chunks)[1], NOTHING)
        text = short[self.description]
        roles = pc.replace_substring_regex(self.codes, f"{_BETWEEN}.*$", "").dictionary_encode()
        role = _numbers(roles.indices)[self.code] if len(self.codes) else self.code
        joined: Longs = np.where(text == NOTHING, NOTHING, text * (len(roles.dictionary) + 1) + role)
        return joined


def ids_of(targets: str | None) -> frozenset[int]:
    return frozenset(int(part) for part in (targets or "").split())


def codebook(files: Sequence[tuple[str, Path]]) -> Codebook:
    """The codes of hospitals by name; a hospital whose file is not there has none."""
    tables = [
        _keyed(number, table)
        for number, (_, path) in enumerate(files)
        if (table := summary_table(path, _READ)) is not None
    ]
    texts: dict[str, pa.Array] = {}
    columns = {name: _longs([table[name] for table in tables]) for name in ("site", "records")}
    for name in ("key", *_TEXTS):
        # A text goes as soon as it is a number: most of the memory is theirs.
        texts[name], columns[name] = _encoded([table.pop(name) for table in tables])
    # Common answers stand in the numbers of targets, so that the two compare as numbers.
    columns["common_targets"], texts["targets"] = _renumbered(
        columns["common_targets"], texts["common_targets"], texts["targets"]
    )
    return _chosen(tuple(site for site, _ in files), columns, texts)


def _chosen(sites: tuple[str, ...], columns: dict[str, Longs], texts: dict[str, pa.Array]) -> Codebook:
    """One row a hospital and code: the answer of most records, all its records, the first description of weight."""
    answer = ("targets", "authority", "common_targets", "equivalence")
    order = np.lexsort([*(columns[name] for name in reversed(answer)), columns["key"], columns["site"]])
    sorted_ = {name: values[order] for name, values in columns.items()}
    same_answer = starts(*(sorted_[name] for name in ("site", "key", *answer)))
    sums = np.add.reduceat(sorted_["records"], same_answer) if len(order) else sorted_["records"]
    answers = {name: sorted_[name][same_answer] for name in ("site", "key", *answer)}
    # Of answers with as many records the first in number, which is the one met first: sorted by text to be the same
    # whatever the order of hospitals.
    rank = _ranks(texts["targets"])
    best = np.lexsort((rank[answers["targets"]], -sums, answers["key"], answers["site"]))
    first = starts(answers["site"][best], answers["key"][best])
    chosen = {name: values[best][first] for name, values in answers.items()}
    total = np.add.reduceat(sums[best], first) if len(first) else sums
    described = np.lexsort((-columns["records"], columns["description"] == NOTHING, columns["key"], columns["site"]))
    spelled = np.lexsort((-columns["records"], columns["key"], columns["site"]))
    of_code = starts(columns["site"][described], columns["key"][described])
    return Codebook(
        sites=sites,
        site=chosen["site"],
        code=chosen["key"],
        name=columns["code"][spelled][of_code],
        description=columns["description"][described][of_code],
        targets=chosen["targets"],
        common=chosen["common_targets"],
        authority=chosen["authority"],
        equivalence=chosen["equivalence"],
        records=total,
        codes=texts["key"],
        names=texts["code"],
        descriptions=texts["description"],
        target_texts=texts["targets"],
        authorities=texts["authority"],
        equivalences=texts["equivalence"],
    )


def _keyed(site: int, table: pa.Table) -> dict[str, pa.Array]:
    """The codes of one hospital that a package tells one by one, with their keys, as columns."""
    table = table.filter(pc.and_(pc.is_valid(table["code"]), pc.is_valid(table["vocabulary_id"])))
    columns = {name: table[name].cast(pa.string()).combine_chunks() for name in _READ[:-1]}
    role, vocabulary = pc.fill_null(columns.pop("role"), ""), columns.pop("vocabulary_id")
    key = pc.binary_join_element_wise(role, vocabulary, _forms(vocabulary, columns["code"]), _BETWEEN)
    columns["targets"] = pc.if_else(pc.equal(columns["targets"], ""), pa.scalar(None, pa.string()), columns["targets"])
    records = table["records"].cast(pa.int64()).combine_chunks()
    return {"site": pa.array(np.full(table.num_rows, site, np.int64)), "key": key, "records": records} | columns


def _encoded(parts: list[pa.Array]) -> tuple[pa.Array, Longs]:
    """The distinct texts of a column of all hospitals, and which of them each row has."""
    coded = pa.chunked_array(parts, pa.string()).dictionary_encode().unify_dictionaries()
    numbers = [_numbers(chunk.indices) for chunk in coded.chunks]
    texts = coded.chunk(0).dictionary if numbers else pa.array([], pa.string())
    return texts, np.concatenate(numbers) if numbers else np.zeros(0, np.int64)


def _forms(vocabularies: pa.Array, codes: pa.Array) -> pa.Array:
    """The form of each code in its vocabulary; only a vocabulary that has several spellings is looked at one by one."""
    forms = codes
    for vocabulary in pc.unique(vocabularies).to_pylist():
        form = normaliser(None, vocabulary).form
        if form(_SPELLED) != _SPELLED:
            rows = pc.equal(vocabularies, vocabulary)
            of_vocabulary = [form(code) for code in codes.filter(rows).to_pylist()]
            forms = pc.replace_with_mask(forms, rows, pa.array(of_vocabulary, pa.string()))
    return forms


def _parts(texts: pa.Array) -> Iterator[pa.Array]:
    """The texts in parts that may stand in memory as objects."""
    for begin in range(0, len(texts), _AT_ONCE):
        yield texts.slice(begin, _AT_ONCE)


def _folded(descriptions: pa.Array) -> pa.Array:
    """Descriptions without what does not tell two of them apart; None where that says too little."""
    texts = (normalised(text) for text in descriptions.to_pylist())
    return pa.array([text if len(text) >= _SHORTEST else None for text in texts], pa.string())


def _renumbered(numbers: Longs, texts: pa.Array, into: pa.Array) -> tuple[Longs, pa.Array]:
    """Numbers of `texts` as numbers of `into`, which grows by the texts that it lacks."""
    both = pa.chunked_array([into, texts]).combine_chunks().dictionary_encode()
    moved = np.append(_numbers(both.indices)[len(into) :], NOTHING)
    return moved[numbers], both.dictionary


def starts(*keys: Longs) -> Longs:
    """Where a group of equal keys begins, in columns sorted by them."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    differs = np.zeros(len(keys[0]), np.bool_)
    differs[0] = True
    for values in keys:
        differs[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(differs)


def _ranks(texts: pa.Array) -> Longs:
    """By number: its place among the sorted texts; NOTHING is last."""
    ranks = np.empty(len(texts) + 1, np.int64)
    ranks[np.asarray(pc.array_sort_indices(texts))] = np.arange(len(texts))
    ranks[NOTHING] = len(texts)
    return ranks


def _numbers(indices: pa.Array | pa.ChunkedArray) -> Longs:
    return np.asarray(pc.fill_null(indices.cast(pa.int64()), NOTHING), np.int64)


def _longs(parts: list[pa.Array]) -> Longs:
    return np.concatenate([np.asarray(part, np.int64) for part in parts]) if parts else np.zeros(0, np.int64)


def _number_of(texts: pa.Array, text: str) -> int:
    found: int = pc.index(texts, pa.scalar(text, pa.string())).as_py()
    return found if found >= 0 else len(texts)
