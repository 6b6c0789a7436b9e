"""A CDM of a few rows, as the Parquet folders of a snapshot: a test says only what its rows have besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.cdm.schema import site_tables, table
from dure.publish.table_files import arrow_schema

Record = Mapping[str, Any]

# What is common in real texts and easily broken on the way.
AWKWARD = (
    "고혈압, 본태성",
    "",
    'said "아프다", left',
    "two\nlines\r\nand a tab\there",
    "\\",
    "\\N",
    "\\.",
    "before\n\\.\nafter",
    "'; DROP TABLE person; --",
    "NULL",
    " around ",
    "한글 자모 분리: 가",
    "👩‍⚕️ 𠮷",
    "%s %(x)s {}",
    "\x01\x7f\u200b",
)
PERSON = {
    "gender_concept_id": 8532,
    "year_of_birth": 1970,
    "race_concept_id": 0,
    "ethnicity_concept_id": 0,
}
MEASUREMENT = {
    "person_id": 1,
    "measurement_concept_id": 0,
    "measurement_date": date(2025, 3, 1),
    "measurement_type_concept_id": 32856,
}
NOTE = {
    "person_id": 1,
    "note_date": date(2025, 3, 1),
    "note_type_concept_id": 32817,
    "note_class_concept_id": 0,
    "note_text": "",
    "encoding_concept_id": 0,
    "language_concept_id": 0,
}


def folders(root: Path, rows: Mapping[str, Sequence[Record]]) -> dict[str, Path]:
    """Table -> folder with its rows, for every table of a snapshot; two files where there are two rows or more."""
    found = {}
    for name in site_tables():
        schema = arrow_schema(table(name))
        folder = root / name
        folder.mkdir(parents=True)
        records = [dict.fromkeys(schema.names) | dict(row) for row in rows.get(name, [])]
        half = (len(records) + 1) // 2
        for number, part in enumerate([records[:half], records[half:]] if half < len(records) else [records]):
            pq.write_table(pa.Table.from_pylist(part, schema), folder / f"part-{number}.parquet")
        found[name] = folder
    return found


def usual(persons: int = 3) -> dict[str, list[Record]]:
    """Persons, a measurement each, and a note for each awkward text."""
    large = 2**62  # ids of Dure have 63 bits
    return {
        "person": [{**PERSON, "person_id": number, "person_source_value": f"환자{number}"} for number in range(1, persons + 1)],
        "measurement": [
            {
                **MEASUREMENT,
                "measurement_id": large + number,
                "person_id": number,
                "measurement_datetime": datetime(2025, 3, 1, 23, 59, 59, 999_999),  # noqa: DTZ001 - a CDM moment has no zone
                "value_as_number": number / 10 if number != 2 else None,
                "range_low": -1.5e-300,
                "range_high": 1.7976931348623157e308,
            }
            for number in range(1, persons + 1)
        ],
        "note": [
            {**NOTE, "note_id": number, "note_text": text, "note_title": None if number % 2 else text}
            for number, text in enumerate(AWKWARD, 1)
        ],
    }  # fmt: skip
