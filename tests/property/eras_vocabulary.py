"""A vocabulary store of some drugs, small enough to be read with the tests."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.vocab import VocabularyStore

MG, ML, HOUR = 8576, 8587, 8505
# Ingredients: of RxNorm, of RxNorm Extension, no longer standard, and of a vocabulary that has none for OMOP.
PARACETAMOL, CODEINE, HERB, RETIRED, FOREIGN = 101, 102, 103, 104, 105
TABLET, COMBINATION, SYRUP, AMPOULE, PATCH, DEVICE, RESTRENGTHENED, HERB_TABLET, BRAND = range(201, 210)

_CONCEPTS = [
    (MG, "milligram", "UCUM", "Unit", "S", "mg"),
    (ML, "milliliter", "UCUM", "Unit", "S", "mL"),
    (HOUR, "hour", "UCUM", "Unit", "S", "h"),
    (PARACETAMOL, "아세트아미노펜", "RxNorm", "Ingredient", "S", "161"),
    (CODEINE, "코데인", "RxNorm", "Ingredient", "S", "2670"),
    (HERB, "당귀", "RxNorm Extension", "Ingredient", "S", "OMOP1"),
    (RETIRED, "옛 성분", "RxNorm", "Ingredient", None, "1"),
    (FOREIGN, "성분", "ATC", "Ingredient", "S", "N02"),
    (TABLET, "paracetamol 500 MG Oral Tablet", "RxNorm", "Clinical Drug", "S", "2"),
    (COMBINATION, "paracetamol 300 MG / codeine 15 MG Oral Tablet", "RxNorm", "Clinical Drug", "S", "3"),
    (SYRUP, "paracetamol 24 MG/ML Oral Suspension", "RxNorm", "Clinical Drug", "S", "4"),
    (AMPOULE, "5 ML codeine 3 MG/ML Injection", "RxNorm", "Quant Clinical Drug", "S", "5"),
    (PATCH, "codeine 0.1 MG/HR Patch", "RxNorm", "Clinical Drug", "S", "6"),
    (DEVICE, "a drug that nothing is known of", "RxNorm", "Clinical Drug", "S", "7"),
    (RESTRENGTHENED, "codeine tablet of two strengths", "RxNorm", "Clinical Drug", "S", "8"),
    (HERB_TABLET, "당귀 250 MG", "RxNorm Extension", "Clinical Drug", "S", "OMOP2"),
    (BRAND, "타이레놀", "RxNorm", "Branded Drug Form", "S", "9"),
]
_ANCESTORS = [
    (PARACETAMOL, PARACETAMOL),
    (PARACETAMOL, TABLET),
    (PARACETAMOL, COMBINATION),
    (CODEINE, COMBINATION),
    (TABLET, TABLET),
    (PARACETAMOL, SYRUP),
    (CODEINE, AMPOULE),
    (CODEINE, PATCH),
    (RETIRED, DEVICE),
    (FOREIGN, TABLET),
    (CODEINE, RESTRENGTHENED),
    (HERB, HERB_TABLET),
    (PARACETAMOL, BRAND),
]
# drug, ingredient, amount and unit, numerator and unit, denominator and unit, why it is invalid
_STRENGTHS = [
    (TABLET, PARACETAMOL, 500.0, MG, None, None, None, None, None),
    (TABLET, PARACETAMOL, 325.0, MG, None, None, None, None, "D"),
    (COMBINATION, PARACETAMOL, 300.0, MG, None, None, None, None, None),
    (COMBINATION, CODEINE, 15.0, MG, None, None, None, None, None),
    (SYRUP, PARACETAMOL, None, None, 24.0, MG, None, ML, None),
    (AMPOULE, CODEINE, None, None, 15.0, MG, 5.0, ML, None),
    (PATCH, CODEINE, None, None, 0.1, MG, None, HOUR, None),
    (RESTRENGTHENED, CODEINE, 10.0, MG, None, None, None, None, None),
    (RESTRENGTHENED, CODEINE, 20.0, MG, None, None, None, None, None),
    (HERB_TABLET, HERB, 250.0, MG, None, None, None, None, None),
]

# drug -> ingredient -> (strength, what the quantity must be counted in: None for pieces), as a person reads the above.
KNOWN = {
    PARACETAMOL: {PARACETAMOL: None},
    TABLET: {PARACETAMOL: (500.0, None)},
    COMBINATION: {PARACETAMOL: (300.0, None), CODEINE: (15.0, None)},
    SYRUP: {PARACETAMOL: (24.0, "ml")},
    AMPOULE: {CODEINE: (3.0, "ml")},
    PATCH: {CODEINE: (0.1, "h")},
    RESTRENGTHENED: {CODEINE: None},
    HERB_TABLET: {HERB: (250.0, None)},
    BRAND: {PARACETAMOL: None},
}


def drug_store(folder: Path) -> VocabularyStore:
    """The store, as Parquet files that `load_athena` might have written."""
    concept = ("concept_id", "concept_name", "vocabulary_id", "concept_class_id", "standard_concept", "concept_code")
    strength = (
        "drug_concept_id",
        "ingredient_concept_id",
        "amount_value",
        "amount_unit_concept_id",
        "numerator_value",
        "numerator_unit_concept_id",
        "denominator_value",
        "denominator_unit_concept_id",
        "invalid_reason",
    )
    for name, columns, rows in (
        ("CONCEPT", concept, _CONCEPTS),
        ("CONCEPT_ANCESTOR", ("ancestor_concept_id", "descendant_concept_id"), _ANCESTORS),
        ("DRUG_STRENGTH", strength, _STRENGTHS),
    ):
        schema = pa.schema([(column, _kind(column)) for column in columns])
        table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
        pq.write_table(table, folder / f"{name}.parquet")
    return VocabularyStore(folder, "시험", "0" * 64, {})


def _kind(column: str) -> pa.DataType:
    if column.endswith("_value"):
        return pa.float64()
    return pa.int32() if column.endswith("concept_id") else pa.string()
