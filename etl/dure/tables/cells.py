"""What one cell says: text, numbers, moments, results, as column expressions over a landed source.

Everything landed is text or NULL.  Dates parse by the declared formats only; a marker of `null_dates` is no date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from dure.site.fixed_maps import FixedMap
from dure.site.values import (
    AgeGroup,
    DateOf,
    FirstBirth,
    FirstMoment,
    FirstText,
    Join,
    LastsDays,
    MonthOf,
    Not,
    NumberLiteral,
    Parts,
    Present,
    Product,
    RrnBirth,
    TextLiteral,
    TextMap,
    YearOf,
)
from dure.tables.expressions import looked_up
from dure.tables.keys import key_text, key_text_of

_NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
# Blanks, named one by one: engines differ on what \s takes.
_BLANK = "[ \t\u00a0\u3000]*"
_RESULT = rf"^{_BLANK}(<=|>=|=<|=>|≤|≥|<|>|=)?{_BLANK}([+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?){_BLANK}$"
_TITER = rf"^{_BLANK}1{_BLANK}:{_BLANK}([0-9]+){_BLANK}$"

# Reference ranges: both ends, one end by a sign, one end by a word or an open tilde.
_END = r"([+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+))"
_BETWEEN = rf"^{_BLANK}{_END}{_BLANK}[-~–∼～]{_BLANK}{_END}{_BLANK}$"
_AT_MOST = (rf"^{_BLANK}(?:<=|=<|<|≤|~|∼|～){_BLANK}{_END}{_BLANK}$", rf"^{_BLANK}{_END}{_BLANK}(?:이하|미만){_BLANK}$")
_AT_LEAST = (
    rf"^{_BLANK}(?:>=|=>|>|≥){_BLANK}{_END}{_BLANK}$",
    rf"^{_BLANK}{_END}{_BLANK}(?:이상|초과|-|~|∼|～){_BLANK}$",
)

# OMOP's Meas Value Operator concepts.
OPERATORS = {
    "<": 4171756,
    "<=": 4171754,
    "=<": 4171754,
    "≤": 4171754,
    "=": 4172703,
    ">=": 4171755,
    "=>": 4171755,
    "≥": 4171755,
    ">": 4172704,
}

MALE, FEMALE, KOREAN = 8507, 8532, 38003585


@dataclass(frozen=True)
class Reading:
    """How the cells of a site are read: formats, markers of no date, the zone for inputs with an offset, short maps.

    `concepts` gives the concept of each value of each short map that maps to concepts.  `dates` names the
    columns that some entry reads as a date: in those a marker counts as empty in conditions, too.
    """

    formats: tuple[str, ...] = ()
    null_dates: tuple[str, ...] = ()
    zone: str = "UTC"
    maps: Mapping[str, FixedMap] = field(default_factory=dict)
    concepts: Mapping[str, Mapping[tuple[str, ...], int]] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()


def cell(name: str) -> Column:
    """The column of a source by its exact name, whatever characters it has."""
    return F.col("`" + name.replace("`", "``") + "`")


def text(value: object, reading: Reading) -> Column:
    """A Text value of the spec."""
    if isinstance(value, str):
        return cell(value)
    if isinstance(value, TextLiteral):
        return F.lit(value.literal)
    if isinstance(value, TextMap):
        return mapped_text(cell(value.column), reading.maps[str(value.map)])
    if isinstance(value, Join):
        parts = [cell(name) for name in value.join]
        return F.when(F.coalesce(*parts).isNotNull(), F.concat_ws(value.with_, *parts))
    if isinstance(value, FirstText):
        return F.coalesce(*[text(each, reading) for each in value.first_of])
    raise TypeError(f"not a text: {type(value).__name__}")


def mapped_text(column: Column, fixed: FixedMap) -> Column:
    """The map's text for a value; a value that is not in the map stays as it is."""
    texts = {key: target.text for (key,), target in fixed.values.items() if target.text is not None}
    return F.coalesce(looked_up(column, texts), column) if texts else column


def parsed_number(column: Column) -> Column:
    """The number that a text is, or NULL: no markers such as NaN, no thousands separators, no trailing letters."""
    trimmed = F.trim(column)
    return _finite(F.when(trimmed.rlike(_NUMBER), trimmed.try_cast("double")))


def _finite(number: Column) -> Column:
    """A number too large for a double (1e400) is none."""
    return F.when(F.abs(number) < F.lit(float("inf")), number)


def whole(number: Column, at_least: int = -(2**31), at_most: int = 2**31 - 1) -> Column:
    """The INT that a DOUBLE is, or NULL where it is not whole or out of bounds: a cast would stop the run."""
    fits = (number == F.floor(number)) & number.between(float(at_least), float(at_most))
    return F.when(fits, number).try_cast("int")


def number(value: object) -> Column:
    """A Number value of the spec, as DOUBLE."""
    if isinstance(value, str):
        return parsed_number(cell(value))
    if isinstance(value, NumberLiteral):
        return F.lit(float(value.literal))
    if isinstance(value, Product):
        factors = [parsed_number(cell(name)) for name in value.product]
        if value.empty is not None:
            factors = [F.coalesce(factor, F.lit(float(value.empty))) for factor in factors]
        return reduce(lambda a, b: a * b, factors)
    raise TypeError(f"not a number: {type(value).__name__}")


def number_text(value: object) -> Column | None:
    """The text behind a Number, to tell 'empty' from 'not a number'; None where there is no single cell."""
    return cell(value) if isinstance(value, str) else None


@dataclass(frozen=True)
class Moment:
    """A date with or without a time of day: `at` is the wall clock (TIMESTAMP_NTZ), `given` whether there was text.

    `bad_time` says whether a time of day in a cell of its own could not be read; None where there is no such cell.
    """

    at: Column
    given: Column
    bad_time: Column | None = None


def moment(value: object, reading: Reading, formats: Sequence[str] | None = None) -> Moment:
    """A Date value of the spec; `at` is NULL where there is none or where no declared format fits."""
    if isinstance(value, str):
        return _parsed(dated(cell(value), reading), formats or reading.formats, reading)
    if isinstance(value, DateOf):
        return _date_and_time(value, reading)
    if isinstance(value, MonthOf):
        return _month(value, reading)
    if isinstance(value, YearOf):
        return _year(value, reading)
    if isinstance(value, Parts):
        parts = [cell(name) for name in value.parts]
        joined = F.when(F.coalesce(*parts).isNotNull(), F.concat_ws("-", *parts))
        return _parsed(joined, ("yyyy-M-d",), reading)
    if isinstance(value, RrnBirth):
        return _rrn_birth(value.rrn_birth, reading)
    if isinstance(value, FirstMoment | FirstBirth):
        found = [moment(each, reading) for each in value.first_of if not isinstance(each, LastsDays)]
        return Moment(F.coalesce(*[m.at for m in found]), reduce(lambda a, b: a | b, [m.given for m in found]))
    raise TypeError(f"not a date: {type(value).__name__}")


def dated(column: Column, reading: Reading) -> Column:
    """A cell of a date column; a marker of no date is empty."""
    if not reading.null_dates:
        return column
    return F.when(~column.isin(list(reading.null_dates)), column)


def _parsed(column: Column, formats: Sequence[str], reading: Reading) -> Moment:
    tries = []
    first_moment = F.lit("0001-01-01 00:00:00").cast("timestamp_ntz")
    for pattern in formats:
        # A sign before a year and the year 0 are read by one engine only, and a year before 1 by no reader.
        instant = F.try_to_timestamp(F.when(column.rlike("^[^+-]"), column), F.lit(pattern))
        if _has_offset(pattern) and reading.zone != "UTC":
            instant = F.from_utc_timestamp(instant, reading.zone)
        wall = instant.cast("timestamp_ntz")
        tries.append(F.when(wall >= first_moment, wall))
    at = F.coalesce(*tries) if tries else F.lit(None).cast("timestamp_ntz")
    return Moment(at, column.isNotNull())


def _has_offset(pattern: str) -> bool:
    outside_quotes = "".join(pattern.split("'")[::2])
    return "X" in outside_quotes


def _date_and_time(value: DateOf, reading: Reading) -> Moment:
    date = dated(cell(value.date), reading)
    formats = tuple(value.formats or reading.formats)
    if value.time is None:
        return _parsed(date, formats, reading)
    time = cell(value.time)
    # One text, so that one format may say both; a missing time leaves the date alone.
    both = _parsed(F.concat(date, time), formats, reading)
    spaced = _parsed(F.concat(date, F.lit(" "), time), formats, reading)
    alone = _parsed(date, formats, reading)
    bad_time = time.isNotNull() & both.at.isNull() & spaced.at.isNull() & alone.at.isNotNull()
    return Moment(F.coalesce(both.at, spaced.at, alone.at), date.isNotNull(), bad_time)


def _month(value: MonthOf, reading: Reading) -> Moment:
    column = dated(cell(value.month), reading)
    first = F.coalesce(F.try_to_timestamp(column, F.lit("yyyyMM")), F.try_to_timestamp(column, F.lit("yyyy-MM"))).cast(
        "date"
    )
    day = {"first": first, "middle": F.date_add(first, 14), "last": F.last_day(first)}[value.day]
    return Moment(day.cast("timestamp_ntz"), column.isNotNull())


def _year(value: YearOf, reading: Reading) -> Moment:
    column = dated(cell(value.year), reading)
    year = F.when(column.rlike("^[0-9]{4}$"), column.try_cast("int"))
    month, day = {"first": (1, 1), "middle": (7, 1), "last": (12, 31)}[value.day or "first"]
    return Moment(F.make_date(year, F.lit(month), F.lit(day)).cast("timestamp_ntz"), column.isNotNull())


def _rrn_digits(name: str) -> Column:
    return F.replace(cell(name), F.lit("-"), F.lit(""))


def _rrn_birth(name: str, reading: Reading) -> Moment:
    digits = _rrn_digits(name)
    seventh = F.substring(digits, 7, 1)
    century = (
        F.when(seventh.isin("1", "2", "5", "6"), F.lit("19"))
        .when(seventh.isin("3", "4", "7", "8"), F.lit("20"))
        .when(seventh.isin("9", "0"), F.lit("18"))
    )
    shaped = F.when(digits.rlike("^[0-9]{7}"), F.concat(century, F.substring(digits, 1, 6)))
    return _parsed(shaped, ("yyyyMMdd",), reading)


def rrn_sex(name: str) -> Column:
    """Gender concept by the seventh digit of a resident registration number: odd is male."""
    digits = _rrn_digits(name)
    seventh = F.when(digits.rlike("^[0-9]{7}"), F.substring(digits, 7, 1))
    return F.when(seventh.isin("1", "3", "5", "7", "9"), F.lit(MALE)).when(
        seventh.isin("2", "4", "6", "8", "0"), F.lit(FEMALE)
    )


def rrn_race(name: str, reading: Reading) -> Column:
    """Race concept by a resident registration number: Korean for a national's, 0 for a foreigner's (seventh digit 5 to 8).

    NULL where it has no birth date: digits that stand for an unknown number say nothing of anybody.
    """
    born = _rrn_birth(name, reading).at
    foreign = F.substring(_rrn_digits(name), 7, 1).isin("5", "6", "7", "8")
    return F.when(born.isNotNull(), F.when(foreign, F.lit(0)).otherwise(F.lit(KOREAN)))


@dataclass(frozen=True)
class Birth:
    """A birth as far as it is known: `year` INT, `month` and `day` INT or NULL, `at` TIMESTAMP_NTZ or NULL."""

    year: Column
    month: Column
    day: Column
    at: Column


def birth(value: object, reading: Reading) -> Birth:
    """A Birth value of the spec; a year alone leaves month, day and moment NULL."""
    nothing = F.lit(None).cast("int")
    no_moment = F.lit(None).cast("timestamp_ntz")
    if isinstance(value, FirstBirth):
        options = [birth(each, reading) for each in value.first_of]
        chosen = options[-1]
        for option in reversed(options[:-1]):
            known = option.year.isNotNull()
            chosen = Birth(
                *[
                    F.when(known, getattr(option, part)).otherwise(getattr(chosen, part))
                    for part in ("year", "month", "day", "at")
                ]
            )
        return chosen
    if isinstance(value, YearOf) and value.day is None:
        return Birth(F.year(_year(value, reading).at), nothing, nothing, no_moment)
    if isinstance(value, AgeGroup):
        return Birth(age_group_birth_year(value), nothing, nothing, no_moment)
    at = moment(value, reading).at
    return Birth(F.year(at), F.month(at), F.dayofmonth(at), at)


def age_group_birth_year(value: AgeGroup) -> Column:
    """Birth year from NHIS's five-year age groups: 0 is age 0, 1 is 1 to 4, k is 5(k-1) to 5k-1; the midpoint counts."""
    group = F.when(cell(value.age_group).rlike("^[0-9]{1,2}$"), cell(value.age_group).try_cast("int"))
    year = F.when(cell(value.year).rlike("^[0-9]{4}$"), cell(value.year).try_cast("int"))
    midpoint = F.when(group == 0, F.lit(0)).when(group == 1, F.lit(2)).otherwise(group * 5 - 3)
    return year - midpoint


def condition(where: Mapping[str, object] | None, reading: Reading) -> Column:
    """Whether a row is selected: all conditions hold; never NULL.  `not` keeps rows whose cell is empty."""
    holds = []
    for name, wanted in (where or {}).items():
        column = cell(name)
        if name in reading.dates:
            column = dated(column, reading)
        if isinstance(wanted, Present):
            holds.append(column.isNotNull() if wanted.present else column.isNull())
        elif isinstance(wanted, Not):
            holds.append(F.coalesce(~column.isin(list(wanted.not_)), F.lit(True)))
        elif isinstance(wanted, list | tuple):
            holds.append(F.coalesce(column.isin(list(wanted)), F.lit(False)))
        else:
            raise TypeError(f"not a condition: {type(wanted).__name__}")
    return reduce(lambda a, b: a & b, holds) if holds else F.lit(True)


@dataclass(frozen=True)
class Result:
    """A laboratory result taken apart: operator concept or NULL, number or NULL, whether it is a titer."""

    operator: Column
    number: Column
    titer: Column


def result(column: Column) -> Result:
    """`<0.05` is an operator and a number, `1:80` a titer of 80, `3.5` a plain number without operator."""
    is_number = column.rlike(_RESULT)
    sign = F.when(is_number, F.regexp_extract(column, _RESULT, 1))
    titer = F.coalesce(column.rlike(_TITER), F.lit(False))
    number_read = F.when(is_number, F.regexp_extract(column, _RESULT, 2).try_cast("double")).when(
        titer, F.regexp_extract(column, _TITER, 1).try_cast("double")
    )
    number = _finite(number_read)
    return Result(F.when(number.isNotNull(), looked_up(sign, OPERATORS)), number, titer)


def reference_range(column: Column) -> tuple[Column, Column]:
    """The low and the high end that a text such as `3.5-5.1`, `<5`, `60 이상` says; NULL where it says none."""
    low = F.coalesce(*[_number_in(column, pattern) for pattern in _AT_LEAST], _number_in(column, _BETWEEN))
    high = F.coalesce(*[_number_in(column, pattern) for pattern in _AT_MOST], _number_in(column, _BETWEEN, 2))
    return low, high


def _number_in(column: Column, pattern: str, group: int = 1) -> Column:
    return F.when(column.rlike(pattern), F.regexp_extract(column, pattern, group).try_cast("double"))


def fixed_concept(columns: Sequence[Column], map_name: str, reading: Reading) -> Column:
    """The concept that a short map gives to one or more cells; NULL for a value that the map does not have."""
    table = {key_text_of(values): concept for values, concept in reading.concepts[map_name].items()}
    return looked_up(key_text(columns), table) if table else F.lit(None).cast("int")
