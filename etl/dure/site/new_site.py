"""A new site folder: an example's or a draft's files, put in place in one step and never over what is there."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.site.names import site_names
from dure.site.yaml_text import closest, read_yaml

# A new hospital has its own page, its own patients who object, and its own block of concept ids.
NOT_COPIED = ("README.md", "exclusions.csv", "concepts.csv", "blocks.csv")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Copied:
    """What a copy made: the folder, the files of the example that are not in it, and its consortium, if any."""

    folder: Path
    left_behind: tuple[Path, ...]
    consortium: str | None


def is_identifier(name: str) -> bool:
    """Whether a folder's name can be the site's id, too."""
    return _IDENTIFIER.fullmatch(name) is not None


def copy_site(name: str, like: str, known: Sequence[Path], home: Path) -> Copied:
    """Copies site `like` of the first of the folders `known` that has it to `home/name`, under the id `name`.

    Raises ConfigurationError where the example is unknown or the folder is already there.
    """
    example = _example(like, known)
    document = read_yaml(example / "site.yaml")
    data = document.data if isinstance(document.data, dict) else {}
    site = data.get("site")
    consortium = site.get("consortium") if isinstance(site, dict) else None

    def fill(folder: Path) -> None:
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", *NOT_COPIED))
        if is_identifier(name) and document.data is not None:
            path = folder / "site.yaml"
            path.write_text(_renamed(path.read_text("utf-8-sig"), document.line(("site", "id")), name), "utf-8")

    folder = new_folder(name, home, fill)
    left = tuple(example / file for file in NOT_COPIED if (example / file).exists())
    return Copied(folder, left, consortium if isinstance(consortium, str) else None)


def new_folder(name: str, home: Path, fill: Callable[[Path], None]) -> Path:
    """`home/name` with what `fill` writes; it is there whole or not at all, and never in place of another."""
    folder = home / name
    if name in ("", ".", "..") or Path(name).name != name or name.startswith(".") or set(name) & set("*?[]{}\\"):
        do = "a folder's name without /, *, ?, brackets or a leading dot"
        raise ConfigurationError(Problem("SITE", f"'{name}' is not the name of a site", do))
    if folder.exists() or folder.is_symlink():
        do = "nothing was changed; choose another name, or move that folder away first"
        raise ConfigurationError(Problem(str(folder), "is already there", do))
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=home) as staging:
            made = Path(staging) / "site"
            made.mkdir()
            fill(made)
            made.rename(folder)
    except OSError as error:
        found = f"cannot be written: {error.strerror or error}"
        raise ConfigurationError(
            Problem(str(folder), found, "check the folder's permissions and free space")
        ) from error
    return folder


def _example(like: str, known: Sequence[Path]) -> Path:
    for folder in known:
        if (folder / like / "site.yaml").is_file():
            return folder / like
    names = site_names(known)
    do = f"sites there: {', '.join(names)}" if names else f"looked in {', '.join(map(str, known)) or 'no folder'}"
    raise ConfigurationError(Problem("--like", f"no site '{like}'{closest(like, names)}", do))


def _renamed(text: str, line: int, name: str) -> str:
    """The spec with another id in that line, its comments as they were."""
    lines = text.splitlines(keepends=True)
    lines[line - 1] = re.sub(r"(\bid:\s*)(\"[^\"]*\"|'[^']*'|[^\s,}#]+)", rf"\g<1>{name}", lines[line - 1], count=1)
    return "".join(lines)
