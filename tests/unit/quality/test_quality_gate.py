"""The gate: what closes it, what a waiver lets through, and how its files may be wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dure.errors import ConfigurationError
from dure.quality.catalogue import Check, dqd_checks
from dure.quality.gate.policy import Waiver, read_policy, read_waivers
from dure.quality.gate.verdict import Verdict, decide
from dure.quality.results import Result, Status

TODAY = date(2026, 3, 15)
ROWS = {"person": 3, "observation_period": 3, "visit_occurrence": 9, "cdm_source": 1}
FATAL = "field_isrequired_person_year_of_birth"
CONVENTION = "field_standardconceptrecordcompleteness_condition_occurrence_condition_concept_id"
DESCRIBES = "field_plausiblevaluehigh_person_year_of_birth"


def check(check_id: str) -> Check:
    return next(each for each in dqd_checks() if each.id == check_id)


def failed(check_id: str, violated: int, denominator: int) -> Result:
    return Result(check(check_id), Status.FAILED, violated, denominator)


def verdict(*results: Result, waivers: tuple[Waiver, ...] = (), rows: dict[str, int] = ROWS) -> Verdict:
    return decide(results, rows, read_policy(None), waivers, "bada", TODAY)


def waiver(check_id: str, expires: date, site: str = "bada") -> Waiver:
    return Waiver(check=check_id, site=site, reason="옮기는 중", owner_role="의무기록팀", expires=expires)


def test_nothing_failed() -> None:
    assert verdict(Result(check(FATAL), Status.PASSED, 0, 3)).open


def test_one_fatal_row_closes() -> None:
    closing = verdict(failed(FATAL, 1, 3)).closing
    assert [str(reason) for reason in closing] == [f"{FATAL}: 1 of 3 (33.3%) (fatal)"]


def test_a_convention_closes_under_its_floor_and_warns_above() -> None:
    assert not verdict(failed(CONVENTION, 21, 100)).open
    above = verdict(failed(CONVENTION, 20, 100))
    assert above.open
    assert [reason.why for reason in above.warnings] == ["80.0 % are right, above the floor of 80 %"]


def test_what_describes_the_source_only_warns() -> None:
    described = verdict(failed(DESCRIBES, 3, 3))
    assert described.open and [reason.check for reason in described.warnings] == [DESCRIBES]


def test_an_error_closes_whatever_its_severity() -> None:
    assert [r.why for r in verdict(Result(check(DESCRIBES), Status.ERROR, None, None, "no such column")).closing] == [
        "no such column"
    ]


@pytest.mark.parametrize(("rows", "found"), [({"person": 0}, "person is empty"), ({}, "person is missing")])
def test_a_required_table_without_rows_closes(rows: dict[str, int], found: str) -> None:
    rest = {name: n for name, n in ROWS.items() if name != "person"}
    assert [reason.found for reason in verdict(rows=rest | rows).closing] == [found]


def test_tables_that_are_not_the_hospitals_never_close() -> None:
    strange = failed("table_cdmtable_cohort", 1, 1)
    assert verdict(strange).open and len(verdict(strange).warnings) == 1


def test_a_waiver_lets_its_check_through_until_its_last_day() -> None:
    result = failed(FATAL, 1, 3)
    assert verdict(result, waivers=(waiver(FATAL, TODAY),)).open
    late = verdict(result, waivers=(waiver(FATAL, date(2026, 3, 14)),))
    assert [reason.why for reason in late.closing] == ["fatal; its waiver expired on 2026-03-14"]


def test_a_waiver_of_another_site_or_check_lets_nothing_through() -> None:
    other = waiver("field_isrequired_person_gender_concept_id", TODAY)
    closed = verdict(failed(FATAL, 1, 3), waivers=(waiver(FATAL, TODAY, "haneul"), other))
    assert not closed.open and closed.unused == (other,)


def test_the_files_may_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "waivers.yaml").write_text(
        "waivers:\n  - {check: a, site: bada, reason: 이유, owner_role: 팀, expires: 2026-13-01}\n"
        "  - {check: b, site: bada, reason: 이유, expires: 2026-12-01}\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        read_waivers(tmp_path)
    assert [problem.where.rsplit("/", 1)[-1] for problem in raised.value.problems] == [
        "waivers.yaml:2 waivers[0].expires",
        "waivers.yaml:3 waivers[1]",
    ]
    assert "'owner_role' is missing" in raised.value.problems[1].found


def test_a_site_may_have_a_policy_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "policy_version: 1\nseverities: {fatal: warns}\nfloors: {}\nrequired_tables: []\n"
    )
    assert decide([failed(FATAL, 1, 3)], {}, read_policy(tmp_path), (), "bada", TODAY).open
