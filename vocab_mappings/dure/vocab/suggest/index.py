"""Candidates searched by the words of their names: word weights, BM25, character n-grams and coverage in one score."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sparse

from dure.vocab.suggest.english import folded, terms
from dure.vocab.suggest.libraries import library

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
# How much each way of comparing counts; the first is 1. Chosen once, in whole steps (docs/guide/suggest.md).
_COSINE, _BM25, _CHARACTERS, _COVERAGE, _KOREAN = 1.0, 0.5, 0.5, 0.3, 0.5
HIGHEST = _COSINE + _BM25 + _CHARACTERS + _COVERAGE
_K1, _B = 1.2, 0.75
_CELLS = 20_000_000


@dataclass(frozen=True)
class Texts:
    """The names and synonyms that candidates are found by, ascending by candidate: one row a text."""

    candidate: Sequence[int]
    text: Sequence[str]


class Index:
    """Scores every candidate for a question, from 0 to a little over HIGHEST."""

    def __init__(self, size: int, english: Texts, korean: Texts) -> None:
        self.size = size
        self._words = _Words(english.text)
        self._of_english = np.asarray(english.candidate, np.int64)
        vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer
        self._grams = vectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True, dtype=np.float32)
        self._gram_rows = self._grams.fit_transform([folded(text) for text in english.text])
        self._of_korean = np.asarray(korean.candidate, np.int64)
        self._korean = vectorizer(analyzer="char", ngram_range=(2, 3), sublinear_tf=True, dtype=np.float32)
        self._korean_rows = self._korean.fit_transform(korean.text) if len(korean.text) else None

    def scores(
        self, asked: Sequence[Mapping[str, float]], text: Sequence[str], korean: Sequence[str]
    ) -> Iterator[Floats]:
        """A row of scores a question, in blocks; `text` is its English, `korean` its Korean description."""
        block = max(1, _CELLS // max(1, len(self._of_english)))
        for first in range(0, len(asked), block):
            part = slice(first, first + block)
            yield from self._block(asked[part], text[part], korean[part])

    def _block(self, asked: Sequence[Mapping[str, float]], text: Sequence[str], korean: Sequence[str]) -> Floats:
        rows = self._words.scores(asked)
        rows += _CHARACTERS * _dense(self._grams.transform([folded(each) for each in text]) @ self._gram_rows.T)
        result = self._best(rows, self._of_english)
        if self._korean_rows is not None:
            rows = _KOREAN * _dense(self._korean.transform(korean) @ self._korean_rows.T)
            result += self._best(rows, self._of_korean)
        return result

    def _best(self, rows: Floats, candidate: Any) -> Floats:
        """The best of each candidate's texts."""
        result = np.zeros((len(rows), self.size), np.float32)
        if len(candidate):
            starts = np.flatnonzero(np.diff(candidate, prepend=-1))
            result[:, candidate[starts]] = np.maximum.reduceat(rows, starts, axis=1)
        return result

    def shared(self, asked: Mapping[str, float], text: str) -> list[str]:
        """The terms that a question and a text have in common, the most telling ones first."""
        return self._words.shared(asked, text)


class _Words:
    """Texts as weighted terms."""

    def __init__(self, text: Sequence[str]) -> None:
        self._number: dict[str, int] = {}
        rows = self._matrix(map(terms, text), learn=True)
        seen = np.bincount(rows.indices, minlength=rows.shape[1])
        self._rarity = np.log((len(text) + 1) / (seen + 0.5))
        self._bm25 = self._bm25_matrix(rows)
        self._present = _like(rows, np.ones_like(rows.data)).T.tocsr().astype(np.float32)
        rows = _like(rows, rows.data * self._rarity[rows.indices])
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        self._cosine = _scaled(rows, length).T.tocsr()

    def _matrix(self, documents: Iterable[Mapping[str, float]], *, learn: bool = False) -> Any:
        """The weights of known terms, a row a document; terms are numbered as they come where they are learnt."""
        columns, weights, ends = array("i"), array("f"), array("q", [0])
        for document in documents:
            for term, weight in document.items():
                number = self._number.setdefault(term, len(self._number)) if learn else self._number.get(term, -1)
                if number >= 0:
                    columns.append(number)
                    weights.append(weight)
            ends.append(len(columns))
        content = np.asarray(weights, np.float32), np.asarray(columns, np.int32), np.asarray(ends)
        return sparse.csr_array(content, shape=(len(ends) - 1, max(1, len(self._number))))

    def _bm25_matrix(self, rows: Any) -> Any:
        """By term and text the share of the BM25 score, as bm25s works it out."""
        if not self._number:
            return sparse.csr_array(rows.shape[::-1], dtype=np.float32)
        library("bm25s")
        from bm25s import BM25
        from bm25s.tokenization import Tokenized

        scorer = BM25(k1=_K1, b=_B, method="lucene")
        numbers = [rows.indices[first:end].tolist() for first, end in pairwise(rows.indptr)]
        scorer.index(Tokenized(ids=numbers, vocab=dict(self._number)), show_progress=False)
        scores = scorer.scores
        shape = (len(numbers), len(scores["indptr"]) - 1)
        found = sparse.csc_array((scores["data"], scores["indices"], scores["indptr"]), shape=shape)
        return found[:, : len(self._number)].T.tocsr()

    def scores(self, asked: Sequence[Mapping[str, float]]) -> Floats:
        plain = self._matrix(asked)
        weighted = _like(plain, plain.data * self._rarity[plain.indices])
        length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        total = np.asarray(weighted.sum(axis=1)).ravel()
        result = _COSINE * _dense(_scaled(weighted, length) @ self._cosine)
        bm25 = _dense(plain.astype(np.float32) @ self._bm25)
        result += _BM25 * bm25 / np.maximum(bm25.max(axis=1, keepdims=True, initial=0.0), 1e-9)
        result += _COVERAGE * _dense(_scaled(weighted, total) @ self._present)
        return result

    def shared(self, asked: Mapping[str, float], text: str) -> list[str]:
        common = [term for term in terms(text) if term in asked]
        return sorted(common, key=lambda term: -asked[term] * self._rarity[self._number[term]])


def _like(rows: Any, data: Any) -> Any:
    return sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)


def _scaled(rows: Any, by: Any) -> Any:
    return (sparse.diags_array(1 / np.maximum(by, 1e-9)) @ rows).astype(np.float32)


def _dense(product: Any) -> Floats:
    result: Floats = product.toarray().astype(np.float32)
    return result
