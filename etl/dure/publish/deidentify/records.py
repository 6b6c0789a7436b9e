"""Record ids of the copy: 63 bits (53 where readers join on them) of sha2 over a person's secret, the table and the id."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from dure.tables.keys import ENTITY_ID_BITS, ENTITY_TABLES, EVENT_ID_BITS, id_bits

_LOW = 32


def published_id(secret: Column, table: str, record: Column) -> Column:
    """The id that a record of `table` has in the copy; NULL where there is none."""
    return _bits(_hash(secret, F.lit(table), record), (1 << (id_bits(table) - _LOW)) - 1)


def published_event_id(secret: Column, table: Column, record: Column) -> Column:
    """The same where the row itself says which table the record is of; NULL where that is not known."""
    narrow = table.isin(sorted(ENTITY_TABLES))
    masks = F.when(narrow, F.lit((1 << (ENTITY_ID_BITS - _LOW)) - 1)).otherwise(
        F.lit((1 << (EVENT_ID_BITS - _LOW)) - 1)
    )
    return _bits(_hash(secret, table, record), masks.cast("bigint"))


def table_named(column: Column, names: Mapping[int, str]) -> Column:
    """The CDM table that a field concept names; NULL for one that is not listed."""
    found = F.lit(None).cast("string")
    if not names:
        return found
    (first, table), *others = names.items()
    case = F.when(column == F.lit(first), F.lit(table))
    for name, other in others:
        case = case.when(column == F.lit(name), F.lit(other))
    return case


def _hash(secret: Column, table: Column, record: Column) -> Column:
    return F.sha2(F.concat(secret, F.lit("|"), table, F.lit("|"), record.cast("string")), 256)


def _bits(digest: Column, mask: Column | int) -> Column:
    high = (
        F.conv(F.substring(digest, 1, 8), 16, 10)
        .cast("bigint")
        .bitwiseAND(mask if isinstance(mask, Column) else F.lit(mask))
    )
    low = F.conv(F.substring(digest, 9, 8), 16, 10).cast("bigint")
    made = high * F.lit(1 << _LOW) + low
    return F.when(digest.isNotNull(), F.greatest(made, F.lit(1).cast("bigint")))
