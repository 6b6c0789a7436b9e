"""What the lake remembers of publications: whose pseudonym is whose, and which were withdrawn. For its owner alone.

    LAKE/sites/SITE/publish/sequence.json
    LAKE/sites/SITE/publish/KEY/persons.parquet     (person_id, pseudonym) of everybody who ever left under that key
    LAKE/sites/SITE/publish/KEY/withdrawn.json      pseudonyms of persons forgotten since
    LAKE/sites/SITE/publish/KEY/salts.json          persons whose first pseudonym was another's

KEY is the fingerprint of a project's key.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.snapshot.durable import lake_access, make_folder, replace_file
from dure.snapshot.lake import SiteLake

_SCHEMA = pa.schema([("person_id", pa.int64()), ("pseudonym", pa.int64())])


def publish_folder(lake: SiteLake) -> Path:
    return lake.folder / "publish"


class Remembered:
    """What is known under one project's key."""

    def __init__(self, lake: SiteLake, fingerprint: str) -> None:
        self.folder = publish_folder(lake) / fingerprint

    def withdrawn(self) -> list[int]:
        """Pseudonyms of persons who were forgotten after they had left."""
        return sorted(int(number) for number in _read(self.folder / "withdrawn.json", []))

    def salts(self) -> dict[int, int]:
        return {int(person): int(salt) for person, salt in _read(self.folder / "salts.json", {}).items()}

    def keep_salts(self, salts: dict[int, int]) -> None:
        if salts != self.salts():
            _write(self.folder / "salts.json", {str(person): salt for person, salt in sorted(salts.items())})

    def persons(self) -> list[int]:
        """Ids of the persons who left before."""
        known: list[int] = self._persons()["person_id"].to_pylist()
        return known

    def keep_persons(self, crosswalk: Path) -> None:
        """Adds the persons of a crosswalk that is about to be used."""
        new = pq.read_table(crosswalk, columns=_SCHEMA.names).filter(pc.field("person_id") != 0)
        old = self._persons()
        gone = old.filter(pa.array(~np.isin(old["person_id"].to_numpy(), new["person_id"].to_numpy())))
        self._write_persons(pa.concat_tables([gone, new]).sort_by("person_id"))

    def withdraw(self, persons: Collection[int]) -> int:
        """Forgets these persons here; their pseudonyms are withdrawn. How many had left under this key."""
        table = self._persons()
        hit = pc.is_in(table["person_id"], pa.array(sorted(persons), pa.int64()))
        pseudonyms = table.filter(hit)["pseudonym"].to_pylist()
        if pseudonyms:
            _write(self.folder / "withdrawn.json", sorted({*self.withdrawn(), *pseudonyms}))
            self._write_persons(table.filter(pc.invert(hit)))
        salts = self.salts()
        if salts.keys() & set(persons):
            self.keep_salts({person: salt for person, salt in salts.items() if person not in persons})
        return len(pseudonyms)

    def _persons(self) -> pa.Table:
        path = self.folder / "persons.parquet"
        with lake_access(path):
            return pq.read_table(path, schema=_SCHEMA) if path.exists() else _SCHEMA.empty_table()

    def _write_persons(self, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        with lake_access(self.folder, "nothing was published"):
            make_folder(self.folder)
            replace_file(self.folder / "persons.parquet", sink.getvalue().to_pybytes())


def all_remembered(lake: SiteLake) -> list[Remembered]:
    """What is known under each key that the site ever published with."""
    folder = publish_folder(lake)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [Remembered(lake, name) for name in names]


def _read(path: Path, nothing: Any) -> Any:
    with lake_access(path):
        return json.loads(path.read_bytes()) if path.exists() else nothing


def _write(path: Path, content: object) -> None:
    with lake_access(path, "nothing was published"):
        make_folder(path.parent)
        replace_file(path, json.dumps(content).encode())
