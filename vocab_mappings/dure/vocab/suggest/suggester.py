"""Ranked candidates with reasons for codes that have no concept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dure.vocab.suggest.approved import ApprovedRow, Precedent, Precedents, pairs
from dure.vocab.suggest.candidates import Candidates, Filters
from dure.vocab.suggest.details import (
    candidate_properties,
    candidate_specimens,
    domains_of,
    properties_of,
    specimens_of,
)
from dure.vocab.suggest.index import HIGHEST, Floats, Index
from dure.vocab.suggest.korean import Tokenizer
from dure.vocab.suggest.lexicon import Lexicon, learnt_from, own_terms
from dure.vocab.suggest.question import Interpreter, LocalCode, Question, TermWeights

# What another domain than the inferred one costs, and a specimen or property that contradicts the code's.
_OTHER_DOMAIN, _CONTRADICTION, _AGREEMENT = 0.5, 0.4, 0.15
# Of how many candidates the details are looked at, beside those with a precedent.
_LOOKED_AT = 200
# A score below this is a few letters in common.
_LEAST = 0.25
_MOST_SHARED = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One candidate for a code: its rank from 1, a score up to 1 (ranks within one code only), and why."""

    code: LocalCode
    rank: int
    concept_id: int
    name: str
    domain: str
    vocabulary: str
    score: float
    reasons: tuple[str, ...]


class Suggester:
    """Suggests concepts among candidates, with what the approved rows of maps teach."""

    def __init__(
        self,
        candidates: Candidates,
        rows: Sequence[ApprovedRow] = (),
        filters: Filters | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self._candidates = candidates
        self._filters = filters or Filters()
        self._position = {concept_id: at for at, concept_id in enumerate(candidates.concept_id)}
        tokenizer = tokenizer or Tokenizer(own_terms())
        learnt = learnt_from([*pairs(rows), *candidates.pairs()], tokenizer)
        self._interpreter = Interpreter(Lexicon(tokenizer.terms, learnt), tokenizer)
        self._described = [
            self._interpreter.question(LocalCode("", "", row.korean, row.english)).terms
            for row in rows
            if row.target and (row.korean or row.english)
        ]
        self._precedents = Precedents(rows)
        self._index = Index(len(candidates), candidates.english, candidates.korean)

    def suggest(self, codes: Sequence[LocalCode], top: int) -> Iterator[list[Suggestion]]:
        """The best candidates of each code in its order, none where nothing is alike."""
        asked = [self._interpreter.question(code) for code in codes]
        weights = TermWeights([*self._described, *(question.terms for question in asked)])
        weighted = weights.weighted(asked)
        rows = self._index.scores(weighted, [q.text for q in asked], [q.code.korean for q in asked])
        for question, terms, row in zip(asked, weighted, rows, strict=True):
            precedents = self._precedents.near(question.code.korean, question.code.english)
            yield self._ranked(question, terms, row, precedents, top)

    def _ranked(
        self, question: Question, terms: dict[str, float], row: Floats, precedents: Sequence[Precedent], top: int
    ) -> list[Suggestion]:
        near = {self._position[p.row.target]: p for p in precedents if p.row.target in self._position}
        looked_at = max(_LOOKED_AT, top)
        best: Any = np.argpartition(-row, looked_at)[:looked_at] if len(row) > looked_at else np.arange(len(row))
        ranked = []
        for at in {*best.tolist(), *near}:
            if row[at] < _LEAST and at not in near:
                continue
            details = self._details(question.code, at)
            if details is None:
                continue
            adjustment, reasons = details
            precedent = near.get(at)
            # Who approved the same words before has weighed domain and specimen.
            total = float(row[at]) + (max(0.0, adjustment) + precedent.bonus if precedent else adjustment)
            ranked.append((-total, self._candidates.concept_id[at], at, precedent, reasons))
        ranked.sort(key=lambda one: one[:2])
        return [
            Suggestion(
                question.code,
                rank,
                concept_id,
                self._candidates.name[at],
                self._candidates.domain[at],
                self._candidates.vocabulary[at],
                round(min(1.0, max(0.0, -minus / (HIGHEST + 1.0))), 4),
                (*_precedent_reason(precedent), *self._word_reasons(question, terms, at), *reasons),
            )
            for rank, (minus, concept_id, at, precedent, reasons) in enumerate(ranked[:top], 1)
        ]

    def _details(self, code: LocalCode, at: int) -> tuple[float, list[str]] | None:
        """What domain, specimen and property change, with reasons; None where a filter leaves the candidate out."""
        name, domain = self._candidates.name[at], self._candidates.domain[at]
        adjustment, reasons = 0.0, []
        expected = domains_of(code)
        if expected and domain not in expected and not self._filters.domains:
            adjustment -= _OTHER_DOMAIN
            reasons.append(f"domain {domain}, expected {' or '.join(sorted(expected))}")
        for kind, wanted, asked, has in (
            ("specimen", self._filters.specimens, specimens_of(code), candidate_specimens(name)),
            ("property", self._filters.properties, properties_of(code), candidate_properties(name)),
        ):
            if wanted and not wanted & has:
                return None
            if asked and has and asked & has:
                adjustment += _AGREEMENT
                reasons.append(f"{kind} {', '.join(sorted(asked & has))}")
            elif asked and has and domain == "Measurement":
                adjustment -= _CONTRADICTION
                reasons.append(f"{kind} {', '.join(sorted(has))}, the code has {', '.join(sorted(asked))}")
        return adjustment, reasons

    def _word_reasons(self, question: Question, terms: dict[str, float], at: int) -> list[str]:
        """The words that the code and the candidate share, in its name or else in the synonym that shares most."""
        name = self._candidates.name[at]
        shared = self._index.shared(terms, name)
        by_synonym = ""
        for text in self._candidates.synonyms(at):
            more = self._index.shared(terms, text)
            if len(more) > len(shared):
                shared, by_synonym = more, f" (synonym: {text})"
        told: list[str] = []
        for term in shared:
            plain = term.removeprefix("~")
            word = question.translated.get(term)
            text = f"{word} = {plain}" if word else plain
            if text not in told and not (term.startswith("~") and any(said.endswith(plain) for said in told)):
                told.append(text)
        return [f"words: {', '.join(told[:_MOST_SHARED])}{by_synonym}"] if told else []


def _precedent_reason(precedent: Precedent | None) -> tuple[str, ...]:
    if precedent is None:
        return ()
    return (f"approved for a description {precedent.similarity:.0%} alike ({precedent.row.where})",)
