"""What the checks read: the tables of one snapshot as frames, and the facts of the concepts that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from dure.quality.counting.profile import Before, Profile
from dure.vocab import VocabularyStore

# Tables of a vocabulary release that checks look at; a snapshot may add rows of local concepts to `concept`.
OF_THE_VOCABULARY = ("concept", "domain", "vocabulary", "drug_strength")
FACTS = ("domain_id", "concept_class_id", "standard_concept", "invalid_reason")


@dataclass(frozen=True)
class CheckedSnapshot:
    """The tables of one snapshot: `folder` holds one folder of Parquet a table; `today` is the day of the checks.

    `reports` is the folder of the run's evidence, `before` the last snapshot that passed, and `profile` fills up with
    what later snapshots will be compared with.
    """

    session: SparkSession
    folder: Path
    store: VocabularyStore
    today: date
    reports: Path | None = None
    before: Before | None = None
    profile: Profile = field(default_factory=Profile)
    _facts: dict[int, tuple[object, ...]] = field(default_factory=dict)

    def path(self, table: str) -> Path | None:
        """Where a table's Parquet is, or None where the snapshot has no such table."""
        if table in OF_THE_VOCABULARY:
            return self.store.path(table)
        folder = self.folder / table
        return folder if any(folder.glob("*.parquet")) else None

    def frame(self, table: str) -> DataFrame:
        """The rows of a table that is there; for `concept` those of the vocabulary and the snapshot's local ones."""
        path = self.path(table)
        assert path is not None, table
        frame = self.session.read.parquet(str(path))
        if table == "concept" and (local := self._local_concepts) is not None:
            frame = frame.unionByName(self.session.read.parquet(str(local)).select(*frame.columns))
        return frame

    def fields(self, table: str) -> Mapping[str, str]:
        """The fields of a table with their Arrow types, from Parquet's footers: no engine action."""
        path = self.path(table)
        if path is None:
            return {}
        files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
        return {item.name: str(item.type) for item in pq.read_schema(files[0])}

    def rows(self, table: str) -> int:
        """The rows of a table, from Parquet's footers."""
        path = self.path(table)
        if path is None:
            return 0
        files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
        return sum(pq.read_metadata(file).num_rows for file in files)

    def nulls(self, table: str) -> dict[str, int]:
        """Empty rows of each field, from Parquet's footers; fields without that count are left out."""
        path = self.path(table)
        found: dict[str, int] = {}
        unknown: set[str] = set()
        for file in ([path] if path.is_file() else sorted(path.glob("*.parquet"))) if path else []:
            metadata = pq.read_metadata(file)
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                for column in map(group.column, range(group.num_columns)):
                    statistics = column.statistics
                    if statistics is None or not statistics.has_null_count:
                        unknown.add(column.path_in_schema)
                    else:
                        found[column.path_in_schema] = found.get(column.path_in_schema, 0) + statistics.null_count
        return {name: n for name, n in found.items() if name not in unknown}

    def frame_before(self, table: str) -> DataFrame:
        """The rows that a table had in the snapshot before."""
        assert self.before is not None, table
        return self.session.read.parquet(str(self.before.folder / table))

    def was_there(self, table: str) -> bool:
        """True where the snapshot before is still there with this table."""
        return self.before is not None and any((self.before.folder / table).glob("*.parquet"))

    def concepts(self, ids: Iterable[int]) -> dict[int, tuple[object, ...]]:
        """(domain, class, standard, invalid reason) of the concepts that exist, each None where the vocabulary is empty."""
        unknown = sorted(set(ids) - self._facts.keys())
        if unknown:
            for row in self._known(unknown).itertuples(index=False):
                self._facts[int(row[0])] = tuple(None if pd.isna(value) or value == "" else value for value in row[1:])
        return {concept_id: self._facts[concept_id] for concept_id in set(ids) & self._facts.keys()}

    def descendants(self, ancestors: Iterable[int]) -> Counter[int]:
        """How many of the concepts stand above each concept, themselves included where CONCEPT_ANCESTOR has them."""
        wanted = pa.array(sorted(ancestors), pa.int32())
        found = ds.dataset(self.store.path("CONCEPT_ANCESTOR")).to_table(
            columns=["descendant_concept_id"], filter=ds.field("ancestor_concept_id").isin(wanted)
        )
        return Counter(found["descendant_concept_id"].to_pylist())

    def _known(self, ids: list[int]) -> pd.DataFrame:
        found = self.store.concepts(ids, FACTS)
        if self._local_concepts is None:
            return found
        local = ds.dataset(self._local_concepts).to_table(columns=["concept_id", *FACTS]).to_pandas()
        return pd.concat([found, local[local["concept_id"].isin(ids)]], ignore_index=True)

    @cached_property
    def _local_concepts(self) -> Path | None:
        folder = self.folder / "concept"
        return folder if any(folder.glob("*.parquet")) else None
