"""The number of a delivery: it only rises, and the lake remembers it before anything leaves.

The same content sent again right after keeps its number, so that a delivery that was cut off is made again with the
same bytes. Anything else, an older snapshot sent anew among it, takes the next number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dure.errors import Problem
from dure.snapshot.durable import LakeError, lake_access, make_folder, replace_file
from dure.snapshot.manifest import Sha256


class _Delivery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    sequence: Annotated[int, Field(ge=1)]
    content: Sha256


def sequence_for(folder: Path, content: str) -> int:
    """The number that this content would have, without giving it."""
    given = _read(folder / "sequence.json")
    if given is None:
        return 1
    return given.sequence if given.content == content else given.sequence + 1


def give_sequence(folder: Path, content: str) -> int:
    """The number of this content, remembered durably. Under the site's lock."""
    number = sequence_for(folder, content)
    with lake_access(folder, "nothing was published"):
        make_folder(folder)
        replace_file(folder / "sequence.json", _Delivery(sequence=number, content=content).model_dump_json().encode())
    return number


def _read(path: Path) -> _Delivery | None:
    with lake_access(path):
        if not path.exists():
            return None
        content = path.read_bytes()
    try:
        return _Delivery.model_validate_json(content)
    except ValidationError:
        do = "restore it from a backup; the center refuses a number that does not rise"
        raise LakeError(Problem(str(path), "is not the number of a delivery", do)) from None
