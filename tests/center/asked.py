"""Requests and stores for the tests of extracts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from made_store import DIABETES, GLUCOSE, TYPE_1, TYPE_2, Rows, put

from dure.center.extract.extract import Extracted, ExtractOptions, extract
from dure.engine import Engine, EngineOptions
from dure.progress import SilentProgress
from dure.publish.keygen import make_keys
from dure.publish.private_keys import KeySource, key_fingerprint, pseudonym_key
from dure.vocab.store import VocabularyStore

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PERSONS = 30
WITHDRAWN = 1030

REQUEST = """\
request_version: 1
project: 당뇨-2026
title: Glucose of persons with diabetes
purpose: How often glucose is measured after a first diagnosis
requester: {name: 김연구, organisation: 대학교}
approvals:
  - {board: IRB, name: 바다병원, number: 2026-017, approved: 2026-01-05, until: 2026-12-31}
  - {board: DRB, name: 센터, number: D-3, approved: 2026-02-01, until: 2026-12-31}
valid_until: 2026-12-31
key: KEY
sites: [haneul, bada]
period: {from: 2024-01-01, until: 2024-12-31}
concepts:
  diabetes: {include: [100], exclude: [102]}
  glucose: {include: [200]}
persons:
  having: [diabetes]
tables:
  person: {}
  condition_occurrence:
    concepts: [diabetes]
    columns: [condition_occurrence_id, condition_concept_id, condition_start_date, visit_occurrence_id, provider_id]
  measurement: {concepts: [glucose]}
  observation_period: {}
"""


def tables(base: int, withdrawn: bool = False) -> dict[str, Rows]:
    """30 persons: 20 with diabetes of type 2 in 2024, 5 of type 1 alone, 5 with type 2 in 2023 alone; ids from `base`.

    Each has a visit, and two measurements of glucose, one of them in 2023.
    """
    ids = [base + n for n in range(1, PERSONS + 1)]
    conditions = []
    for n, person in enumerate(ids):
        concept = TYPE_1 if 20 <= n < 25 else TYPE_2 if n % 2 else DIABETES
        day = date(2023, 5, 1) if n >= 25 else date(2024, 1, 1) + timedelta(n)
        conditions.append(
            {
                "condition_occurrence_id": person * 10,
                "person_id": person,
                "condition_concept_id": concept,
                "condition_start_date": day,
                "condition_start_datetime": datetime.combine(day, datetime.min.time()),
                "condition_type_concept_id": 32817,
                "condition_source_value": "E11.9",
                "visit_occurrence_id": person * 100,
                "provider_id": 7,
            }
        )
        conditions.append(conditions[-1] | {"condition_occurrence_id": person * 10 + 1, "condition_concept_id": 999})
    return {
        "person": [
            {
                "person_id": person,
                "gender_concept_id": 8507 if n % 2 else 8532,
                "year_of_birth": 1950 + n,
                "month_of_birth": 5,
                "race_concept_id": 0,
                "ethnicity_concept_id": 0,
                "gender_source_value": "남",
            }
            for n, person in enumerate(ids)
        ],
        "condition_occurrence": conditions,
        "measurement": [
            {
                "measurement_id": person * 10 + year,
                "person_id": person,
                "measurement_concept_id": GLUCOSE,
                "measurement_date": date(year, 6, 15),
                "measurement_type_concept_id": 32817,
                "value_as_number": float(n),
                "value_source_value": "secret",
            }
            for n, person in enumerate(ids)
            for year in (2023, 2024)
        ],
        "observation_period": [
            {
                "observation_period_id": person,
                "person_id": person,
                "observation_period_start_date": date(2001, 1, 1),
                "observation_period_end_date": date(2025, 6, 30),
                "period_type_concept_id": 32817,
            }
            for person in ids
        ],
    }


def fill(root: Path) -> None:
    """Two hospitals that by chance have the same ids of persons; one of the first's has withdrawn."""
    root.mkdir(exist_ok=True)
    put(root, "haneul", tables=tables(1000), withdrawn=[1001])
    put(root, "bada", tables=tables(1000))


@dataclass
class Center:
    """A store, its vocabulary and keys, and an engine that runs."""

    root: Path
    vocabulary: VocabularyStore
    keys: Path
    start: Callable[[EngineOptions], AbstractContextManager[Engine]]
    options: EngineOptions = field(default_factory=EngineOptions)

    @property
    def store(self) -> Path:
        return self.root / "store"

    def project(self, name: str = "project") -> tuple[Path, str]:
        """A project's key, made when first asked for, and its fingerprint."""
        folder = self.root / name
        if not folder.exists():
            make_keys(folder, "site")
        key = folder / "pseudonym.key"
        return key, key_fingerprint(pseudonym_key(KeySource("file", str(key))))

    def ask(
        self,
        text: str = REQUEST,
        *,
        to: str = "given",
        project: str = "project",
        now: datetime = NOW,
        dry_run: bool = False,
        encrypt_to: Path | None = None,
        part_rows: int = 1_000_000,
    ) -> Extracted:
        key, own = self.project(project)
        request = self.root / "request.yaml"
        request.write_text(text.replace("KEY", own), encoding="utf-8")
        options = ExtractOptions(
            request=request,
            store=self.store,
            vocabulary=self.vocabulary,
            to=self.root / to,
            now=now,
            user="tester",
            key=key,
            sign_key=self.keys / "signing.key",
            encrypt_to=encrypt_to,
            dry_run=dry_run,
            engine=self.options,
            part_rows=part_rows,
        )
        return extract(options, SilentProgress(), self.start)


def rows(place: Path | None, table: str) -> list[dict[str, object]]:
    assert place is not None
    files = sorted((place / table).glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
