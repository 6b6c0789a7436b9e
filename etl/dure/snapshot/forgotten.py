"""Persons whom a site has forgotten: key texts that every later run leaves out, as if they stood in exclusions.csv.

The list is the lake's own, so that it holds whoever writes the site's folder, and it is written before anything is
removed: after a crash it says who must still go.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dure.errors import Problem
from dure.snapshot.durable import LakeError, lake_access, make_folder, replace_file

_FORMAT = TypeAdapter(list[str])
_FILE = "forgotten.json"


def forgotten(site_folder: Path) -> frozenset[str]:
    """Key texts of the persons forgotten; none where nobody was."""
    path = site_folder / _FILE
    with lake_access(path):
        if not path.exists():
            return frozenset()
        content = path.read_bytes()
    try:
        return frozenset(_FORMAT.validate_json(content))
    except ValidationError:
        do = "restore the file from a backup; without it persons who were forgotten would come back"
        raise LakeError(Problem(str(path), "is not the list of persons forgotten", do)) from None


def remember_forgotten(site_folder: Path, keys: Collection[str]) -> None:
    """Adds persons for good. Under the site's lock."""
    known = forgotten(site_folder)
    if set(keys) <= known:
        return
    with lake_access(site_folder, "nobody was forgotten"):
        make_folder(site_folder)
        replace_file(site_folder / _FILE, json.dumps(sorted(known | set(keys)), ensure_ascii=False).encode())
