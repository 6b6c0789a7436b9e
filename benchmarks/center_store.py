"""Writes stores of the center: small ones by hand for tests, large ones at random for measuring.

A store as `dure center receive` keeps it, without the deliveries themselves, which reports never read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CODES = pa.schema(
    [
        *((name, pa.string()) for name in ("role", "vocabulary_id", "code", "description", "domain_id")),
        ("source_concept_id", pa.int64()),
        ("target_concept_id", pa.int64()),
        *((name, pa.string()) for name in ("targets", "status", "equivalence", "authority", "common_targets")),
        ("records", pa.int64()),
    ]
)
RECORDS = pa.schema([("table", pa.string()), *((n, pa.int64()) for n in ("concept_id", "year", "records", "persons"))])
QUANTILES = ("p05", "p25", "p50", "p75", "p95")
VALUES = pa.schema(
    [
        *((name, pa.int64()) for name in ("concept_id", "unit_concept_id", "records", "persons", "numeric")),
        *((name, pa.float64()) for name in ("mean", *QUANTILES)),
    ]
)
PERSONS = pa.schema([("sex_concept_id", pa.int64()), ("birth_decade", pa.int64()), ("persons", pa.int64())])
TABLES = ("condition_occurrence", "drug_exposure", "measurement", "procedure_occurrence", "observation")
DOMAINS = ("Condition", "Drug", "Measurement", "Procedure", "Observation")


def write_delivery(
    store: Path,
    site: str,
    summary: Mapping[str, Any],
    *,
    codes: pa.Table | None = None,
    records: pa.Table | None = None,
    values: pa.Table | None = None,
) -> Path:
    """Adds one delivery of one hospital, which is its current one from then on; tables that are not given are empty."""
    whole = {
        "summary_version": 1,
        "site": site,
        "consortium": "consortium",
        "name": site,
        "sequence": 1,
        "received": "2024-02-01T09:00:00+09:00",
        "as_of": "2024-01-31",
        "persons": 1000,
        "observed_from": "2020-01-01",
        "observed_to": "2023-12-31",
        "vocabulary": {"release": "v5.0", "digest": "0" * 64},
        "tables": {"person": 1000},
        "gate": "open",
        "score": 0.98,
        "waived": [],
        "profile": "center",
        "checks": {"passed": 98, "failed": 2, "not applicable": 10, "error": 0},
        "coverage": [],
        "dure": "0.1.0",
        "engine": "sail 0.7.2",
        "shifted": False,
        "withdrawn": 0,
        "recomputed": {"checks": 20, "differ": 0, "seed": 1},
    } | dict(summary)
    folder = store / "summaries" / site / f"{whole['sequence']:06d}"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
    for name, schema, table in (
        ("codes", CODES, codes),
        ("records", RECORDS, records),
        ("values", VALUES, values),
        ("persons", PERSONS, None),
    ):
        pq.write_table(schema.empty_table() if table is None else table, folder / f"{name}.parquet")
    (store / "deliveries" / site / folder.name).mkdir(parents=True)
    (store / "current").mkdir(exist_ok=True)
    (store / "current" / site).write_text(f"{whole['sequence']:06d}\n", "ascii")
    return folder


def codes_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Codes from the columns that matter; the others follow from `targets`."""
    return pa.Table.from_pylist([_code(row) for row in rows], CODES)


def _code(row: Mapping[str, Any]) -> dict[str, Any]:
    targets = row.get("targets", "")
    first = int(targets.split()[0]) if targets else 0
    return {
        "role": "code",
        "domain_id": "Condition",
        "source_concept_id": 0,
        "target_concept_id": first,
        "status": "mapped" if targets else "unmapped",
        "equivalence": "equal" if targets else None,
        "authority": "site" if targets else "none",
    } | dict(row, targets=targets)


def write_random_store(
    store: Path, hospitals: int, codes: int, concept_years: int, *, own: float = 0.1, consortia: int = 6, seed: int = 1
) -> None:
    """A store of hospitals that mostly agree, with rates, units and some disagreement at random.

    `own` is the share of codes that no other hospital has; each hospital has `concept_years` counts.
    """
    for number in range(hospitals):
        chance = np.random.default_rng((seed, number))
        site = f"hospital{number + 1:02d}"
        persons = int(chance.integers(5_000, 2_000_000))
        summary = {
            "name": f"제{number + 1}병원",
            "consortium": f"consortium{number % consortia + 1}",
            "persons": persons,
            "observed_from": "2014-01-01",
            "observed_to": "2023-12-31",
        }
        for sequence in (1, 2, 3):
            score = round(float(0.9 + 0.03 * sequence + chance.uniform(-0.03, 0)), 4)
            checks = {
                "passed": int(2000 * score),
                "failed": 2000 - int(2000 * score),
                "not applicable": 400,
                "error": 0,
            }
            mapped = {"check": "dure_coveragerecords_condition", "without_concept": 100 // sequence, "of": 1000}
            write_delivery(
                store,
                site,
                summary
                | {
                    "sequence": sequence,
                    "as_of": f"2024-0{sequence}-{28 - number % 20:02d}",
                    "received": f"2024-0{sequence + 1}-10T10:00:00+09:00",
                    "score": score,
                    "checks": checks,
                    "coverage": [mapped],
                    "tables": dict.fromkeys(TABLES, persons * (10 + sequence)) | {"person": persons},
                    "waived": ["dure_residentnumber_note_note_text"] if number % 7 == 0 else [],
                },
                **(
                    {
                        "codes": _random_codes(chance, codes, own),
                        "records": _random_records(chance, concept_years, persons),
                        "values": _random_values(chance, concept_years // 30, persons, number),
                    }
                    if sequence == 3
                    else {}
                ),
            )


def _random_codes(chance: np.random.Generator, codes: int, own: float) -> pa.Table:
    """One in twenty codes has another target than the usual."""
    number = np.arange(codes)
    number = np.where(chance.random(codes) < own, number + codes * chance.integers(1, 400), number)
    usual = 1_000_000 + number % codes
    target = np.where(chance.random(codes) < 0.05, usual + chance.integers(1, 4, codes), usual)
    mapped = chance.random(codes) < 0.93
    shown = np.where(mapped, target, 0)
    authority = np.where(~mapped, "none", np.where(chance.random(codes) < 0.6, "consortium", "site"))
    texts = [str(each) if each else "" for each in shown.tolist()]
    common = [str(each) if chosen != "none" else None for each, chosen in zip(usual.tolist(), authority, strict=True)]
    return pa.table(
        {
            "role": ["code"] * codes,
            "vocabulary_id": np.where(number % 2, "EDI", "KCD7").tolist(),
            "code": [f"D{each:07d}" if each % 2 else _kcd(each) for each in number.tolist()],
            "description": [f"원내 검사 항목 {each} of the laboratory" for each in number.tolist()],
            "domain_id": [DOMAINS[each % len(DOMAINS)] for each in number.tolist()],
            "source_concept_id": np.zeros(codes, np.int64),
            "target_concept_id": shown,
            "targets": texts,
            "status": np.where(mapped, "mapped", "unmapped").tolist(),
            "equivalence": ["equal" if each else None for each in mapped.tolist()],
            "authority": authority.tolist(),
            "common_targets": common,
            "records": np.maximum(10, chance.pareto(0.9, codes) * 50).astype(np.int64),
        },
        schema=CODES,
    )


def _kcd(number: int) -> str:
    return f"{chr(ord('A') + number % 26)}{number // 26 % 100:02d}.{number // 2600 % 1000:03d}"


def _random_records(chance: np.random.Generator, rows: int, persons: int) -> pa.Table:
    years = 10
    concepts = max(1, rows // years)
    concept = np.repeat(np.arange(concepts), years)
    base = np.repeat(1 / (1 + np.arange(concepts)) ** 0.8, years) * np.repeat(
        chance.lognormal(0, 0.35, concepts), years
    )
    persons_of = np.minimum(persons, np.maximum(1, persons * 0.2 * base * chance.lognormal(0, 0.1, len(base))))
    persons_of = persons_of.astype(np.int64)
    return pa.table(
        {
            "table": [TABLES[each % len(TABLES)] for each in concept.tolist()],
            "concept_id": 1_000_000 + concept,
            "year": np.tile(np.arange(2014, 2014 + years), concepts),
            "records": (persons_of * chance.uniform(1, 3, len(concept))).astype(np.int64),
            "persons": persons_of,
        },
        schema=RECORDS,
    )


def _random_values(chance: np.random.Generator, rows: int, persons: int, hospital: int) -> pa.Table:
    concept = np.arange(rows)
    middle = 10 ** (concept % 5 - 1.0) * chance.lognormal(0, 0.1, rows)
    # Some hospitals report every fortieth test a hundred times as high, and leave out the unit of others.
    middle = np.where((concept % 40 == 3) & (hospital % 9 == 1), middle * 100, middle)
    unit = np.where((concept % 25 == 7) & (hospital % 5 == 2), 0, 8840 + concept % 7)
    of = np.maximum(5, persons // (5 + concept)).astype(np.int64)
    return pa.table(
        {
            "concept_id": 1_000_000 + concept * 5 + 2,
            "unit_concept_id": unit,
            "records": of * 3,
            "persons": of,
            "numeric": of * 3,
            "mean": middle,
            **{name: middle * by for name, by in zip(QUANTILES, (0.5, 0.8, 1.0, 1.25, 1.9), strict=True)},
        },
        schema=VALUES,
    )
