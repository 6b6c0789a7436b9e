"""What the vocabulary says of the drugs of a snapshot: their ingredients, and how much of each a counted piece holds.

A snapshot names some thousands of drugs, so this is worked out in Python for these alone, and joined as small tables.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from dure.vocab import VocabularyStore

INGREDIENT_VOCABULARIES = frozenset({"RxNorm", "RxNorm Extension"})

# A text longer than this names no unit; it is left out, so that free text does not come to the driver.
LONGEST_UNIT = 24
NO_UNIT, OTHER_TEXT = "", "?"

# What lies outside, NaN too, is no quantity of a drug.
LEAST_QUANTITY, MOST_QUANTITY = 1e-6, 1e9

# How what is weighed or measured is written, case aside: a quantity in one of them does not count tablets. A fixed
# list, so that the drugs of other persons change nobody's dose.
_SYMBOLS = (
    "kg",
    "g",
    "mg",
    "ug",
    "mcg",
    "ng",
    "l",
    "dl",
    "cl",
    "ml",
    "ul",
    "cc",
    "mol",
    "mmol",
    "meq",
    "iu",
    "[iu]",
    "u",
)
_NAMES = ("kilogram", "gram", "milligram", "microgram", "liter", "milliliter", "unit", "international unit")
MEASURES = frozenset({*_SYMBOLS, *_NAMES})

INGREDIENTS = pa.schema([("drug_concept_id", pa.int32()), ("ingredient_concept_id", pa.int32())])
STRENGTHS = pa.schema(
    [
        ("drug_concept_id", pa.int32()),
        ("counted_in", pa.string()),
        ("ingredient_concept_id", pa.int32()),
        ("dose_unit_concept_id", pa.int32()),
        ("strength", pa.float64()),
    ]
)
_SPARK = {pa.int32(): T.IntegerType(), pa.string(): T.StringType(), pa.float64(): T.DoubleType()}


class NoEra(StrEnum):
    """Why an exposure feeds no drug era."""

    UNMAPPED = "unmapped"
    NO_INGREDIENT = "no_ingredient"


class NoDose(StrEnum):
    """Why an exposure and one of its ingredients feed no dose era, though they feed a drug era."""

    NO_QUANTITY = "no_quantity"
    NO_STRENGTH = "no_strength"
    SEVERAL_STRENGTHS = "several_strengths"
    UNIT_DIFFERS = "unit_differs"


@dataclass(frozen=True)
class Drugs:
    """The drugs of a snapshot.

    `ingredients` has one row a (drug, ingredient); `strengths` one a (drug, text of the quantity's unit, ingredient)
    whose dose can be told: the amount of the ingredient in one of what the quantity counts. `without_era` counts
    exposures, `without_dose` pairs of exposure and ingredient.
    """

    ingredients: pa.Table
    strengths: pa.Table
    without_era: Mapping[NoEra, int]
    without_dose: Mapping[NoDose, int]


def counted_in() -> Column:
    """The text of the unit that an exposure's quantity is in, as joins compare it."""
    unit = F.lower(F.trim(F.col("dose_unit_source_value")))
    return F.when(F.length(unit) > LONGEST_UNIT, F.lit(OTHER_TEXT)).otherwise(F.coalesce(unit, F.lit(NO_UNIT)))


def has_quantity() -> Column:
    """Whether an exposure says how much; false for NaN, which counts as greater than any number on both engines."""
    return F.coalesce(F.col("quantity").between(LEAST_QUANTITY, MOST_QUANTITY), F.lit(False))


def beside(frame: DataFrame, table: pa.Table) -> DataFrame:
    """A small table as a frame to be broadcast to those who join it with `frame`; it may be empty."""
    # Without a schema an empty table would be refused.
    schema = T.StructType([T.StructField(field.name, _SPARK[field.type]) for field in table.schema])
    return F.broadcast(frame.sparkSession.createDataFrame(table, schema))


def used_drugs(drug_exposure: DataFrame) -> DataFrame:
    """One row a (drug_concept_id, counted_in, has_quantity), with `exposures`: what `look_up` needs of a snapshot."""
    return (
        drug_exposure.select("drug_concept_id", counted_in().alias("counted_in"), has_quantity().alias("has_quantity"))
        .groupBy("drug_concept_id", "counted_in", "has_quantity")
        .agg(F.count(F.lit(1)).alias("exposures"))
    )


def look_up(used: pa.Table, store: VocabularyStore) -> Drugs:
    """The ingredients and strengths of the drugs that `used_drugs` found."""
    rows = used.to_pylist()
    ids = {row["drug_concept_id"] for row in rows} - {0}
    ingredients = ingredients_of(ids, store)
    strengths = _valid_strengths(ids, store)
    names = _unit_names(strengths, store)
    found: list[dict[str, Any]] = []
    without_era: Counter[NoEra] = Counter()
    without_dose: Counter[NoDose] = Counter()
    for row in rows:
        drug, unit, exposures = row["drug_concept_id"], row["counted_in"], row["exposures"]
        of_drug = ingredients.get(drug, ())
        if not of_drug:
            without_era[NoEra.NO_INGREDIENT if drug else NoEra.UNMAPPED] += exposures
        for ingredient in of_drug:
            strength = _strength(strengths.get((drug, ingredient), ()), unit, names)
            if not row["has_quantity"]:
                without_dose[NoDose.NO_QUANTITY] += exposures
            elif isinstance(strength, NoDose):
                without_dose[strength] += exposures
            else:
                found.append(dict(zip(STRENGTHS.names, (drug, unit, ingredient, *strength), strict=True)))
    pairs = [(drug, ingredient) for drug in sorted(ingredients) for ingredient in ingredients[drug]]
    return Drugs(
        pa.Table.from_pylist([dict(zip(INGREDIENTS.names, pair, strict=True)) for pair in pairs], INGREDIENTS),
        pa.Table.from_pylist(found, STRENGTHS),
        dict(without_era),
        dict(without_dose),
    )


def ingredients_of(drugs: Iterable[int], store: VocabularyStore) -> dict[int, tuple[int, ...]]:
    """Drug concept -> its standard ancestors of class Ingredient, itself included, ascending; only drugs with some."""
    ids = set(drugs)
    ancestors = store.ancestors(ids)
    pairs = set(
        zip(
            ancestors["descendant_concept_id"].to_pylist(),
            ancestors["ancestor_concept_id"].to_pylist(),
            strict=True,
        )
    )
    # An ingredient is its own ancestor, also where a vocabulary does not say so.
    pairs |= {(drug, drug) for drug in ids}
    concepts = store.concepts(
        {ancestor for _, ancestor in pairs}, ("vocabulary_id", "concept_class_id", "standard_concept")
    )
    known = concepts[
        concepts["vocabulary_id"].isin(INGREDIENT_VOCABULARIES)
        & (concepts["concept_class_id"] == "Ingredient")
        & (concepts["standard_concept"] == "S")
    ]
    chosen = set(known["concept_id"].tolist())
    found: dict[int, list[int]] = defaultdict(list)
    for drug, ancestor in sorted(pairs):
        if ancestor in chosen:
            found[drug].append(ancestor)
    return {drug: tuple(of_drug) for drug, of_drug in found.items()}


def _valid_strengths(drugs: set[int], store: VocabularyStore) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """The rows of DRUG_STRENGTH in force, by drug and ingredient."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in store.strengths(drugs).to_pylist():
        if not row["invalid_reason"]:
            found[row["drug_concept_id"], row["ingredient_concept_id"]].append(row)
    return found


def _unit_names(
    strengths: Mapping[tuple[int, int], list[dict[str, Any]]], store: VocabularyStore
) -> dict[int, frozenset[str]]:
    """The code and the name of each unit that a quantity may be counted in, as `_comparable` writes them."""
    units = {row["denominator_unit_concept_id"] for rows in strengths.values() for row in rows} - {None}
    concepts = store.concepts(units, ("concept_name", "concept_code"))
    texts = zip(*(concepts[name] for name in ("concept_id", "concept_name", "concept_code")), strict=True)
    return {int(unit): frozenset({_comparable(str(name)), _comparable(str(code))}) for unit, name, code in texts}


def _comparable(text: str) -> str:
    """A unit's text without the differences of writing that say nothing: ㎖ is mL is ML."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _strength(
    rows: Iterable[dict[str, Any]], unit: str, names: Mapping[int, frozenset[str]]
) -> tuple[int, float] | NoDose:
    """The unit and the amount of an ingredient in one of what is counted in `unit`, or why there is none."""
    told = {
        (
            row["amount_value"],
            row["amount_unit_concept_id"],
            row["numerator_value"],
            row["numerator_unit_concept_id"],
            row["denominator_value"],
            row["denominator_unit_concept_id"],
        )
        for row in rows
    }
    if len(told) > 1:
        return NoDose.SEVERAL_STRENGTHS
    if not told:
        return NoDose.NO_STRENGTH
    amount, amount_unit, numerator, numerator_unit, denominator, denominator_unit = told.pop()
    text = _comparable(unit)
    if amount_unit and _is_amount(amount):
        return NoDose.UNIT_DIFFERS if text in MEASURES else (amount_unit, amount)
    # A denominator without a value is one of its unit.
    whole = 1.0 if denominator is None else denominator
    if not (numerator_unit and denominator_unit and _is_amount(numerator) and _is_amount(whole)):
        return NoDose.NO_STRENGTH
    if text not in names.get(denominator_unit, frozenset()):
        return NoDose.UNIT_DIFFERS
    return numerator_unit, numerator / whole


def _is_amount(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
