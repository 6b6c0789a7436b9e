"""The checkpoint of a run: which of its stages have ended, what they left on disk and in memory, and from what.

It is written after a stage, when the files of that stage are on disk, and replaced as a whole, so that it never names
bytes that a power cut took. A run that was cut off can go on from it where everything that its outcome depends on is
still the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from dure.snapshot.durable import lake_access, replace_file, sync
from dure.snapshot.lake import Staging

CHECKPOINT = "checkpoint.json"
# Of a stage that ends: its own checkpoint names what all stages before it left, too.
AREAS = ("landing", "work", "cdm", "reports")

HandedOn = TypeVar("HandedOn", bound=BaseModel)
Count = Annotated[int, Field(ge=0)]


class Checkpoint(BaseModel, Generic[HandedOn]):
    """The state of one run after a stage.

    `stages` are those that have ended, in their order; `inputs` what the outcome depends on, digest by name; `files` the
    bytes of each file by `area/path`; `handed` what the stages gave in memory; `resumed` how many runs have begun here
    since it was written.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    checkpoint_version: Literal[1] = 1
    snapshot: str
    started: AwareDatetime
    stages: Annotated[tuple[str, ...], Field(min_length=1)]
    inputs: dict[str, str]
    files: dict[str, Count]
    handed: HandedOn
    resumed: Count = 0

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, int]) -> dict[str, int]:
        for name in files:
            area, *rest = Path(name).parts
            if area not in AREAS or not rest or ".." in rest:
                raise ValueError("names a file outside the run's folders")
        return files

    @property
    def stage(self) -> str:
        """The last stage that has ended."""
        return self.stages[-1]


def write_checkpoint(staging: Staging, checkpoint: Checkpoint[HandedOn]) -> None:
    """Replaces the checkpoint of the run."""
    with lake_access(staging.work):
        replace_file(staging.work / CHECKPOINT, checkpoint.model_dump_json().encode() + b"\n")


def read_checkpoint(work: Path, kind: type[Checkpoint[HandedOn]]) -> Checkpoint[HandedOn] | None:
    """The checkpoint in a run's work folder; None where there is none, or none that this version can read."""
    path = work / CHECKPOINT
    with lake_access(path):
        if not path.is_file():
            return None
        content = path.read_bytes()
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        return None


def files_now(staging: Staging, areas: Iterable[str], before: Mapping[str, int]) -> dict[str, int]:
    """The files of a run by `area/path` with their bytes: those of `areas` as they are, the others as `before` has them."""
    chosen = tuple(areas)
    found = {name: size for name, size in before.items() if Path(name).parts[0] not in chosen}
    with lake_access(staging.work):
        for area in chosen:
            top = _folder(staging, area)
            for path in sorted(top.rglob("*")):
                if path.is_file() and path.name != CHECKPOINT:
                    found[f"{area}/{path.relative_to(top).as_posix()}"] = path.stat().st_size
    return found


def settle(staging: Staging, names: Iterable[str]) -> None:
    """Waits until these files, and the folders that list them, are on disk."""
    with lake_access(staging.work):
        folders: set[Path] = set()
        for name in names:
            sync(_path(staging, name))
            area, *rest = Path(name).parts
            folders |= {_folder(staging, area).joinpath(*rest[:depth]) for depth in range(len(rest))}
        for folder in sorted(folders, reverse=True):
            sync(folder)


def lost_files(staging: Staging, files: Mapping[str, int]) -> tuple[str, ...]:
    """Names of the checkpoint whose file is gone or has another size."""
    return tuple(name for name, size in sorted(files.items()) if _size(_path(staging, name)) != size)


def remove_unfinished(staging: Staging, files: Mapping[str, int]) -> None:
    """Removes what the stage that was cut off had begun to write: all files that the checkpoint does not name."""
    kept = {_path(staging, name) for name in files} | {staging.work / CHECKPOINT}
    with lake_access(staging.work):
        for area in AREAS:
            top = _folder(staging, area)
            for parent, folders, names in os.walk(top, topdown=False):
                for name in names:
                    if Path(parent) / name not in kept:
                        (Path(parent) / name).unlink()
                for name in folders:
                    if not any((Path(parent) / name).iterdir()):
                        (Path(parent) / name).rmdir()


def _path(staging: Staging, name: str) -> Path:
    area, _, rest = name.partition("/")
    return _folder(staging, area) / rest


def _folder(staging: Staging, area: str) -> Path:
    folder: Path = getattr(staging, area)
    return folder


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
