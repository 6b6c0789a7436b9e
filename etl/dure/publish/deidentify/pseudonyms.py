"""The crosswalk: one row a person with the pseudonym, the person's secret, and how far the person's dates move.

The one place where the key is used. Persons go through a Python function in the engine's workers; what its plan carries
is where the key lies (a path, or the name of a variable), so neither a plan nor an event log can show the key. The
secrets that come out are data, joined and hashed like any other column, and are removed when the publication ends.
"""

from __future__ import annotations

import calendar
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dure.errors import IntegrityError, Problem
from dure.publish.private_keys import KeySource, pseudonym_key
from dure.tables.keys import ENTITY_ID_BITS

WEEKS = 52
SITE = 0  # no record has the id 0: its row of the crosswalk holds the secret of records that are nobody's
ROUNDS = 8

_CROSSWALK = pa.schema(
    [
        ("person_id", pa.int64()),
        ("pseudonym", pa.int64()),
        ("secret", pa.string()),
        ("shift", pa.int32()),
        ("earliest", pa.date32()),
        ("year", pa.int32()),
        ("month", pa.int32()),
        ("day", pa.int32()),
        ("born", pa.date32()),
    ]
)
_SPARK = "person_id bigint, pseudonym bigint, secret string, shift int, earliest date, year int, month int, day int, born date"


@dataclass(frozen=True)
class Rules:
    """What the worker needs beside the key's place; all of it may stand in a plan."""

    key: KeySource
    shifted: bool
    oldest_age: int
    as_of: date
    salts: Mapping[int, int]


def write_crosswalk(
    session: SparkSession, snapshot: Path, rules: Rules, folder: Path, known: Sequence[int] = ()
) -> dict[int, int]:
    """Writes the crosswalk as Parquet below `folder`; the salts that parted pseudonyms which had met, all of them.

    `known` are persons who left before: of two that meet it is the newcomer who gets another pseudonym.
    """
    salts = dict(rules.salts)
    for turn in range(ROUNDS):
        target = folder / f"crosswalk-{turn}"
        now = Rules(rules.key, rules.shifted, rules.oldest_age, rules.as_of, salts)
        _persons(session, snapshot).mapInArrow(partial(crosswalk_rows, rules=now), _SPARK).write.parquet(str(target))
        met = _shared(target, np.array(known, np.int64))
        if not met:
            target.rename(folder / "crosswalk")
            return salts
        salts |= {person: salts.get(person, 0) + 1 for person in met}
    raise IntegrityError(Problem("pseudonyms", "two persons keep the same pseudonym", "report this bug"))


def crosswalk_rows(batches: Iterable[pa.RecordBatch], rules: Rules) -> Iterator[pa.RecordBatch]:
    """One row a person: runs in the engine's worker, which reads the key where it lies."""
    key = pseudonym_key(rules.key)
    for batch in batches:
        rows = [_row(key, rules, *values) for values in zip(*batch.to_pydict().values(), strict=True)]
        yield pa.RecordBatch.from_pylist(rows, _CROSSWALK)


def _row(
    key: bytes,
    rules: Rules,
    person_id: int,
    year: int | None,
    month: int | None,
    day: int | None,
    born: date | None,
    died: date | None,
) -> dict[str, object]:
    salt = rules.salts.get(person_id, 0)
    name = f"person|{person_id}" + (f"|{salt}" if salt else "")
    digest = hmac.digest(key, name.encode(), "sha512")
    weeks = 1 + int.from_bytes(digest[8:16], "big") % WEEKS
    shift = 7 * weeks if rules.shifted else 0
    row: dict[str, object] = {
        "person_id": person_id,
        "pseudonym": (int.from_bytes(digest[:8], "big") & ((1 << ENTITY_ID_BITS) - 1)) or 1,
        "secret": digest[16:48].hex(),
        "shift": shift,
    }
    if person_id == SITE or year is None:
        return row
    birth = born or _day(year, month, day)
    seen = min(died, rules.as_of) if died else rules.as_of
    eldest = (min(died - timedelta(shift), rules.as_of) if died else rules.as_of).year - rules.oldest_age - 1
    shown = birth - timedelta(shift) if birth.toordinal() > shift else birth
    row["earliest"] = date(eldest, 1, 1) if eldest >= 1 else None
    if _age(birth, seen) > rules.oldest_age or shown.year < eldest:
        # The year alone: a month would tell which of the oldest it is.
        return row | {"year": eldest, "month": None, "day": None, "born": None}
    return row | {
        "year": shown.year,
        "month": shown.month if month is not None or born else None,
        "day": shown.day if day is not None or born else None,
        "born": shown if born else None,
    }


def _day(year: int, month: int | None, day: int | None) -> date:
    """The day of birth, unknown parts as the first, as the quality checks take them."""
    month = month if month and 1 <= month <= 12 else 1
    year = min(max(year, 1), 9999)
    return date(year, month, min(max(day or 1, 1), calendar.monthrange(year, month)[1]))


def _age(birth: date, seen: date) -> int:
    return seen.year - birth.year - ((seen.month, seen.day) < (birth.month, birth.day))


def _persons(session: SparkSession, snapshot: Path) -> DataFrame:
    """One row a person with birth and death, and one for the site itself."""
    person = session.read.parquet(str(snapshot / "person")).select(
        "person_id", "year_of_birth", "month_of_birth", "day_of_birth", F.to_date("birth_datetime").alias("born")
    )
    death = (
        session.read.parquet(str(snapshot / "death"))
        .groupBy(F.col("person_id").alias("dead_id"))
        .agg(F.min("death_date").alias("died"))
    )
    joined = person.join(death, F.col("person_id") == F.col("dead_id"), "left").drop("dead_id")
    nothing = {name: F.lit(None).cast(kind) for name, kind in joined.dtypes if name != "person_id"}
    site = session.range(1).select(
        F.lit(SITE).cast("bigint").alias("person_id"), *[c.alias(n) for n, c in nothing.items()]
    )
    return joined.unionByName(site)


def _shared(folder: Path, known: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """Persons whose pseudonym another has: of each group all but one, who is known or has the smallest id."""
    table = pq.read_table(folder, columns=["person_id", "pseudonym"])
    persons, pseudonyms = table["person_id"].to_numpy(), table["pseudonym"].to_numpy()
    order = np.lexsort((persons, ~np.isin(persons, known), pseudonyms))
    again = np.flatnonzero(pseudonyms[order][1:] == pseudonyms[order][:-1]) + 1
    return [int(person) for person in persons[order][again]]
