"""Terminology: the vocabulary store, mapping files and the resolution of source codes to standard concepts.

What this package exports is imported when it is first asked for: a map is linted without the libraries of the store.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_MODULES = {
    "fixed": ("FixedConcepts", "resolve_fixed"),
    "load": ("load_athena", "open_vocabulary"),
    "resolution": ("REQUEST", "MappingProblem", "Resolution"),
    "resolve": ("resolve",),
    "store": ("VocabularyStore", "structural_concepts_missing"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


class _Vocabulary(ModuleType):
    """This package. Its function `resolve` has the name of the module that defines it, and comes first."""

    def __getattr__(self, name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        """The import system names a submodule here once it is loaded."""
        if name not in _HOME:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Vocabulary
