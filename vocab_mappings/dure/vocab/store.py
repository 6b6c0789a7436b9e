"""The vocabulary store: one immutable folder of Parquet a release and content, several side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "store.json"
FORMAT = 1
CODE_TARGETS_FILE = "code_targets.parquet"
SUCCESSORS_FILE = "successors.parquet"


@dataclass(frozen=True)
class VocabularyStore:
    """A loaded vocabulary.

    `release` is the text Athena gives it, `digest` the SHA-256 over its input files; `counts` has `rows` (by table),
    `dangling` (rows that name a concept which CONCEPT lacks, by table), `targets` (what following relationships met)
    and `absent` (tables the download did not have, stored empty).
    """

    folder: Path
    release: str
    digest: str
    counts: Mapping[str, Any]

    def path(self, table: str) -> Path:
        """The Parquet file of one vocabulary table, such as `CONCEPT`."""
        return self.folder / f"{table.upper()}.parquet"

    def concepts(self, ids: Iterable[int], columns: Sequence[str] = ()) -> pd.DataFrame:
        """One row a concept of `ids` that the vocabulary has, ascending by id; concept_id and `columns`, or all."""
        chosen = ["concept_id", *columns] if columns else None
        table = self._rows(self.path("CONCEPT"), "concept_id", ids, chosen)
        frame: pd.DataFrame = table.sort_by("concept_id").to_pandas(date_as_object=True)
        return frame

    def missing(self, ids: Iterable[int]) -> list[int]:
        """The ids that CONCEPT lacks, ascending; 0 is never missing."""
        asked = {int(concept_id) for concept_id in ids} - {0}
        found = self._rows(self.path("CONCEPT"), "concept_id", asked, ["concept_id"])
        return sorted(asked - set(found["concept_id"].to_pylist()))

    def vocabulary_ids(self) -> frozenset[str]:
        """The vocabularies that CONCEPT has codes of."""
        return frozenset(self.counts["vocabularies"])

    def code_targets(self, vocabulary_id: str, codes: Iterable[str]) -> pa.Table:
        """The rows of the derived `code_targets` for some codes of one vocabulary, in stored order."""
        wanted = pa.array(sorted(set(codes)), pa.string())
        chosen = (pc.field("vocabulary_id") == vocabulary_id) & pc.field("concept_code").isin(wanted)
        return pq.read_table(self.folder / CODE_TARGETS_FILE, filters=chosen)

    def of_vocabulary(self, vocabulary_id: str, columns: Sequence[str]) -> pa.Table:
        """Some columns of the derived `code_targets` for all codes of one vocabulary, in stored order."""
        chosen = pc.field("vocabulary_id") == vocabulary_id
        return pq.read_table(self.folder / CODE_TARGETS_FILE, columns=list(columns), filters=chosen)

    def ancestor_levels(self, ids: Iterable[int]) -> pa.Table:
        """The rows of CONCEPT_ANCESTOR whose descendant is among `ids`, with `min_levels_of_separation`."""
        columns = ["ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation"]
        return self._rows(self.path("CONCEPT_ANCESTOR"), "descendant_concept_id", ids, columns)

    def successors(self, ids: Iterable[int]) -> pa.Table:
        """The standard concepts that concepts no longer standard lead to: (concept_id, target_concept_id, hops, via)."""
        return self._rows(self.folder / SUCCESSORS_FILE, "concept_id", ids, None)

    def ancestors(self, ids: Iterable[int]) -> pa.Table:
        """The rows of CONCEPT_ANCESTOR whose descendant is among `ids`: (ancestor_concept_id, descendant_concept_id)."""
        return self._rows(
            self.path("CONCEPT_ANCESTOR"),
            "descendant_concept_id",
            ids,
            ["ancestor_concept_id", "descendant_concept_id"],
        )

    def strengths(self, ids: Iterable[int]) -> pa.Table:
        """The rows of DRUG_STRENGTH of some drugs."""
        return self._rows(self.path("DRUG_STRENGTH"), "drug_concept_id", ids, None)

    @staticmethod
    def _rows(path: Path, key: str, ids: Iterable[int], columns: Sequence[str] | None) -> pa.Table:
        wanted = np.array(sorted({int(number) for number in ids}), np.int64)
        fits = wanted[np.abs(wanted) < 2**31].astype(np.int32)
        chosen = pc.field(key).isin(pa.array(fits))
        return pq.read_table(path, columns=list(columns) if columns else None, filters=chosen)


def structural_concepts_missing(store: VocabularyStore, ids: Iterable[int]) -> list[int]:
    """The concepts a run writes by itself (types, visit classes, operators) that the vocabulary lacks, ascending.

    They are written all the same; the caller reports them once as `vocabulary incomplete`.
    """
    return store.missing(ids)


def store_name(release: str, digest: str) -> str:
    """The folder name of a store."""
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', release).strip('-') or 'unknown'}-{digest[:12]}"


def is_store(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def open_store(folder: Path) -> VocabularyStore:
    """The store in a folder; raises ConfigurationError where it is none, incomplete or of another format."""
    manifest = folder / MANIFEST
    again = "remove the folder and load the vocabulary again"
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except OSError as error:
        do = "name a folder made by `dure vocab load`, or one with Athena's CSV files"
        raise ConfigurationError(Problem(str(manifest), f"cannot be read: {error.strerror}", do)) from error
    except ValueError as error:
        raise ConfigurationError(Problem(str(manifest), "is not JSON", again)) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise ConfigurationError(Problem(str(manifest), f"a store of format {found}, this Dure reads {FORMAT}", again))
    problems = [
        Problem(str(folder / name), f"expected a file of {size} bytes", again)
        for name, size in content["files"].items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != size
    ]
    if problems:
        raise ConfigurationError(problems)
    return VocabularyStore(folder, content["release"], content["digest"], content["counts"])
