"""How much of the truth is in a snapshot: facts of the truth file against rows of the CDM, as multisets, by table.

A fact is who, which table, which concept, on which day, with which number, operator, category and unit. A row has the
same eight; neither record ids nor source values take part, so the score is what an analyst would see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dure.demo.content import BATCH_ROWS, Hashes, cell_hashes
from dure.demo.facts import TABLES, Concepts, Facts, facts_of
from dure.demo.truth import Truth
from dure.errors import ConfigurationError, Problem
from dure.snapshot.lake import Lake

# More facts than this at once are compared in several parts, each the facts of some of the persons.
FACTS_AT_ONCE = 8_000_000


@dataclass
class TableScore:
    """One table: facts that the truth has, those of them found, and rows that no fact of the truth explains."""

    table: str
    facts: int = 0
    found: int = 0
    surplus: int = 0
    missing: Counter[int] = field(default_factory=Counter)  # concept in the truth -> facts not found
    unexplained: Counter[int] = field(default_factory=Counter)  # concept in the CDM -> rows without a fact

    @property
    def recall(self) -> float:
        """The share of the facts that were found; of none, all."""
        return self.found / self.facts if self.facts else 1.0


@dataclass(frozen=True)
class Score:
    """The tables of one site in which there is a fact or a row."""

    site: str
    tables: tuple[TableScore, ...]

    @property
    def facts(self) -> int:
        return sum(table.facts for table in self.tables)

    @property
    def found(self) -> int:
        return sum(table.found for table in self.tables)

    @property
    def surplus(self) -> int:
        return sum(table.surplus for table in self.tables)

    @property
    def recall(self) -> float:
        """The share of all facts that were found."""
        return self.found / self.facts if self.facts else 1.0


def score_snapshot(truth: Truth, site: str, snapshot: Path, at_once: int = FACTS_AT_ONCE) -> Score:
    """The score of one site's snapshot; raises ConfigurationError where the folder holds no snapshot."""
    persons = _Persons.of(snapshot)
    rows = sum(pq.read_metadata(file).num_rows for table in TABLES for file in (snapshot / table).glob("*.parquet"))
    parts = max(1, -(-max(rows, truth.rows) // at_once))
    scores = {table: TableScore(table) for table in TABLES}
    for part in range(parts):
        expected = truth.facts(site, part, parts)
        for table, score in scores.items():
            found = Facts.of(_snapshot_facts(snapshot / table, table, persons, part, parts))
            _compare(score, expected.pop(table, Facts.of([])), found)
    return Score(site, tuple(score for score in scores.values() if score.facts or score.surplus))


def score_lake(truth: Path, lake: Path, only: Sequence[str] = ()) -> list[Score]:
    """The scores of the newest snapshots of a lake; of the sites named, else of all that the truth speaks of and ran.

    Raises ConfigurationError for a folder without truth, for a site that it does not speak of or that never ran.
    """
    known = Truth.of(truth)
    there = known.sites()
    unknown = [site for site in only if site not in there]
    if unknown:
        raise ConfigurationError(
            [Problem(str(truth), f"says nothing of '{site}'", f"one of {', '.join(there)}") for site in unknown]
        )
    ran = set(Lake(lake).sites())
    chosen = list(only) or [site for site in there if site in ran]
    if not chosen:
        raise ConfigurationError(
            Problem(str(lake), "has no snapshot of the hospitals of this truth", f"run {', '.join(there)} first")
        )
    return [score_snapshot(known, site, Lake(lake).site(site).latest()) for site in chosen]


def score_lines(score: Score, most: int) -> list[str]:
    """The score of a site as text: its tables, and the `most` concepts with most facts missing or rows unexplained."""
    lines = [f"{score.site:22}{'facts':>12}{'found':>12}{'recall':>10}{'surplus':>12}"]
    for table in score.tables:
        lines.append(f"{table.table:22}{table.facts:>12,}{table.found:>12,}{table.recall:>10.4f}{table.surplus:>12,}")
    lines.append(f"{'all':22}{score.facts:>12,}{score.found:>12,}{score.recall:>10.4f}{score.surplus:>12,}")
    for kind in ("missing", "unexplained"):
        counted = Counter({(t.table, concept): n for t in score.tables for concept, n in getattr(t, kind).items()})
        for (name, concept), n in counted.most_common(most):
            lines.append(f"  {kind:12}{name:22}concept {concept:<12}{n:>9,}")
    return [*lines, ""]


def _compare(score: TableScore, expected: Facts, found: Facts) -> None:
    missing, surplus = expected.without(found), found.without(expected)
    score.facts += len(expected.hashes)
    score.found += len(expected.hashes) - len(missing)
    score.surplus += len(surplus)
    score.missing.update(missing.tolist())
    score.unexplained.update(surplus.tolist())


@dataclass(frozen=True)
class _Persons:
    """The persons of a snapshot: ids in order, and for each the hash of the hospital's own number."""

    ids: npt.NDArray[np.int64]
    hashes: Hashes

    @staticmethod
    def of(snapshot: Path) -> _Persons:
        files = sorted((snapshot / "person").glob("*.parquet"))
        if not files:
            problem = Problem(str(snapshot), "holds no table person", "name a lake in which the site has a snapshot")
            raise ConfigurationError(problem)
        table = pa.concat_tables(pq.read_table(file, columns=["person_id", "person_source_value"]) for file in files)
        ids = np.asarray(table["person_id"].combine_chunks().cast(pa.int64()))
        order = np.argsort(ids)
        return _Persons(ids[order], cell_hashes(table["person_source_value"].combine_chunks())[order])

    def hash_of(self, person_ids: pa.Array) -> Hashes:
        """The hash of each person's number; 0 for an id that the table person lacks."""
        wanted = np.asarray(person_ids.cast(pa.int64()))
        if not len(self.ids):
            return np.zeros(len(wanted), np.uint64)
        place = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        found: Hashes = np.where(self.ids[place] == wanted, self.hashes[place], np.uint64(0))
        return found


def _snapshot_facts(
    folder: Path, table: str, persons: _Persons, part: int, parts: int
) -> Iterator[tuple[Hashes, Concepts]]:
    columns = TABLES[table]
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=["person_id", *filter(None, columns)]):
            cells = [batch.column(name) if name else pa.nulls(batch.num_rows, pa.int32()) for name in columns]
            yield facts_of(persons.hash_of(batch.column("person_id")), cells, part, parts)
