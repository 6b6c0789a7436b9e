"""Column expressions that several steps share."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

# A flat CASE is a hundred times faster than a map on Sail; one of thousands of branches is too much for Spark.
LONGEST_CASE = 300


def looked_up(column: Column, table: Mapping[str, str | int]) -> Column:
    """What a small table gives for a text, or NULL; one flat expression, however many rows the table has."""
    if len(table) > LONGEST_CASE:
        return F.element_at(F.create_map(*[F.lit(item) for pair in table.items() for item in pair]), column)
    (first, gives), *others = table.items()
    out = F.when(column == first, F.lit(gives))
    for key, given in others:
        out = out.when(column == key, F.lit(given))
    return out
