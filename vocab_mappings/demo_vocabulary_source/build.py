"""Writes `../demo_vocabulary/`: a small vocabulary in Athena's file format, from the CSV files beside this script.

    python vocab_mappings/demo_vocabulary_source/build.py [OUT]

Athena's format: tab separated, nothing quoted, dates YYYYMMDD. The same sources give the same bytes. What each source
file holds, and how its ids were checked, is in docs/guide/demo-vocabulary.md.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "demo_vocabulary"
ALWAYS = ("19700101", "20991231")

HEADERS = {
    "CONCEPT": (
        "concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
        "concept_code", "valid_start_date", "valid_end_date", "invalid_reason",
    ),
    "CONCEPT_ANCESTOR": (
        "ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation", "max_levels_of_separation",
    ),
    "CONCEPT_CLASS": ("concept_class_id", "concept_class_name", "concept_class_concept_id"),
    "CONCEPT_RELATIONSHIP": (
        "concept_id_1", "concept_id_2", "relationship_id", "valid_start_date", "valid_end_date", "invalid_reason",
    ),
    "CONCEPT_SYNONYM": ("concept_id", "concept_synonym_name", "language_concept_id"),
    "DOMAIN": ("domain_id", "domain_name", "domain_concept_id"),
    "DRUG_STRENGTH": (
        "drug_concept_id", "ingredient_concept_id", "amount_value", "amount_unit_concept_id", "numerator_value",
        "numerator_unit_concept_id", "denominator_value", "denominator_unit_concept_id", "box_size",
        "valid_start_date", "valid_end_date", "invalid_reason",
    ),
    "RELATIONSHIP": (
        "relationship_id", "relationship_name", "is_hierarchical", "defines_ancestry", "reverse_relationship_id",
        "relationship_concept_id",
    ),
    "VOCABULARY": (
        "vocabulary_id", "vocabulary_name", "vocabulary_reference", "vocabulary_version", "vocabulary_concept_id",
    ),
}  # fmt: skip
KOREAN = "4175771"

Row = dict[str, str]


def read(name: str) -> list[Row]:
    """The rows of one source file."""
    with (HERE / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def concepts() -> list[Row]:
    """All concepts by id: those of OMOP, then the local ones, which are never standard."""
    local = [row | {"standard_concept": "", "invalid_reason": ""} for row in read("local_concepts")]
    return sorted(read("concepts") + local, key=lambda row: int(row["concept_id"]))


def relationships(all_concepts: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Each relationship and its reverse: standard concepts map to themselves, source concepts to their targets."""
    pairs: list[tuple[str, str, str]] = []
    for row in all_concepts:
        if row["standard_concept"] == "S":
            pairs.append((row["concept_id"], "Maps to", row["concept_id"]))
        pairs += [(row["concept_id"], "Maps to", target) for target in row["maps_to"].split()]
    back = {row["relationship_id"]: row["reverse_relationship_id"] for row in read("relationships")}
    for one, name, other in pairs:
        yield (one, other, name, *ALWAYS, "")
        yield (other, one, back[name], *ALWAYS, "")


def ancestors(all_concepts: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Each standard concept over itself, and each ingredient over the drugs that contain it."""
    for row in all_concepts:
        if row["standard_concept"] == "S":
            yield (row["concept_id"], row["concept_id"], "0", "0")
    for row in read("strengths"):
        yield (row["ingredient_concept_id"], row["drug_concept_id"], "1", "1")


def tables() -> dict[str, Iterable[Sequence[str]]]:
    """Athena's file name -> its rows."""
    all_concepts = concepts()
    return {
        "CONCEPT": (tuple(row[name] for name in HEADERS["CONCEPT"]) for row in all_concepts),
        "CONCEPT_ANCESTOR": ancestors(all_concepts),
        "CONCEPT_CLASS": (tuple(row.values()) for row in read("classes")),
        "CONCEPT_RELATIONSHIP": relationships(all_concepts),
        "CONCEPT_SYNONYM": (
            (row["concept_id"], row["korean_name"], KOREAN) for row in all_concepts if row.get("korean_name")
        ),
        "DOMAIN": (tuple(row.values()) for row in read("domains")),
        "DRUG_STRENGTH": (tuple(row.get(name, "") for name in HEADERS["DRUG_STRENGTH"]) for row in read("strengths")),
        "RELATIONSHIP": (tuple(row.values()) for row in read("relationships")),
        "VOCABULARY": (tuple(row.values()) for row in read("vocabularies")),
    }


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        lines = ["\t".join(HEADERS[name]), *("\t".join(row) for row in rows)]
        (out / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
