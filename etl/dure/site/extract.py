"""Files of an extract that no source reads."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from dure.errors import Problem
from dure.site.loaded import Site
from dure.site.spec import FileSource

_SHOWN = 10
_NOT_DATA = ("exclusions.csv",)


def unread_files(site: Site, extract: Path) -> list[Problem]:
    """One warning that names the files of the extract that neither a source nor `ignored` knows."""
    files = [source for source in site.spec.sources.values() if isinstance(source, FileSource)]
    patterns = [pattern for source in files for pattern in source.path]
    patterns += [pattern for source in files if source.changes for pattern in source.changes.path]
    patterns += [site.spec.extract.ready] if site.spec.extract.ready else []
    ignored = set(site.spec.ignored)
    left = [
        path.relative_to(extract).as_posix()
        for path in sorted(extract.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.name not in _NOT_DATA
    ]
    left = [
        name
        for name in left
        if not any(fnmatchcase(name, pattern) for pattern in patterns)
        and not ignored & {name, Path(name).name, Path(name).name.split(".")[0]}
    ]
    if not left:
        return []
    shown = ", ".join(left[:_SHOWN]) + (f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else "")
    do = "declare a source for them, or give the reason: ignored: {NAME: …}"
    return [site.document.problem(("sources",), f"no source reads {shown}", do)]
