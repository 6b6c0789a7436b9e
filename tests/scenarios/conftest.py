"""One engine and one vocabulary store for all scenarios."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario import VOCABULARY

from dure.engine import Engine, EngineOptions, engine
from dure.vocab import VocabularyStore, load_athena


# Not for the whole process: while a session is up, Apache Spark cannot be started beside it (tests/engines).
@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    """The default engine; small data is quickest on few threads."""
    with engine(EngineOptions(threads=min(2, os.cpu_count() or 1))) as running:
        yield running


@pytest.fixture(scope="session")
def vocabulary_store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    """The scenarios' own vocabulary, loaded once."""
    stores: Path = tmp_path_factory.mktemp("stores")
    return load_athena(VOCABULARY, stores)
