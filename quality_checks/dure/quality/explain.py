"""What a check means, how to find what it counts, and what usually is the matter: for the person who must repair it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from dure.errors import ConfigurationError, IntegrityError, Problem
from dure.quality.catalogue import Check, suites_folder
from dure.quality.counting.distributions import LEAST_SPREAD
from dure.quality.counting.groups import SEXES
from dure.quality.counting.own_groups import SIGMA
from dure.quality.counting.own_rows import ASCII, BAR_CODE, FULL_WIDTH, RESIDENT_NUMBER, bar_code_sum
from dure.quality.own_catalogue import catalogue
from dure.site.yaml_text import read_yaml

EXPLANATIONS = ("dqd/explanations.yaml", "own/explanations.yaml")
_MOVING = {
    "tomorrow": "CURRENT_DATE + INTERVAL '1' DAY",
    "next year": "EXTRACT(YEAR FROM CURRENT_DATE) + 1",
}


@dataclass(frozen=True)
class Cause:
    """One usual cause, what to do about it, and both in Korean."""

    cause: str
    fix: str
    korean: str


@dataclass(frozen=True)
class Explanation:
    """One check explained. `sql` gives one row for each of what the check counts, or is empty where no query can."""

    check: Check
    korean: str
    sql: str
    causes: Sequence[Cause]


def explain(check_id: str) -> Explanation:
    """The explanation of one check; ConfigurationError, with the ids that are closest, where there is none."""
    by_id = {check.id: check for check in catalogue()}
    check = by_id.get(check_id.strip().lower())
    if check is None and check_id.startswith("site_"):
        do = "its type and arguments stand in expectations.yaml of the site's folder"
        raise ConfigurationError(Problem("--explain", f"'{check_id}' is a check that the site wrote itself", do))
    if check is None:
        given = check_id.strip().lower()
        near = [known for known in by_id if known.startswith(given)][:3] or get_close_matches(given, by_id, 3, 0.5)
        do = f"the closest are {', '.join(near)}" if near else "results.json and report.html name every check"
        raise ConfigurationError(Problem("--explain", f"no check is called '{check_id}'", do))
    written = explanations()[check.type.name]
    return Explanation(
        check=check,
        korean=written["korean"],
        sql=finding_sql(check),
        causes=[Cause(each["cause"], each["fix"], each["korean"]) for each in written["causes"]],
    )


def explained(check_id: str) -> list[str]:
    """The lines that `dure check --explain` prints."""
    found = explain(check_id)
    return list(_lines(found))


@cache
def explanations() -> Mapping[str, Mapping[str, Any]]:
    """What the tables under suites/ say of each check type, by its name."""
    read: dict[str, Mapping[str, Any]] = {}
    for name in EXPLANATIONS:
        document = read_yaml(suites_folder() / name)
        if document.problems:
            raise IntegrityError(document.problems)
        read |= document.data
    return read


def finding_sql(check: Check) -> str:
    """SQL over CDM tables with one row for each of what `check` counts as violated; '' where none can say it."""
    written = explanations()[check.type.name]
    of_person = check.given["after_table"] == "person" and "sql_of_person" in written
    template: str = written.get("sql_of_person" if of_person else "sql", "")
    return template.format_map(_values(check))


def _values(check: Check) -> Mapping[str, str]:
    given = check.given
    dated = str(check.field).endswith(("_date", "_datetime"))
    source = given["source_field"]
    ascii_text = f"TRANSLATE(t.{check.field}, '{FULL_WIDTH}', '{ASCII}')"
    units = " ".join(sorted({*given["unit_concept_ids"].split(), "0"} - {"-1"}, key=int))
    return {
        **given,
        "table": check.table,
        "field": check.field or "",
        "concepts": ", ".join(map(str, check.concept_ids)),
        "or_unmapped": f" OR (t.{check.field} IS NULL AND t.{source} IS NOT NULL)" if source else "",
        "value": f"CAST(t.{check.field} AS date)" if dated else f"t.{check.field}",
        "low": _limit(given["low"]),
        "high": _limit(given["high"]),
        "sex_concept": str(SEXES.get(given["sex"], "")),
        "units": ", ".join(units.split()),
        "ascii": ascii_text,
        "resident_number": RESIDENT_NUMBER,
        "bar_code": BAR_CODE,
        "bar_code_sum": bar_code_sum(ascii_text),
        "sigma": str(SIGMA),
        "least_spread": str(LEAST_SPREAD),
    }


def _limit(written: str) -> str:
    return _MOVING.get(written) or (f"DATE '{written}'" if written.count("-") == 2 else written)


def _lines(found: Explanation) -> Iterator[str]:
    check, kind = found.check, found.check.type
    violated, _, denominator = kind.description.rstrip(".").partition(", of ")
    yield check.id
    yield f"  {kind.description}"
    yield f"  {found.korean}"
    yield ""
    yield f"type:        {kind.name}{' (deprecated: runs only when asked for)' if kind.deprecated else ''}"
    yield f"looks at:    {check.table}{'.' + check.field if check.field else ''}"
    if check.concept_ids:
        yield f"concepts:    {', '.join(map(str, check.concept_ids))}"
    yield f"counts:      {violated}"
    yield f"out of:      {denominator or '1'}"
    allowed = f"up to {check.threshold:g} % may be violated" if check.threshold else "none may be violated"
    yield f"threshold:   {allowed}"
    yield f"severity:    {kind.severity.value}"
    yield f"Kahn:        {kind.category}{' ' + kind.subcategory if kind.subcategory else ''}, {kind.context}"
    yield ""
    if found.sql:
        yield "SQL that finds them:"
        yield from (f"  {line}" for line in f"{found.sql};".splitlines())
    else:
        yield "No query on this snapshot alone finds them: it is compared with the run's reports or an earlier snapshot."
    yield ""
    yield "usual causes, and what to do:"
    for cause in found.causes:
        yield f"  - {cause.cause} {cause.fix}"
        yield f"    {cause.korean}"
