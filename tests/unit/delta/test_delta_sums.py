"""Counts of a whole run out of those before: what is taken must have been there, and what comes to nothing is left out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, ViewCount
from dure.landing import Landed
from dure.run.delta.basis import Mismatch, changed
from dure.run.delta.sums import added, refuse_others
from dure.site.load import load_site

VIEW = {"view": "v", "of": "patient", "grain": "one"}
RULE = {"rule": "person[0] patient", "table": "person", "source": "patient"}


def reconciliation(rows: int, **more: dict[str, int]) -> Reconciliation:
    return Reconciliation(
        site="small",
        sources=[SourceCount(source="patient", read=rows, landed=rows, goes_on=rows, outcomes={"mapped": rows})],
        views=[ViewCount(**VIEW, of_rows=rows, reached=rows, rows=rows, folds={"x": 0})],
        rules=[
            RuleCount(
                **RULE, rows_in=rows, not_selected=0, selected=rows, written=rows - sum(more.get("rejected", {}).values()),
                merged=0, rows_out={"person": rows}, zero={"person": 0}, **more,
            )
        ],
        persons_without_period=rows,
        exposures_without_era={"unmapped": rows},
    )  # fmt: skip


def landed(rows: int) -> dict[str, Landed]:
    return {"patient": Landed("patient", ("번호",), (), rows + 2, rows, {"undecodable": 2}, 0, (), ())}


@pytest.fixture
def site(tmp_path):  # type: ignore[no-untyped-def]
    (tmp_path / "small").mkdir()
    (tmp_path / "small/site.yaml").write_text(
        "spec_version: 1\nsite: {id: small, name: 병원, holder: 두레, timezone: Asia/Seoul}\n"
        "defaults: {formats: [yyyyMMdd]}\nmaps: {sex: {M: 8507}}\n"
        "sources:\n  patient: {path: 환자.csv, key: 번호, exclude: [{rule: b, where: {성별: [x]}, reason: r},"
        " {rule: a, where: {성별: [y]}, reason: r}]}\n"
        "tables:\n  person:\n    - {from: patient, birth: 생년, gender: {column: 성별, map: sex}}\n",
        "utf-8",
    )
    return load_site("small", [tmp_path])


def test_counts_are_taken_and_given(site) -> None:  # type: ignore[no-untyped-def]
    before = reconciliation(10, rejected={"bad_date": 2, "no_date": 1}, notes={"wider": 4})
    taken = reconciliation(3, rejected={"bad_date": 2}, notes={"wider": 4})
    given = reconciliation(4, rejected={"bad_birth": 1}, notes={"end_assumed": 2})
    before.sources[0].excluded, given.sources[0].excluded = {"a": 1}, {"b": 2}
    made = added(site, before, taken, given, landed(11))
    rule, source = made.rules[0], made.sources[0]
    assert (rule.rows_in, rule.selected, rule.rows_out, rule.zero) == (11, 11, {"person": 11}, {"person": 0})
    assert rule.rejected == {"bad_birth": 1, "no_date": 1}
    assert rule.notes == {"end_assumed": 2}
    # Rules in the order of the spec; what landing counts comes from landing.
    assert list(source.excluded.items()) == [("b", 2), ("a", 1)]
    assert (source.read, source.unreadable, source.outcomes) == (13, {"undecodable": 2}, {"mapped": 11})
    assert (made.views[0].rows, made.views[0].folds) == (11, {"x": 0})
    assert (made.persons_without_period, made.exposures_without_era) == (11, {"unmapped": 11})


def test_a_table_that_no_row_reaches_any_more_is_left_out(site) -> None:  # type: ignore[no-untyped-def]
    given = reconciliation(0)
    given.rules[0].rows_out, given.rules[0].zero = {}, {}
    made = added(site, reconciliation(3), reconciliation(3), given, landed(0))
    assert (made.rules[0].rows_out, made.rules[0].zero, made.sources[0].outcomes) == ({}, {}, {})


def test_more_cannot_be_taken_than_was_there(site) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Mismatch, match="fewer than what was taken away"):
        added(site, reconciliation(2), reconciliation(3), reconciliation(9), landed(8))


def test_entries_that_are_mapped_whole_must_count_as_before() -> None:
    refuse_others(reconciliation(2), reconciliation(2), ["person[0] patient"])
    with pytest.raises(Mismatch, match=r"person\[0\] patient counts otherwise"):
        refuse_others(reconciliation(2), reconciliation(3), ["person[0] patient"])


def test_counts_of_codes() -> None:
    def table(**counts: int) -> pa.Table:
        return pa.table({"code": pa.array(list(counts), pa.string()), "records": pa.array(counts.values(), pa.int64())})

    made = changed(table(A=3, B=1, C=2), [table(A=1), table(B=1)], [table(A=5, D=1)])
    assert dict(zip(made["code"].to_pylist(), made["records"].to_pylist(), strict=True)) == {"A": 7, "C": 2, "D": 1}
    with pytest.raises(Mismatch, match="fewer codes"):
        changed(table(A=1), [table(A=2)], [table(A=9)])
