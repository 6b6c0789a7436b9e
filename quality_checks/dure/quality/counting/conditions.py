"""SQL conditions of checks that look at one row: (violated, denominator), each true for the rows that count.

`row_condition` needs the table alone; `joined_condition` needs the columns that `JOINED` names, which stand beside the
table's own after its person, death and visit were joined, never more than one row of each.
"""

from __future__ import annotations

from datetime import date, timedelta

from dure.quality.catalogue import Check
from dure.quality.counting.own_joined import own_joined_condition
from dure.quality.counting.own_rows import own_row_condition

Condition = tuple[str, str]
ALL = "true"

BIRTH, BORN_BY, SEX, DEATH, PERSON_FOUND = "_birth", "_born_by", "_sex", "_death", "_person_found"
VISIT_FOUND, VISIT_START, VISIT_END = "_visit_found", "_visit_start", "_visit_end"
JOINED = (BIRTH, BORN_BY, SEX, DEATH, PERSON_FOUND, VISIT_FOUND, VISIT_START, VISIT_END)
# Days after death on which records still come in: letters, bills, laboratory results.
AFTER_DEATH = 60
AROUND_VISIT = 7


def found(field: str) -> str:
    """The column that is true where the row that a field points at is there."""
    return f"_found_{field}"


def row_condition(check: Check, today: date) -> Condition | None:
    """The condition of a check that one row of its table decides, else None; limits that move are those of `today`."""
    at = f"`{check.field}`"
    match check.type.name:
        case "isRequired" | "measureValueCompleteness":
            return f"{at} is null", ALL
        case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
            if source := check["source_field"]:
                return (
                    f"{at} = 0 or ({at} is null and `{source}` is not null)",
                    f"{at} is not null or `{source}` is not null",
                )
            return f"{at} = 0", f"{at} is not null"
        case "plausibleValueLow":
            return f"{_comparable(check)} < {_limit(check['low'], today)}", f"{at} is not null"
        case "plausibleValueHigh":
            return f"{_comparable(check)} > {_limit(check['high'], today)}", f"{at} is not null"
        case "plausibleStartBeforeEnd":
            end = f"`{check['end_field']}`"
            both = f"{at} is not null and {end} is not null"
            return f"{both} and cast({at} as date) > cast({end} as date)", both
        case "plausibleTemporalAfter" if check["after_table"] == check.table:
            return f"cast(`{check['after_field']}` as date) > cast({at} as date)", ALL
        case "cdmDatatype":
            return f"{at} is not null and not cast({at} as string) rlike '^[-+]?[0-9]+$'", ALL
    return own_row_condition(check)


def joined_condition(check: Check) -> Condition | None:
    """The condition of a check that a row and its person, death, visit or another row it points at decide, else None."""
    at = f"`{check.field}`"
    day = f"cast({at} as date)"
    match check.type.name:
        case "plausibleTemporalAfter":
            return f"{BORN_BY} > {day}", ALL
        case "plausibleAfterBirth":
            return f"{day} < {BIRTH}", f"{at} is not null"
        case "plausibleBeforeDeath":
            dated = f"{at} is not null and {DEATH} is not null"
            return f"{dated} and {day} > date_add({DEATH}, {AFTER_DEATH})", dated
        case "plausibleDuringLife":
            return f"{day} > date_add({DEATH}, {AFTER_DEATH})", f"{DEATH} is not null"
        case "withinVisitDates":
            early = f"{at} < date_sub({VISIT_START}, {AROUND_VISIT})"
            return f"{VISIT_FOUND} and ({early} or {at} > date_add({VISIT_END}, {AROUND_VISIT}))", VISIT_FOUND
        case "isForeignKey" if check["fk_table"] != "concept":
            return f"{at} is not null and not {found(str(check.field))}", ALL
    return own_joined_condition(check)


def _comparable(check: Check) -> str:
    return f"cast(`{check.field}` as date)" if str(check.field).endswith(("_date", "_datetime")) else f"`{check.field}`"


def _limit(written: str, today: date) -> str:
    match written:
        case "tomorrow":
            return f"date'{today + timedelta(days=1)}'"
        case "next year":
            return str(today.year + 1)
    return f"date'{written}'" if written.count("-") == 2 else written
