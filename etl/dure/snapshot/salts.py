"""The salts that ended an id collision, remembered so that the rehashed row keeps its id in every later run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from dure.errors import IntegrityError, Problem
from dure.snapshot.durable import LakeError, lake_access, replace_file

# {table: {SHA-256 of the row's id key, as hex: salt}}: the hash, since a natural key may hold a patient number.
Salts = dict[str, dict[str, int]]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_FORMAT = TypeAdapter(dict[str, dict[_Hash, int]])


def read_salts(path: Path) -> Salts:
    """All salts of the site; none when no collision ever happened. A damaged file is an error: ids would change."""
    with lake_access(path):
        if not path.exists():
            return {}
        content = path.read_bytes()
    try:
        return _FORMAT.validate_json(content, strict=True)
    except ValidationError as error:
        raise LakeError(
            Problem(
                str(path),
                f"not a list of salts ({error.error_count()} faults)",
                "restore the file from a backup; without it ids of rows that once collided would change",
            )
        ) from None


def remember_salts(path: Path, new: Salts) -> Salts:
    """The salts with `new` added, written so that a stop at any moment leaves the old list or the new one.

    A salt once given never changes: IntegrityError when `new` says otherwise.
    """
    salts = {table: dict(known) for table, known in read_salts(path).items()}
    for table, entries in new.items():
        known = salts.setdefault(table, {})
        for key, salt in entries.items():
            if known.setdefault(key, salt) != salt:
                raise IntegrityError(
                    Problem(
                        str(path), f"a row of {table} has salt {known[key]}, the run gives it {salt}", "report this bug"
                    )
                )
    with lake_access(path, "no id has changed"):
        replace_file(path, _FORMAT.dump_json(_sorted(salts), indent=1) + b"\n")
    return salts


def _sorted(salts: Mapping[str, Mapping[str, int]]) -> Salts:
    return {table: dict(sorted(salts[table].items())) for table in sorted(salts)}
