"""Coded values: which codes a run must resolve, and what the resolved map says of each row.

A coded value of the spec is one or more *alternatives*; the first that has a concept wins, and if none has one the
first that is not empty gives the source value.  Alternatives through a vocabulary are looked up in the resolved map
(one join each, broadcast); short maps and fixed concepts are expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.cdm.roles import roles
from dure.site.spec import Entry
from dure.site.values import CodedColumn, CodedLiteral, Concept, FirstCoded, RrnRace, RrnSex, VocabularyOfRow
from dure.tables.cells import Reading, cell, fixed_concept, mapped_text, rrn_race, rrn_sex
from dure.tables.keys import key_text

REQUEST = ("vocabulary", "code", "code_type", "specimen", "unit")


@dataclass(frozen=True)
class Alternative:
    """One way to a concept.

    `request` holds the five parts that ask the resolved map, or is None: a column, a fixed text, or None where the spec
    says nothing.  A row without a code asks nothing, whatever its vocabulary.  `concept` is the concept that needs no
    looking up (NULL where the short map does not have the value); `source` is the text of the source, NULL where the
    concept is fixed by the spec; `inferred` says that the spec gives the code, such as the unit of a test.
    """

    source: Column
    request: tuple[Column | str | None, ...] | None
    concept: Column | None
    description: Column | None = None
    inferred: bool = False


def alternatives(value: object, reading: Reading) -> list[Alternative]:
    """The alternatives of a Coded value, in order."""
    if isinstance(value, FirstCoded):
        return [each for option in value.first_of for each in alternatives(option, reading)]
    nothing = F.lit(None).cast("string")
    if isinstance(value, Concept):
        return [Alternative(nothing, None, F.lit(int(value.concept_id)), inferred=True)]
    if isinstance(value, RrnSex):
        return [Alternative(nothing, None, rrn_sex(value.rrn_sex))]
    if isinstance(value, RrnRace):
        return [Alternative(nothing, None, rrn_race(value.rrn_race, reading))]
    if isinstance(value, CodedLiteral):
        request = (value.vocabulary, value.literal, None, None, None)
        return [Alternative(F.lit(value.literal), request, None, inferred=True)]
    if isinstance(value, CodedColumn):
        return [_of_column(value, reading)]
    if isinstance(value, int):
        return [Alternative(nothing, None, F.lit(value))]
    raise TypeError(f"not a coded value: {type(value).__name__}")


def _of_column(value: CodedColumn, reading: Reading) -> Alternative:
    columns = [cell(name) for name in value.column]
    source = columns[0] if len(columns) == 1 else F.when(F.coalesce(*columns).isNotNull(), F.concat_ws("|", *columns))
    if value.map is not None:
        return Alternative(source, None, fixed_concept(columns, value.map, reading))
    if value.vocabulary is None:
        return Alternative(source, None, F.lit(None).cast("int"))
    vocabulary: Column | str
    if isinstance(value.vocabulary, VocabularyOfRow):
        vocabulary = cell(value.vocabulary.column)
        if value.vocabulary.map is not None:
            vocabulary = mapped_text(vocabulary, reading.maps[str(value.vocabulary.map)])
    else:
        vocabulary = value.vocabulary
    details = [cell(name) if name else None for name in (value.type, value.specimen, value.unit)]
    return Alternative(
        source, (vocabulary, source, *details), None, cell(value.description) if value.description else None
    )


def request_key(request: Sequence[Column | str | None]) -> Column:
    """The text that names a request in the resolved map; NULL where there is no code."""
    code = request[1]
    whole = key_text(request)
    return F.when(code.isNotNull(), whole) if isinstance(code, Column) else whole


def narrowed(role: str, options: Sequence[Alternative]) -> dict[str, Column]:
    """The columns that the alternatives of a coded role need before any join: `{role}__{n}_text`, `_key`, `_concept`."""
    columns: dict[str, Column] = {}
    for n, one in enumerate(options):
        columns[f"{role}__{n}_text"] = one.source
        if one.request is not None:
            columns[f"{role}__{n}_key"] = request_key(one.request)
        if one.concept is not None:
            columns[f"{role}__{n}_concept"] = one.concept
    return columns


def coded_roles(entry: Entry, table: str) -> dict[str, object]:
    """The coded and type values that an entry gives, by role."""
    found = {}
    for role in roles(table).values():
        value = entry.given(role.name)
        if value is None:
            continue
        if role.kind in ("coded", "type") or (
            role.kind == "value" and isinstance(value, CodedColumn | FirstCoded | CodedLiteral | Concept)
        ):
            found[role.name] = value
    return found


def requests(frame: DataFrame, asked: Sequence[Alternative]) -> list[DataFrame]:
    """For each alternative that asks: one row a distinct request and description, with `records` and the `alternative`.

    The frame is a source after exclusions.  Each reads only its own columns; the caller unites them in one action.
    """
    nothing = F.lit(None).cast("string")
    found = []
    for number, one in enumerate(asked):
        if one.request is None:
            continue
        parts = dict(zip(REQUEST, one.request, strict=True))
        varying = [name for name, part in parts.items() if isinstance(part, Column)]
        fixed = {name: F.lit(part) for name, part in parts.items() if not isinstance(part, Column)}
        columns = [part.cast("string").alias(name) for name, part in parts.items() if isinstance(part, Column)]
        description = (one.description if one.description is not None else nothing).alias("description")
        coded = frame.select(*columns, description)
        found.append(
            (coded.where(F.col("code").isNotNull()) if "code" in varying else coded)
            .groupBy(*varying, "description")
            .agg(F.count(F.lit(1)).alias("records"))
            .select(
                *[fixed[n].cast("string").alias(n) if n in fixed else n for n in REQUEST],
                "description",
                "records",
                F.lit(number).alias("alternative"),
            )
        )
    return found


@dataclass(frozen=True)
class ResolvedMap:
    """The resolved map of a run, as the engine sees it.

    `frame` has one row a (request, validity interval, rank): `request_key`, `valid_start`, `valid_end`, `rank`,
    `source_concept_id`, `target_concept_id`, `target_domain_id`, `value_concept_id`, `equivalence`, and `resolved_row`,
    the row's own number, by which reports find the rest of it.
    `dated` says whether any interval is bounded.
    """

    frame: DataFrame
    dated: bool

    def join(self, left: DataFrame, key: str, date: str, prefix: str, single: bool) -> DataFrame:
        """`left` with the columns `{prefix}_source`, `_target`, `_domain`, `_value`, `_rank`, `_equivalence`, `_row`.

        `key` names the column of `left` with the request key, `date` the event's date.  With `single` at most one row
        a row of `left` (the first target), else one a target.  Rows that ask nothing get NULLs.
        """
        right = self.frame.where(F.col("rank") == 0) if single else self.frame
        right = F.broadcast(
            right.select(
                F.col("request_key").alias(f"{prefix}_asked"),
                F.col("valid_start").alias(f"{prefix}_from"),
                F.col("valid_end").alias(f"{prefix}_to"),
                F.col("source_concept_id").alias(f"{prefix}_source"),
                F.col("target_concept_id").alias(f"{prefix}_target"),
                F.col("target_domain_id").alias(f"{prefix}_domain"),
                F.col("value_concept_id").alias(f"{prefix}_value"),
                F.col("rank").alias(f"{prefix}_rank"),
                F.col("equivalence").alias(f"{prefix}_equivalence"),
                F.col("resolved_row").alias(f"{prefix}_row"),
            )
        )
        match = F.col(key) == F.col(f"{prefix}_asked")
        if self.dated:
            begins, ends = F.col(f"{prefix}_from"), F.col(f"{prefix}_to")
            match = match & (begins.isNull() | (F.col(date) >= begins)) & (ends.isNull() | (F.col(date) <= ends))
        joined = left.join(right, match, "left")
        return joined.drop(f"{prefix}_asked", f"{prefix}_from", f"{prefix}_to")


def type_concept(value: object, default: object, table: str) -> object:
    """The type concept of an entry: its own, the site's default for the table, or 32817 (EHR)."""
    if value is not None:
        return value
    if isinstance(default, Mapping):
        return default.get(table, 32817)
    return default if default is not None else 32817
