"""Layout: how the files of one source are to be read, with the defaults filled in."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from typing import Literal

from dure.errors import ConfigurationError, Problem
from dure.site.spec import ChangeFiles, Defaults, FileSource

# Stands for a delimiter that is not ASCII, which no fast reader takes; a text that holds it already is refused.
STAND_IN = "\x1f"


@dataclass(frozen=True)
class Layout:
    """The layout of one source's files."""

    source: str
    format: Literal["csv", "fixed", "parquet", "database"]
    encoding: str
    delimiter: str
    quote: str | None
    header: tuple[str, ...] | None
    columns: dict[str, tuple[int, int]]
    unit: Literal["characters", "bytes"]
    skip_lines: int
    footer: tuple[str, ...]
    optional: tuple[str, ...]
    may_be_empty: bool
    null_values: tuple[str, ...]
    key: tuple[str, ...]
    nfkc: tuple[str, ...]

    @property
    def field_delimiter(self) -> str:
        """What separates fields once the text is decoded."""
        return self.delimiter if self.delimiter.isascii() else STAND_IN

    @property
    def where(self) -> str:
        return f"sources.{self.source}"

    def at(self, file: str, row: int | None = None) -> str:
        """The place that an error names."""
        return f"{self.where} {file}" if row is None else f"{self.where} {file}:{row}"


def layout_of(name: str, source: FileSource, defaults: Defaults) -> Layout:
    """The layout of source `name`; raises ConfigurationError where two settings cannot go together."""
    encoding = codecs.lookup(source.encoding or defaults.encoding or "utf-8").name
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    layout = Layout(
        source=name,
        format=source.format,
        encoding=encoding,
        delimiter=source.delimiter or defaults.delimiter or ",",
        quote=('"' if source.quote is None else source.quote) or None,
        header=tuple(source.header) if source.header else None,
        columns={column: (int(start), int(length)) for column, (start, length) in (source.columns or {}).items()},
        unit=source.unit,
        skip_lines=source.skip_lines,
        footer=tuple(source.footer),
        optional=tuple(source.optional or ()),
        may_be_empty=source.may_be_empty,
        null_values=tuple(defaults.null_values if source.null_values is None else source.null_values),
        key=tuple(source.key or ()),
        nfkc=tuple(source.nfkc or ()),
    )
    problems = []
    if layout.format == "csv":
        if len(layout.delimiter) != 1 or layout.delimiter in "\r\n\0":
            problems.append(Problem(f"{layout.where}.delimiter", "is not one character", "e.g. ',' or '|' or tab"))
        if layout.quote and (len(layout.quote) != 1 or not layout.quote.isascii()):
            problems.append(Problem(f"{layout.where}.quote", "is not one ASCII character", "'\"', or '' for none"))
        if layout.quote == layout.delimiter:
            problems.append(Problem(f"{layout.where}.quote", "is the delimiter too", "give each its own character"))
    if layout.unit == "bytes" and not is_ascii_compatible(encoding):
        found = f"places cannot be counted in bytes of {encoding}"
        problems.append(Problem(f"{layout.where}.unit", found, "unit: characters"))
    if problems:
        raise ConfigurationError(problems)
    return layout


def layout_of_changes(layout: Layout, changes: ChangeFiles) -> Layout:
    """The layout of a source's change files: as the full ones are, with the marker among the columns."""
    places = {column: (int(start), int(length)) for column, (start, length) in (changes.columns or {}).items()}
    header = tuple(changes.header) if changes.header else None
    return replace(layout, header=header, columns=places or layout.columns)


def is_ascii_compatible(encoding: str) -> bool:
    """Whether ASCII text is the same bytes in this encoding, wherever in a file it stands."""
    if encoding.startswith(("iso2022", "hz", "utf-7")):  # these switch meaning by escape sequences
        return False
    ascii_bytes = bytes(range(128))
    return ascii_bytes.decode(encoding, "replace") == ascii_bytes.decode("ascii")
