"""Headers: the column names of a source's files, and whether its files agree and have what the spec names."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dure.errors import Problem, SourceError
from dure.landing.find import Found, FoundFile, find_files
from dure.landing.layout import Layout, layout_of, layout_of_changes
from dure.landing.opened import OpenedFile, refuse_changed
from dure.landing.parquet_text import parquet_names
from dure.landing.records import EmptyFileError, Head, read_head
from dure.site.spec import Defaults, FileSource

ROW_COLUMNS = ("_file", "_row", "_key", "_row_hash")
NFKC_SUFFIX = "_nfkc"
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Headed:
    """One file and its head; names are trimmed, in composed Unicode."""

    file: FoundFile
    head: Head


def header_of(name: str, source: FileSource, defaults: Defaults, extract: Path) -> tuple[str, ...]:
    """The column names of a source (`COL_nfkc` among them), from the tops of its files; raises SourceError.

    Where change files alone are there it is from theirs, without the marker; nothing where no file needs to be there.
    """
    layout = layout_of(name, source, defaults)
    changes = source.changes
    found = find_files(layout.where, source.path, extract, "all" if changes else "none")
    if found.files or changes is None:
        return landed_columns(layout, all_names(layout, read_heads(layout, found)))
    arrived = find_files(f"{layout.where}.changes", changes.path, extract, "any")
    if not any(file.state.size for file in arrived.files):
        return ()
    layout = layout_of_changes(layout, changes)
    names = all_names(layout, read_heads(layout, arrived))
    return landed_columns(layout, tuple(name for name in names if name != changes.marker))


def read_heads(layout: Layout, found: Found) -> list[Headed]:
    """Each file with its head; raises SourceError naming every file whose header is not like the first one's."""
    heads, problems = list[Headed](), list[Problem]()
    empty: list[FoundFile] = []
    for file in found.files:
        try:
            heads.append(Headed(file, _head(layout, file)))
        except EmptyFileError as error:
            empty.append(file)
            problems += [] if layout.may_be_empty else error.problems
        except SourceError as error:
            # What cannot be read may be what is being written.
            refuse_changed(file.path, layout.at(file.shown), file.state)
            problems += error.problems
    for other in heads[1:]:
        problems += _differences(layout, heads[0], other)
    if heads:
        problems += _unusable(layout, heads[0].file, all_names(layout, heads))
    elif not problems and layout.header is None and layout.format == "csv":
        do = "export one again with its header line, or give the names: header: [...]"
        problems.append(Problem(layout.where, "every file is empty, so none names the columns", do))
    if problems:
        raise SourceError(problems)
    names = heads[0].head.names if heads else layout.header or tuple(layout.columns)
    heads += [Headed(file, Head(names, "", 1)) for file in empty]
    return sorted(heads, key=lambda headed: headed.file.shown)


def all_names(layout: Layout, heads: Sequence[Headed]) -> tuple[str, ...]:
    """The columns of the files, those that not every file has, or none yet, at the end."""
    names = heads[0].head.names
    return names + tuple(name for name in layout.optional if name not in names)


def landed_columns(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """The columns of the landed rows: the file's, each followed by its NFKC form where the spec asks for it."""
    return tuple(
        landed for name in names for landed in ((name, name + NFKC_SUFFIX) if name in layout.nfkc else (name,))
    )


def check_columns_named(layout: Layout, names: Sequence[str], named: Iterable[tuple[str, str]]) -> None:
    """Raises SourceError for each (place in the spec, column) that the files do not have."""
    named = list(named)
    every = [column for _, column in named]
    problems = [
        Problem(f"{layout.where}.{place}", f"no column '{column}'", _closest(column, names, every))
        for place, column in named
        if column not in names
    ]
    if problems:
        raise SourceError(problems)


def _head(layout: Layout, file: FoundFile) -> Head:
    where = layout.at(file.shown)
    if file.state.size == 0:
        raise EmptyFileError(where)
    if layout.format == "parquet":
        head = Head(parquet_names(file.path, where), "", 1)
    else:
        with OpenedFile(file.path, file.shown, where, file.state) as opened:
            head = read_head(opened, layout)
    names = tuple(unicodedata.normalize("NFC", name.strip()) for name in head.names)
    return Head(names, head.text, head.first_row)


def _differences(layout: Layout, first: Headed, other: Headed) -> list[Problem]:
    """Another order of the same columns is no difference: columns go by name."""
    passed_over = set(layout.optional)
    missing = [name for name in first.head.names if name not in {*other.head.names, *passed_over}]
    added = [name for name in other.head.names if name not in {*first.head.names, *passed_over}]
    twice = len(set(other.head.names)) < len(other.head.names)
    if not missing and not added and not twice:
        return []
    if 2 * len(missing) > len(first.head.names):
        # Perhaps a file without a header line: its first row is then patients' data and must not be shown.
        found = f"its header differs from that of {first.file.shown}: {len(missing)} of {len(first.head.names)} columns"
        return [Problem(layout.at(other.file.shown), f"{found} are missing", "does every file have its header line?")]
    parts = []
    if missing:
        parts.append(f"has no {_quoted(missing)}")
    if added:
        parts.append(f"has {_quoted(added)} besides")
    found = f"its header differs from that of {first.file.shown}: {' and '.join(parts) or 'a name occurs twice'}"
    do = "export them again, or name columns that not every file has: optional: [...]"
    return [Problem(layout.at(other.file.shown), found, do)]


def _unusable(layout: Layout, file: FoundFile, names: Sequence[str]) -> list[Problem]:
    """Names that the landed rows cannot have."""
    where = layout.at(file.shown)
    problems = []
    if unnamed := [str(place) for place, name in enumerate(names, 1) if not name]:
        found = f"column {', '.join(unnamed)} of {len(names)} has no name"
        problems.append(Problem(where, found, "give all names: header: [...] and skip_lines: 1"))
    # Engines take Id and ID for one column. Places, not names: the first line of a file without a header is data.
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name in ROW_COLUMNS:
            problems.append(Problem(where, f"has a column '{name}', a name of Dure's own", "rename it in the export"))
        earlier = places.setdefault(name.casefold(), place)
        if name and earlier != place:
            same = "the same name" if names[earlier - 1] == name else "names that differ only in case"
            do = "give names: header: [...] and skip_lines: 1"
            problems.append(Problem(where, f"columns {earlier} and {place} of the header have {same}", do))
    for name in layout.nfkc:
        if (name + NFKC_SUFFIX).casefold() in places:
            found = f"has a column '{name}{NFKC_SUFFIX}', which nfkc would add"
            problems.append(Problem(where, found, f"take {name} out of nfkc"))
    return problems


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _closest(name: str, names: Sequence[str], named: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"closest: '{near[0]}'"
    if any(other in names for other in named):
        # A quote left open in the header swallows rows of data: what looks like it is not shown.
        shown = [name for name in names if len(name) <= LONGEST_SHOWN and "\n" not in name]
        more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
        return f"the files have: {', '.join(shown)}{more}"
    return "is the first line of each file its header? check delimiter, encoding and skip_lines"
