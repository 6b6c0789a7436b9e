"""A map file read: its rows in Dure's terms beside the cells as they stand in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dure.vocab.maps.entry import APPROVED, MapEntry, canonical
from dure.vocab.maps.fields import ADDED, Format
from dure.vocab.maps.grid import Grid, Record, read_grid


@dataclass(frozen=True)
class MapTable:
    """One map file; `entry` reads a record of its grid, `entries` all that are whole, in file order."""

    grid: Grid

    @property
    def path(self) -> Path:
        return self.grid.path

    @property
    def format(self) -> Format:
        return self.grid.layout.format

    @property
    def name(self) -> str:
        return short_name(self.grid.path)

    @property
    def has_status(self) -> bool:
        return "status" in self.grid.layout.fields

    def entries(self) -> Iterator[MapEntry]:
        return map(self.entry, self.grid.records)

    def entry(self, record: Record) -> MapEntry:
        values: dict[str, str] = {}
        extra: dict[str, str] = {}
        for field, name, cell in zip(self.grid.layout.fields, self._names, record.cells, strict=True):
            if not cell:
                continue
            if field is not None:
                values[field] = canonical(field, cell)
            else:
                extra[name] = cell
        if self.format == "usagi" and values.get("target_concept_id") == "0" and values.get("status") != APPROVED:
            values["target_concept_id"] = ""  # not mapped yet; only an approved 0 says that there is no concept
        return MapEntry(record.row, **values, extra=extra, needs_status=self.has_status)

    def extra_names(self) -> tuple[str, ...]:
        """The file's own columns, in its order, without Usagi's prefix."""
        pairs = zip(self.grid.layout.fields, self._names, strict=True)
        return tuple(name for field, name in pairs if field is None)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """What each column is called; of columns called the same, or nothing, the later ones get a number."""
        names: list[str] = []
        for field, header in zip(self.grid.layout.fields, self.grid.header, strict=True):
            name = header if field is not None else header.strip("\ufeff").removeprefix(ADDED) or "column"
            number, unique = 1, name
            while field is None and unique in names:
                number += 1
                unique = f"{name} ({number})"
            names.append(unique)
        return tuple(names)


def read_map(path: Path, sheet: str | None = None) -> MapTable:
    """Reads a map of any format; raises ConfigurationError where the file is no table of codes and targets.

    Rows with another number of cells than the header are in `grid.ragged`, not among the entries.
    """
    return MapTable(read_grid(path, sheet))


def short_name(path: Path) -> str:
    """A map's name in reports: its folder and its own, which says enough and no machine's path."""
    return "/".join(path.parts[-2:])
