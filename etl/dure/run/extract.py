"""The files that a run will read."""

from __future__ import annotations

from pathlib import Path

from dure.errors import ExtractNotReadyError, SourceError
from dure.landing import source_files
from dure.site.loaded import Site
from dure.site.spec import FileSource


def extract_files(extract: Path, site: Site) -> dict[Path, int]:
    """The files of all file sources with their bytes; none of a source whose files landing will refuse, saying why."""
    found: dict[Path, int] = {}
    for name, source in site.spec.sources.items():
        if not isinstance(source, FileSource):
            continue
        try:
            found |= {file.path: file.state.size for file in source_files(name, source, extract).files}
        except (SourceError, ExtractNotReadyError):
            continue
    return found
