"""The columns of a source, of files or of a database, without reading its rows."""

from __future__ import annotations

from pathlib import Path

from dure.landing import header
from dure.site.spec import DatabaseSource, Defaults, FileSource, LandedSource


def header_of(name: str, source: LandedSource, defaults: Defaults, extract: Path) -> tuple[str, ...]:
    """The column names of a source, from the tops of its files or asked of its database; raises their errors."""
    if isinstance(source, DatabaseSource):
        from dure.landing.database import header_of_query  # here, as most sites have no database

        return header_of_query(name, source, defaults)
    return header_of_files(name, source, defaults, extract)


def header_of_files(name: str, source: LandedSource, defaults: Defaults, extract: Path) -> tuple[str, ...]:
    """The same without a connection to anything: nothing is known of a source of a database."""
    return header.header_of(name, source, defaults, extract) if isinstance(source, FileSource) else ()
