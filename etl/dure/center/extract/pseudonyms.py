"""The project's own pseudonyms: one row a person chosen, made with its key where the engine's workers read it.

As in the hospital, the key is never part of a plan. What comes out depends on the key, the project and the hospital, so
the extracts of two projects share no id, even were they given one key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from dure.errors import IntegrityError, Problem
from dure.publish.private_keys import KeySource, pseudonym_key
from dure.tables.keys import ENTITY_ID_BITS, key_text_of

# No person has the id 0: its row has the secret of records that are nobody's, such as a provider's.
SITE = 0
_ROUNDS = 8
_CROSSWALK = pa.schema(
    [("site", pa.string()), ("person_id", pa.int64()), ("new_id", pa.int64()), ("secret", pa.string())]
)
_SPARK = "site string, person_id bigint, new_id bigint, secret string"


@dataclass(frozen=True)
class Project:
    """What the worker needs; all of it may stand in a plan. `salts` part pseudonyms that met."""

    key: KeySource
    name: str
    salts: Mapping[tuple[str, int], int]


def write_crosswalk(chosen: DataFrame, project: Project, folder: Path) -> Path:
    """Writes (site, person_id, new_id, secret) for the persons chosen, (site, person_id); the folder it lies in."""
    for turn in range(_ROUNDS):
        target = folder / f"crosswalk-{turn}"
        chosen.mapInArrow(partial(crosswalk_rows, project=project), _SPARK).write.parquet(str(target))
        met = _shared(target)
        if not met:
            return target
        salts = dict(project.salts)
        project = replace(project, salts=salts | {each: salts.get(each, 0) + 1 for each in met})
    raise IntegrityError(Problem("pseudonyms", "two persons keep the same pseudonym", "report this bug"))


def crosswalk_rows(batches: Iterable[pa.RecordBatch], project: Project) -> Iterator[pa.RecordBatch]:
    """One row a person: runs in the engine's worker."""
    key = pseudonym_key(project.key)
    for batch in batches:
        rows = batch.to_pydict()
        pairs = zip(rows["site"], rows["person_id"], strict=True)
        yield pa.RecordBatch.from_pylist([_row(key, project, site, person) for site, person in pairs], _CROSSWALK)


def _row(key: bytes, project: Project, site: str, person: int) -> dict[str, object]:
    salt = project.salts.get((site, person), 0)
    name = key_text_of(("extract", project.name, site, str(person), str(salt)))
    digest = hmac.digest(key, name.encode(), "sha512")
    return {
        "site": site,
        "person_id": person,
        "new_id": (int.from_bytes(digest[:8], "big") & ((1 << ENTITY_ID_BITS) - 1)) or 1,
        "secret": digest[16:48].hex(),
    }


def _shared(folder: Path) -> list[tuple[str, int]]:
    """Persons whose pseudonym another has: of each group all but one, the first by hospital and id."""
    ids = pq.read_table(folder, columns=["new_id"], partitioning=None)["new_id"].to_numpy()
    found, counts = np.unique(ids, return_counts=True)
    twice = found[counts > 1]
    if not len(twice):
        return []
    rows = pq.read_table(folder, columns=["new_id", "site", "person_id"], partitioning=None)
    those = rows.filter(pa.array(np.isin(ids, twice))).sort_by(
        [("new_id", "ascending"), ("site", "ascending"), ("person_id", "ascending")]
    )
    listed = those.to_pylist()
    return [(row["site"], row["person_id"]) for before, row in pairwise(listed) if before["new_id"] == row["new_id"]]
