"""Finding: the files of the extract that a source's patterns name, each once, in the order of their names."""

from __future__ import annotations

import difflib
import glob
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dure.errors import ExtractNotReadyError, Problem, SourceError
from dure.landing.opened import FileState

# Patterns that may match nothing: none of them, any of them, or all of them at once.
MayLack = Literal["none", "any", "all"]


@dataclass(frozen=True)
class FoundFile:
    """One file to read; `shown` is its path relative to the extract, `state` what it was like when it was found."""

    path: Path
    shown: str
    state: FileState


@dataclass(frozen=True)
class Found:
    """The files of one source in the order of their names, and what to say about other matches."""

    files: tuple[FoundFile, ...]
    warnings: tuple[Problem, ...]


def find_files(where: str, patterns: Iterable[str], extract: Path, may_lack: MayLack = "none") -> Found:
    """The files that the patterns match; `may_lack` says which patterns may match none.

    Raises ExtractNotReadyError where another pattern matches none, SourceError where what it matches cannot be read.
    """
    if not extract.is_dir():
        do = "give the folder of the extract (--source), or wait for it"
        raise ExtractNotReadyError(Problem(where, f"there is no folder {extract}", do))
    absent: list[Problem] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    matched: dict[str, FoundFile] = {}
    for pattern in patterns:
        names = _matches(pattern, extract)
        files = [name for name in names if not (extract / name).is_dir()]
        if not files and names:
            do = f"to read within: {pattern}/*"
            problems.append(Problem(where, f"no file matches '{pattern}' in {extract}, only folders do", do))
        elif not files and may_lack != "any":
            absent.append(_nothing(where, pattern, extract))
        for name in names - set(files):
            warnings.append(Problem(f"{where} {name}", "is a folder and is not read", f"to read within: {name}/*"))
        for name in files:
            try:
                if not stat.S_ISREG((extract / name).stat().st_mode):
                    problems.append(Problem(f"{where} {name}", "is not a regular file", "remove it from the extract"))
                    continue
                matched[name] = FoundFile(extract / name, name, FileState.of(extract / name))
            except OSError as error:
                found = f"cannot be read: {error.strerror}"
                problems.append(Problem(f"{where} {name}", found, "check the file, or the link, and its permissions"))
    if problems:
        raise SourceError([*problems, *absent])
    # Some of the files of a source would be half an extract.
    if absent and (matched or may_lack != "all"):
        raise ExtractNotReadyError(absent)
    # A name that is the file's own comes before a link to it.
    by_preference = sorted(matched.values(), key=lambda file: (file.path.is_symlink(), file.shown))
    first: dict[tuple[int, int], FoundFile] = {}
    for file in by_preference:
        same = first.setdefault((file.state.device, file.state.inode), file)
        if same is not file:
            warnings.append(Problem(f"{where} {file.shown}", f"is the same file as {same.shown}", "it is read once"))
    return Found(tuple(sorted(first.values(), key=lambda file: file.shown)), tuple(sorted(warnings)))


def _matches(pattern: str, extract: Path) -> set[str]:
    """Relative paths; a Hangul name matches whether it is stored composed or, as macOS does, decomposed."""
    forms = {unicodedata.normalize(form, pattern) for form in ("NFC", "NFD")}
    if exact := {form for form in forms if (extract / form).is_file()}:
        return exact
    return {Path(name).as_posix() for form in forms for name in _glob(form, extract)}


def _glob(pattern: str, extract: Path) -> list[str]:
    # not Path.glob, which finds hidden files, half-written ones of a copy among them
    return glob.glob(pattern, root_dir=extract, recursive=True)  # noqa: PTH207


def _nothing(where: str, pattern: str, extract: Path) -> Problem:
    found = f"no file matches '{pattern}' in {extract}"
    folder = (extract / pattern).parent
    names = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    near = difflib.get_close_matches(Path(pattern).name, names, n=3, cutoff=0.4)
    do = f"closest: {', '.join(near)}" if near else f"the folder {folder} has {len(names)} files"
    return Problem(where, found, do)
