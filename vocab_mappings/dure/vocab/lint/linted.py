"""A map as rules see it: its entries, the cells behind them, and what is known of the target concepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dure.vocab.lint.reference import vocabulary_written
from dure.vocab.map_files import map_row
from dure.vocab.maps.entry import MapEntry, is_placeholder
from dure.vocab.maps.grid import Record
from dure.vocab.maps.read import MapTable


@dataclass(frozen=True, slots=True)
class Concept:
    """What the vocabulary says of one concept; `successors` are the standard concepts it leads to."""

    concept_id: int
    name: str
    domain_id: str
    vocabulary_id: str
    code: str
    standard: str
    invalid_reason: str
    successors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Concepts:
    """The target concepts of a map that a vocabulary store has; `complete` is False where the store lacks concepts
    that its own relationships name."""

    by_id: Mapping[int, Concept]
    complete: bool
    vocabulary_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the file: its cells, and the entry they make."""

    record: Record
    entry: MapEntry

    @property
    def row(self) -> int:
        return self.record.row


@dataclass(frozen=True, slots=True)
class Speaks:
    """A row that a run would apply: the line, the code as a run compares it, and from when to when."""

    line: Line
    key: tuple[str, ...]
    target: int | None
    start: int
    end: int


@dataclass(frozen=True)
class LintedMap:
    """One map under lint. `own` are the site's own vocabularies, `many_targets` those whose codes may have several."""

    table: MapTable
    concepts: Concepts | None = None
    own: frozenset[str] = field(default_factory=frozenset)
    many_targets: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def lines(self) -> list[Line]:
        return [Line(record, self.table.entry(record)) for record in self.table.grid.records]

    @cached_property
    def approved(self) -> list[Line]:
        """The lines that a run may apply."""
        return [line for line in self.lines if line.entry.approved]

    @cached_property
    def speaking(self) -> list[Speaks]:
        """The lines in force that name a code, in file order."""
        found = []
        for line in self.approved:
            entry = line.entry
            if is_placeholder(entry.source_code) or entry.invalid_reason.upper() in ("D", "U"):
                continue
            row = map_row("", entry)
            vocabulary = vocabulary_written(entry.source_vocabulary_id) or entry.source_vocabulary_id
            key = (vocabulary, entry.source_code, entry.code_type, entry.specimen, entry.unit, entry.kind)
            found.append(Speaks(line, key, entry.target, row.start, row.end))
        return found

    @cached_property
    def by_key(self) -> dict[tuple[str, ...], list[Speaks]]:
        groups: dict[tuple[str, ...], list[Speaks]] = {}
        for each in self.speaking:
            groups.setdefault(each.key, []).append(each)
        return groups

    def column(self, name: str) -> int | None:
        """The column of a field, None where the file has none."""
        return self.table.grid.layout.column(name)

    def header(self, column: int) -> str:
        return self.table.grid.header[column].strip("\ufeff\u200b ")

    def columns(self, *names: str) -> list[tuple[str, int]]:
        """(field, column) of the fields that the file has, those of targets beside the map's own among them."""
        chosen = [(name, column) for name in names if (column := self.column(name)) is not None]
        beside = [
            (name, group[name])
            for suffix, group in self.table.grid.layout.targets.items()
            if suffix != self.table.grid.layout.chosen
            for name in names
            if name in group and (name, group[name]) not in chosen
        ]
        return chosen + beside

    def cells(self, *names: str) -> Iterator[tuple[Line, str, int, str]]:
        """(line, field, column, cell) of fields, line by line."""
        columns = self.columns(*names)
        for line in self.lines:
            for name, column in columns:
                yield line, name, column, line.record.cells[column]

    @cached_property
    def target_groups(self) -> Sequence[Mapping[str, int]]:
        """The groups of columns that describe one target each, the map's own first."""
        layout = self.table.grid.layout
        own = {name: n for n, name in enumerate(layout.fields) if name and name.startswith("target_")}
        return [own, *(group for suffix, group in layout.targets.items() if suffix != layout.chosen)]
