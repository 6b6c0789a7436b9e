"""Small downloads in Athena's format, written by tests from their own facts."""

from __future__ import annotations

from pathlib import Path

from dure.cdm.schema import tables

ALWAYS = ("19700101", "20991231")
_DEFAULTS = {
    "VOCABULARY": [
        {
            "vocabulary_id": "None",
            "vocabulary_name": "시험",
            "vocabulary_version": "v9.9 01-JAN-26",
            "vocabulary_concept_id": 1,
        }
    ]
}


def concept(
    number, code, *, vocabulary="KCD7", domain="Condition", standard="S", invalid="", dates=ALWAYS, name="개념"
):
    """One row of CONCEPT."""
    return {
        "concept_id": number,
        "concept_name": name,
        "domain_id": domain,
        "vocabulary_id": vocabulary,
        "concept_class_id": "Test",
        "standard_concept": standard,
        "concept_code": code,
        "valid_start_date": dates[0],
        "valid_end_date": dates[1],
        "invalid_reason": invalid,
    }


def relation(first, kind, second, invalid="", dates=ALWAYS):
    """One row of CONCEPT_RELATIONSHIP."""
    return {
        "concept_id_1": first,
        "concept_id_2": second,
        "relationship_id": kind,
        "valid_start_date": dates[0],
        "valid_end_date": dates[1],
        "invalid_reason": invalid,
    }


def maps_to(first, second, **more):
    return relation(first, "Maps to", second, **more)


def write_athena(folder: Path, concepts=(), relations=(), **others) -> Path:
    """A whole download: the nine files, empty where no rows are given; `others` are rows by table name."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {**_DEFAULTS, "CONCEPT": concepts, "CONCEPT_RELATIONSHIP": relations, **others}
    for name, table in tables().items():
        if table.vocabulary:
            lines = ["\t".join(table.names)]
            lines += [
                "\t".join(str(row.get(column, "")) for column in table.names) for row in rows.get(name.upper(), ())
            ]
            (folder / f"{name.upper()}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
