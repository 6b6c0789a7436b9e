"""The `value` role of measurement and observation: number, operator, category and the source's own text."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from dure.accounting.reasons import Note
from dure.site.values import CodedColumn, CodedLiteral, Concept, FirstCoded, OnlyNumber, OnlyText, Result
from dure.tables import cells, codes
from dure.tables.cells import Reading, cell
from dure.tables.routing import part_column


def narrow(value: object, reading: Reading) -> dict[str, Column]:
    """The columns that a value needs before any join; coded values bring their own alternatives."""
    if isinstance(value, CodedColumn | FirstCoded | CodedLiteral | Concept):
        return codes.narrowed("value", codes.alternatives(value, reading))
    if isinstance(value, str):
        return _result(value, None, reading)
    if isinstance(value, Result):
        return _result(value.result, value.map, reading)
    if isinstance(value, OnlyNumber):
        return {"value__text": cell(value.number), "value__number": cells.parsed_number(cell(value.number))}
    if isinstance(value, OnlyText):
        return {
            "value__text": cell(value.text),
            "value__category": _category(value.text, value.map, reading),
            "value__words": F.lit(True),
        }
    raise TypeError(f"not a value: {type(value).__name__}")


def _result(name: str, map_name: str | None, reading: Reading) -> dict[str, Column]:
    text = cell(name)
    read = cells.result(text)
    return {
        "value__text": text,
        "value__number": read.number,
        "value__operator": read.operator,
        "value__titer": read.titer,
        "value__category": _category(name, map_name, reading),
    }


def _category(name: str, map_name: str | None, reading: Reading) -> Column:
    if map_name is None:
        return F.lit(None).cast("int")
    return cells.fixed_concept([cell(name)], map_name, reading)


def parts(
    parts: dict[str, Column], narrowed: dict[str, Column], titer_unit: int, note: Callable[[Note, Column], None]
) -> None:
    """Adds the value's parts to a rule's; `narrowed` says which columns `narrow` made.

    An empty cell leaves every part NULL.  A number never gets a category; text that is neither keeps its words
    (value_as_string where the table has it) and is counted.
    """
    if "value__text" not in narrowed:
        return
    text = F.col("value__text")
    number = F.col("value__number") if "value__number" in narrowed else F.lit(None).cast("double")
    category = F.col("value__category") if "value__category" in narrowed else F.lit(None).cast("int")
    parts[part_column("value", "value_as_number")] = number
    parts[part_column("value", "value_source_value")] = text
    parts[part_column("value", "value_as_string")] = F.when(number.isNull(), text)
    if "value__category" in narrowed:
        parts[part_column("value", "value_as_concept_id")] = F.when(
            text.isNotNull() & number.isNull(), F.coalesce(category, F.lit(0))
        )
        note(Note.TEXT_WITHOUT_CONCEPT, text.isNotNull() & number.isNull() & category.isNull())
    else:
        note(Note.NOT_A_NUMBER, text.isNotNull() & number.isNull())
    if "value__operator" in narrowed and part_column("operator", "concept_id") not in parts:
        parts[part_column("operator", "concept_id")] = F.col("value__operator")
    if "value__titer" in narrowed:
        unit = part_column("unit", "concept_id")
        given = parts.get(unit, F.lit(None).cast("int"))
        parts[unit] = F.when(F.col("value__titer") & given.isNull(), F.lit(titer_unit)).otherwise(given)
