"""The standard concepts that suggestions are chosen from, with the names and synonyms that they are found by."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from dure.errors import ConfigurationError, Problem
from dure.vocab.store import VocabularyStore
from dure.vocab.suggest.index import Texts
from dure.vocab.suggest.korean import has_hangul


@dataclass(frozen=True)
class Filters:
    """What candidates must be; an empty set asks for nothing. Names compare without regard to case."""

    domains: frozenset[str] = frozenset()
    vocabularies: frozenset[str] = frozenset()
    specimens: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Candidates:
    """Standard concepts, one a position; `english` and `korean` are the texts that name them."""

    concept_id: list[int]
    name: list[str]
    domain: list[str]
    vocabulary: list[str]
    english: Texts = field(repr=False)
    korean: Texts = field(repr=False)

    def __len__(self) -> int:
        return len(self.concept_id)

    def synonyms(self, at: int) -> list[str]:
        """The English texts of one candidate beside its name."""
        ends = bisect_left(self.english.candidate, at), bisect_right(self.english.candidate, at)
        return [text for text in self.english.text[ends[0] : ends[1]] if text != self.name[at]]

    def pairs(self) -> list[tuple[str, str]]:
        """Korean synonyms with the name of their concept."""
        return [(text, self.name[at]) for at, text in zip(self.korean.candidate, self.korean.text, strict=True)]


def candidates_of(store: VocabularyStore, domains: Collection[str], vocabularies: Collection[str]) -> Candidates:
    """The valid standard concepts of some domains and vocabularies (empty: of all), ascending by id.

    Raises ConfigurationError where the store has none.
    """
    chosen = (pc.field("standard_concept") == "S") & pc.field("invalid_reason").is_null()
    if domains:
        chosen &= pc.utf8_lower(pc.field("domain_id")).isin(_lower(domains))
    if vocabularies:
        chosen &= pc.utf8_lower(pc.field("vocabulary_id")).isin(_lower(vocabularies))
    columns = ["concept_id", "concept_name", "domain_id", "vocabulary_id"]
    table = ds.dataset(store.path("CONCEPT")).to_table(columns=columns, filter=chosen).sort_by("concept_id")
    if not table.num_rows:
        of = " and ".join(filter(None, [", ".join(sorted(domains)), ", ".join(sorted(vocabularies))])) or "any domain"
        do = "name others with --domain and --target-vocabulary, or load a vocabulary that has them"
        raise ConfigurationError(Problem(str(store.folder), f"no standard concept of {of}", do))
    ids = table["concept_id"].to_pylist()
    names = [name or "" for name in table["concept_name"].to_pylist()]
    synonyms = _synonyms(store, table["concept_id"])
    return made(ids, names, table["domain_id"].to_pylist(), table["vocabulary_id"].to_pylist(), synonyms)


def made(
    ids: list[int], names: list[str], domains: list[str], vocabularies: list[str], synonyms: Iterable[tuple[int, str]]
) -> Candidates:
    """Candidates of columns; `synonyms` are (concept id, text) of any language."""
    position = {concept_id: at for at, concept_id in enumerate(ids)}
    texts: dict[tuple[int, str], None] = dict.fromkeys(enumerate(names))
    texts |= {(position[concept_id], text): None for concept_id, text in synonyms if text}
    ordered = sorted(texts)
    korean = [(at, text) for at, text in ordered if has_hangul(text)]
    english = [(at, text) for at, text in ordered if not has_hangul(text)]
    return Candidates(ids, names, domains, vocabularies, _texts(english), _texts(korean))


def _texts(rows: list[tuple[int, str]]) -> Texts:
    return Texts([at for at, _ in rows], [text for _, text in rows])


def _synonyms(store: VocabularyStore, ids: pa.ChunkedArray) -> list[tuple[int, str]]:
    path = store.path("CONCEPT_SYNONYM")
    of_candidate = pc.field("concept_id").isin(ids.combine_chunks())
    table = ds.dataset(path).to_table(columns=["concept_id", "concept_synonym_name"], filter=of_candidate)
    return list(zip(table["concept_id"].to_pylist(), table["concept_synonym_name"].to_pylist(), strict=True))


def _lower(names: Collection[str]) -> pa.Array:
    return pa.array(sorted(name.lower() for name in names), pa.string())
