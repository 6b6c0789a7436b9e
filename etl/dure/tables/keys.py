"""Natural keys as one text, and record ids made from them.

The key text is what landing writes as `_key`: NULL parts are `\\N`, `\\` and `|` are escaped, parts are joined by `|`;
so two different keys never give one text.  A record id is the 64-bit xxHash of site, source, rule, key and occurrence,
masked to the bits that its readers can hold, and never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from pyspark.sql import Column
from pyspark.sql import functions as F

EVENT_ID_BITS = 63
# R reads bigint as double: what studies join on stays below 2^53.
ENTITY_ID_BITS = 53
ENTITY_TABLES = frozenset({"person", "visit_occurrence", "visit_detail", "provider", "care_site", "location"})
# visit_detail is one of the visits that people join on, so it is an entity too.

NULL_PART = "\\N"


def escaped(part: str | None) -> str:
    """One part of a key text, in plain Python."""
    return NULL_PART if part is None else part.replace("\\", "\\\\").replace("|", "\\|")


def key_text_of(parts: Iterable[str | None]) -> str:
    """The key text of values already in Python."""
    return "|".join(escaped(part) for part in parts)


def key_text(parts: Sequence[Column | str | None]) -> Column:
    """The key text of one row; a part that is no column is a fixed text, or no text in any row.

    NULL when every column among the parts is NULL.
    """
    columns = [part for part in parts if isinstance(part, Column)]
    if not columns:
        return F.lit(key_text_of([part for part in parts if not isinstance(part, Column)]))
    if len(parts) == 1:
        return _escaped(columns[0])
    shown: list[Column] = []
    for is_column, run in groupby(parts, lambda part: isinstance(part, Column)):
        if is_column:
            shown += [F.coalesce(_escaped(part), F.lit(NULL_PART)) for part in run if isinstance(part, Column)]
        else:
            # Fixed parts side by side are one text, made once and not in every row.
            shown.append(F.lit(key_text_of([part for part in run if not isinstance(part, Column)])))
    return F.when(F.coalesce(*columns).isNotNull(), F.concat_ws("|", *shown))


def _escaped(part: Column) -> Column:
    return F.replace(F.replace(part, F.lit("\\"), F.lit("\\\\")), F.lit("|"), F.lit("\\|"))


def key_hash(text: Column) -> Column:
    """64 bits that stand for a key text in joins; NULL stays NULL."""
    return F.when(text.isNotNull(), F.xxhash64(text))


def id_bits(table: str) -> int:
    """How many bits a record id of this CDM table may have."""
    return ENTITY_ID_BITS if table in ENTITY_TABLES else EVENT_ID_BITS


def identity(site: str, source: str, table: str, label: str, key: Column, occurrence: Column) -> Column:
    """What a record id is made from: site, source, rule (the table it declares and its label), natural key, occurrence.

    The table in which the row ends and its concept are no part of it, so that a remapped row keeps its id.
    """
    return F.concat(F.lit(key_text_of((site, source, table, label)) + "|"), key, F.lit("|"), occurrence)


def record_id(text: Column, bits: int, salts: Mapping[str, int] | None = None) -> Column:
    """The id of a record by its `identity`; never 0 and never negative.

    `salts` maps the SHA-256 of an identity that once collided to the salt with which it is hashed since.
    """
    if salts:
        salted = F.create_map(*[F.lit(str(item)) for pair in salts.items() for item in pair])
        text = F.concat(text, F.coalesce(F.concat(F.lit("|"), salted[F.sha2(text, 256)]), F.lit("")))
    return F.greatest(F.xxhash64(text).bitwiseAND(F.lit((1 << bits) - 1)), F.lit(1).cast("bigint"))
