"""What a value of the spec refers to: the columns it reads, the maps, the vocabularies, and where each is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from dure.site.values import (
    CodedColumn,
    CodedLiteral,
    OnlyText,
    Result,
    TextMap,
    VocabularyOfRow,
)
from dure.site.yaml_text import Step

Path = tuple[Step, ...]
# Fields whose texts are not columns.
_NOT_COLUMNS = frozenset(
    {"literal", "concept_id", "map", "with_", "formats", "day", "empty", "missing", "row", "present", "not_"}
)


def parts(value: Any, at: Path) -> Iterator[tuple[Path, Any]]:
    """Every model and text inside a value, the value itself first, each with its path in the file."""
    yield at, value
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner = getattr(value, name)
            if inner is not None:
                yield from parts(inner, (*at, field.alias or name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from parts(item, (*at, index))


def columns_read(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    """(path, column) of every column that a value reads."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from columns_read(item, (*at, index))
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner = getattr(value, name)
            if name in _NOT_COLUMNS or inner is None or (name == "vocabulary" and isinstance(inner, str)):
                continue
            yield from columns_read(inner, (*at, field.alias or name))


def vocabularies_named(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    """(path, vocabulary) of every vocabulary that a value names."""
    for path, part in parts(value, at):
        if isinstance(part, CodedColumn | CodedLiteral) and isinstance(part.vocabulary, str):
            yield (*path, "vocabulary"), part.vocabulary


def maps_named(value: Any, at: Path) -> Iterator[tuple[Path, str, str, int]]:
    """(path, map, use, columns looked up together) of every map that a value names.

    The use is `concept`, `text` or `vocabulary`: what the map must give at that place.
    """
    for path, part in parts(value, at):
        name = getattr(part, "map", None) if isinstance(part, BaseModel) else None
        if name is None:
            continue
        if isinstance(part, CodedColumn):
            yield (*path, "map"), name, "concept", len(part.column)
        elif isinstance(part, VocabularyOfRow):
            yield (*path, "map"), name, "vocabulary", 1
        elif isinstance(part, TextMap):
            yield (*path, "map"), name, "text", 1
        elif isinstance(part, Result | OnlyText):
            yield (*path, "map"), name, "concept", 1
