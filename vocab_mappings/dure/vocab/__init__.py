"""Terminology: the vocabulary store, mapping files and the resolution of source codes to standard concepts."""

from dure.vocab.fixed import FixedConcepts, resolve_fixed
from dure.vocab.load import load_athena, open_vocabulary
from dure.vocab.resolution import REQUEST, MappingProblem, Resolution
from dure.vocab.resolve import resolve
from dure.vocab.store import VocabularyStore, structural_concepts_missing

__all__ = [
    "REQUEST",
    "FixedConcepts",
    "MappingProblem",
    "Resolution",
    "VocabularyStore",
    "load_athena",
    "open_vocabulary",
    "resolve",
    "resolve_fixed",
    "structural_concepts_missing",
]
