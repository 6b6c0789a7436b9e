"""The last step of every table: exactly the CDM's columns, in its order, with its types."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.cdm.schema import table
from dure.errors import IntegrityError, Problem


def conform(frame: DataFrame, table_name: str, columns: Mapping[str, Column]) -> DataFrame:
    """One row a row of `frame`, as the CDM table has it.

    `columns` gives an expression for each CDM column that somebody fills; the others are NULL.  Raises IntegrityError
    for a required column that no one filled and for a name that the table does not have.
    """
    cdm_table = table(table_name)
    unknown = sorted(set(columns) - set(cdm_table.names))
    unfilled = [c.name for c in cdm_table.columns if c.required and c.name not in columns]
    if unknown or unfilled:
        raise IntegrityError(
            [
                Problem(f"table {table_name}", f"has no column {name}", "fix the module that builds it")
                for name in unknown
            ]
            + [
                Problem(
                    f"table {table_name}", f"nothing fills the required column {name}", "fix the module that builds it"
                )
                for name in unfilled
            ]
        )
    return frame.select(
        [columns.get(column.name, F.lit(None)).cast(column.spark).alias(column.name) for column in cdm_table.columns]
    )
