"""Eras once more, by another way: sets of covered days in plain Python, and what Hypothesis draws to compare them on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from dure.cdm.schema import table as cdm_table

DAY = timedelta(days=1)
FIRST_DAY = date(2019, 11, 1)

# (key, start, end) -> (key, first day, last day, rows, days that no row covers)
Row = tuple[Hashable, date, date | None]
Era = tuple[Any, date, date, int, int]


def plain_eras(rows: Iterable[Row]) -> list[Era]:
    """One tuple an era: a day belongs to the era of the covered day before it unless more than 30 days lie between."""
    covered: dict[Hashable, set[date]] = defaultdict(set)
    starts: dict[Hashable, list[date]] = defaultdict(list)
    for key, start, end in rows:
        last = start if end is None or end < start else end
        covered[key] |= {start + DAY * n for n in range((last - start).days + 1)}
        starts[key].append(start)
    found: list[Era] = []
    for key, days in covered.items():
        eras: list[list[date]] = []
        for day in sorted(days):
            if eras and (day - eras[-1][-1]).days <= 30:
                eras[-1].append(day)
            else:
                eras.append([day])
        for era in eras:
            rows_in = sum(era[0] <= start <= era[-1] for start in starts[key])
            found.append((key, era[0], era[-1], rows_in, (era[-1] - era[0]).days + 1 - len(era)))
    return sorted(found, key=repr)


# Few persons, concepts and days, so that rows of one key meet: same day, overlapping, inside one another, 30 and 31
# days apart. Hypothesis draws them in any order.
persons = st.sampled_from([1, 2, 7_205_759_403_792_793])
days = st.integers(0, 120).map(lambda n: FIRST_DAY + DAY * n)
lengths = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([-1, 29, 30, 31, 90]))


def end_of(start: date, length: int | None) -> date | None:
    """The end of a row so many days after its start, NULL for none."""
    return None if length is None else start + DAY * length


def frame_of(session: SparkSession, table: str, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Rows of a CDM table of which the tests fill some columns."""
    kinds = {
        "bigint": pa.int64(),
        "int": pa.int32(),
        "date": pa.date32(),
        "double": pa.float64(),
        "string": pa.string(),
    }
    columns = [c for c in cdm_table(table).columns if c.spark.simpleString() in kinds]
    schema = pa.schema([(c.name, kinds[c.spark.simpleString()]) for c in columns])
    full = [{name: row.get(name) for name in schema.names} for row in rows]
    spark = T.StructType([T.StructField(c.name, c.spark) for c in columns])
    return session.createDataFrame(pa.Table.from_pylist(full, schema), spark)
