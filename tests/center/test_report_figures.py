"""Deliveries, coverage, rates and units of the report, against figures counted by hand, small cells suppressed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compared_hospitals import CHILD, ROOT, code, hospital, made, report

GLUCOSE, MG, MMOL = 3004501, 8840, 8753
CONDITION, MEASUREMENT = "condition_occurrence", "measurement"
Rows = list[tuple[object, ...]]


def figures(store: Path, by_site: dict[str, Rows], **more: Any) -> dict[str, Any]:
    """The first concept of the report of hospitals with 1,000 persons and two observed years each."""
    for site, records in by_site.items():
        two_years = {"observed_from": "2021-01-01", "observed_to": "2022-12-31", "persons": 1000}
        hospital(store, site, **two_years, records=records, **more)
    concept: dict[str, Any] = report(store, store.parent / "out")["concepts"][0]
    return concept


def of_site(concept: dict[str, Any], site: str) -> dict[str, Any]:
    (row,) = [row for row in concept["hospitals"] if row["site"] == site]
    return dict(row)


def test_a_rate_is_records_by_1000_persons_and_year(tmp_path: Path) -> None:
    concept = figures(
        tmp_path / "store",
        {
            "bada": [(CONDITION, ROOT, 2021, 60, 50), (CONDITION, ROOT, 2022, 140, 100)],
            "haneul": [(CONDITION, ROOT, 2021, 200, 90)],
            "gangsan": [(CONDITION, ROOT, 2022, 900, 300)],
        },
    )
    rates = {row["site"]: (row["records"], row["rate"], row["ratio"], row["outlier"]) for row in concept["hospitals"]}
    # 200 records of 1,000 persons in 730 of 730.5 days; 900 is 4.5 times the 200 of each other.
    assert rates["bada"] == (200, 100.068, 0.364, False)  # by the median of 100 and 450
    assert rates["gangsan"] == (900, 450.308, 4.5, True)
    assert of_site(concept, "bada")["years"]["2022"] == {"records": 140, "persons": 100, "persons_rate": 100.0}
    assert concept["outliers"] == 1


def test_two_hospitals_alone_have_no_outlier(tmp_path: Path) -> None:
    concept = figures(
        tmp_path / "store",
        {"bada": [(CONDITION, ROOT, 2021, 50, 50)], "haneul": [(CONDITION, ROOT, 2021, 500, 500)]},
    )
    assert (of_site(concept, "haneul")["ratio"], of_site(concept, "haneul")["outlier"]) == (10.0, False)


def test_what_most_hospitals_have_is_absent_elsewhere(tmp_path: Path) -> None:
    usual: Rows = [(CONDITION, ROOT, 2021, 50, 50)]
    other: Rows = [(MEASUREMENT, GLUCOSE, 2021, 20, 20)]
    concept = figures(tmp_path / "store", {"a": usual, "b": usual, "c": usual, "d": other})
    assert (concept["concept_id"], concept["absent"]) == (ROOT, ["d"])


def test_a_small_cell_is_hidden_with_another_that_would_tell_it(tmp_path: Path) -> None:
    years: Rows = [
        (CONDITION, ROOT, 2020, 7, 5),
        (CONDITION, ROOT, 2021, 300, 100),
        (CONDITION, ROOT, 2022, 45, 40),
    ]
    concept = figures(tmp_path / "store", {"bada": years})
    row = of_site(concept, "bada")
    assert {year: cell and cell["persons"] for year, cell in row["years"].items()} == {
        "2020": None,
        "2021": 100,
        "2022": None,
    }
    # With one hospital there is nothing to hide it among, so its total is of what is shown.
    assert (row["records"], concept["records"]) == (300, 300)


def test_totals_of_several_hospitals_do_not_tell_a_small_cell(tmp_path: Path) -> None:
    small: Rows = [(CONDITION, ROOT, 2021, 8, 4), (CONDITION, ROOT, 2022, 400, 200), (CONDITION, ROOT, 2023, 90, 50)]
    large: Rows = [
        (CONDITION, ROOT, 2021, 300, 150),
        (CONDITION, ROOT, 2022, 80, 40),
        (CONDITION, ROOT, 2023, 400, 200),
    ]
    concept = figures(tmp_path / "store", {"bada": small, "haneul": large})
    hidden = {
        row["site"]: sorted(year for year, cell in row["years"].items() if cell is None) for row in concept["hospitals"]
    }
    # Both totals are whole, so each line and each year has none hidden or two.
    assert [row["records"] for row in concept["hospitals"]] == [498, 780]
    assert hidden["bada"] == hidden["haneul"] and len(hidden["bada"]) == 2 and "2021" in hidden["bada"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '"2021":null' in page


def test_a_hospital_of_small_cells_alone_has_no_total(tmp_path: Path) -> None:
    concept = figures(
        tmp_path / "store",
        {
            "bada": [(CONDITION, ROOT, 2021, 9, 9)],
            "haneul": [(CONDITION, ROOT, 2021, 90, 90), (CONDITION, ROOT, 2022, 80, 80)],
        },
    )
    assert (of_site(concept, "bada")["records"], of_site(concept, "bada")["rate"]) == (None, None)
    # The other cell of that year is hidden with it, against whoever knows the year's total.
    assert of_site(concept, "haneul")["years"]["2021"] is None
    assert (concept["records"], of_site(concept, "haneul")["records_of_all_years"]) == (80, False)


def test_the_threshold_may_be_raised_and_what_shows_nothing_is_left_out(tmp_path: Path) -> None:
    rows: Rows = [(CONDITION, ROOT, 2021, 60, 50), (CONDITION, ROOT, 2022, 60, 50)]
    hospital(tmp_path / "store", "bada", records=rows)
    assert report(tmp_path / "store", tmp_path / "out", threshold=51)["concepts"] == []
    assert len(report(tmp_path / "store", tmp_path / "out", threshold=50)["concepts"]) == 1


def test_eras_and_records_without_a_concept_are_no_distribution(tmp_path: Path) -> None:
    rows: Rows = [("condition_era", ROOT, 2021, 60, 50), (CONDITION, 0, 2021, 60, 50), (CONDITION, CHILD, 2021, 20, 20)]
    assert figures(tmp_path / "store", {"bada": rows})["concept_id"] == CHILD


def value(unit: int | None, persons: int, numeric: int, median: float | None) -> tuple[object, ...]:
    spread = [median * by if median is not None else None for by in (0.5, 0.8, 1.0, 1.2, 1.5)]
    return (GLUCOSE, unit, numeric, persons, numeric, *spread)


def findings(store: Path, by_site: dict[str, Rows]) -> dict[str, dict[str, Any]]:
    for site, values in by_site.items():
        hospital(store, site, values=values)
    (concept,) = report(store, store.parent / "out")["values"]
    return {finding["kind"]: finding for finding in concept["findings"]}


def test_one_test_in_two_units_says_who_and_how_far_the_medians_are(tmp_path: Path) -> None:
    found = findings(
        tmp_path / "store",
        {
            "bada": [value(MG, 100, 150, 99.0)],
            "haneul": [value(MMOL, 90, 120, 5.5)],
            "gangsan": [value(MG, 80, 80, 90.0)],
        },
    )
    assert list(found) == ["different"]
    assert found["different"]["by_unit"] == {str(MMOL): ["haneul"], str(MG): ["bada", "gangsan"]}
    assert found["different"]["medians"] == {str(MMOL): 5.5, str(MG): 94.5}
    assert found["different"]["factor"] == 17.2


def test_one_unit_with_medians_apart_says_the_factor(tmp_path: Path) -> None:
    found = findings(
        tmp_path / "store",
        {
            "bada": [value(MG, 100, 150, 100.0)],
            "haneul": [value(MG, 90, 120, 10.0)],
            "gangsan": [value(MG, 80, 80, 90.0)],
        },
    )
    assert found["factor"]["apart"] == {
        "haneul": {"median": 10.0, "median_of_others": 95.0, "factor": 9.5, "higher": False}
    }


def test_two_hospitals_apart_are_said_once(tmp_path: Path) -> None:
    found = findings(tmp_path / "store", {"bada": [value(MG, 100, 150, 100.0)], "haneul": [value(MG, 90, 120, 10.0)]})
    assert found["factor"]["apart"] == {
        "bada": {"median": 100.0, "median_of_others": 10.0, "factor": 10.0, "higher": True}
    }
    assert found["factor"]["sites"] == ["bada"]


def test_missing_and_mixed_units_are_said_by_hospital(tmp_path: Path) -> None:
    found = findings(
        tmp_path / "store",
        {
            "bada": [value(MG, 100, 75, 100.0), value(None, 20, 20, 100.0), value(0, 20, 5, 100.0)],
            "haneul": [value(MG, 100, 90, 100.0), value(MMOL, 20, 90, 5.5)],
        },
    )
    assert found["missing"]["shares"] == {"bada": 0.25}
    assert found["mixed"]["by_site"] == {"haneul": [MMOL, MG]}


def test_values_of_few_persons_are_not_there_and_counts_are_rounded(tmp_path: Path) -> None:
    store = tmp_path / "store"
    hospital(store, "bada", values=[value(MG, 1000, 12_345, 100.0), value(MMOL, 9, 5_000, 5.5)])
    (concept,) = report(store, tmp_path / "out")["values"]
    assert [(row["unit"], row["numeric"]) for row in concept["rows"]] == [(MG, 12_000)]
    assert concept["findings"] == []


def test_coverage_by_domain_of_hospitals_and_consortia(tmp_path: Path) -> None:
    store = tmp_path / "store"
    drug = {"domain_id": "Drug"}
    hospital(store, "bada", [code("A", CHILD, 60), code("B", 0, 20), code("C", ROOT, 40, **drug)], consortium="동부")
    hospital(store, "haneul", [code("A", CHILD, 20), code("D", 0, 8, **drug)], consortium="동부")
    coverage = report(store, tmp_path / "out")["coverage"]
    assert coverage["domains"] == ["all", "Condition", "Drug"]
    bada = coverage["hospitals"]["bada"]
    assert (bada["Condition"]["codes_mapped_share"], bada["Condition"]["records_mapped_share"]) == (0.5, 0.75)
    # Eight records are not told, nor are they in a sum.
    assert "Drug" not in coverage["hospitals"]["haneul"] and coverage["hospitals"]["haneul"]["all"]["records"] == 20
    assert coverage["consortia"]["동부"]["all"] == {
        "codes": 4,
        "codes_mapped": 3,
        "records": 140,
        "records_mapped": 120,
        "records_wider": 0,
        "codes_mapped_share": 0.75,
        "records_mapped_share": 0.8571,
    }


def test_a_delivery_tells_its_age_its_checks_and_those_before_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    share = {"check": "dure_coveragerecords_condition", "of": 200}
    hospital(store, "bada", sequence=1, score=0.9, as_of="2023-10-31", coverage=[share | {"without_concept": 50}])
    more = {"waived": ["dure_residentnumber_note_note_text"], "withdrawn": 30, "tables": {"person": 1000, "death": 5}}
    hospital(store, "bada", sequence=2, score=0.95, coverage=[share | {"without_concept": 10}], **more)
    hospital(store, "haneul", as_of="2023-12-31", withdrawn=3)
    bada, haneul = report(store, tmp_path / "out")["deliveries"]
    assert (bada["sequence"], bada["age_days"], bada["days_since_received"], bada["stale"]) == (2, 91, 90, False)
    assert (bada["checks"]["failed"], bada["waived"], bada["withdrawn"], bada["rows"]) == (
        2,
        ["dure_residentnumber_note_note_text"],
        30,
        1005,
    )
    assert [(one["score"], one["mapped_share"]) for one in bada["history"]] == [(0.9, 0.75), (0.95, 0.95)]
    assert haneul["age_days"] == 122 and haneul["stale"]
    # Rows of one table may be persons, and so may few of them.
    assert haneul["withdrawn"] == "<10" and "tables" not in bada


def test_records_by_year_are_rounded_and_small_ones_not_told(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rows = [(CONDITION, ROOT, 2021, 1234, 900), (MEASUREMENT, 0, 2021, 1111, 900), (CONDITION, ROOT, 2022, 9, 9)]
    hospital(store, "bada", records=rows)
    hospital(store, "haneul", records=[(CONDITION, ROOT, 2020, 55, 50)])
    years = report(store, tmp_path / "out")["years"]
    assert years == {"years": [2020, 2021, 2022], "hospitals": {"bada": [0, 2300, "<10"], "haneul": [55, 0, 0]}}


def test_what_is_in_quarantine_since_and_who_never_sent(tmp_path: Path) -> None:
    store = tmp_path / "store"
    hospital(store, "bada", received="2024-02-01T09:00:00+09:00")
    for name in (
        "bada-20240131T235959Z-0123abcd",
        "bada-20240201T000001Z-0123abcd",
        "unknown-20240101T000000Z-0123abcd",
    ):
        (store / "quarantine" / name).mkdir(parents=True)
    told = report(store, tmp_path / "out")
    assert told["kept_out"] == {"bada": 1, "unknown": 1}
    assert told["waiting"] == []


@pytest.mark.slow
def test_a_generated_store_of_many_hospitals_is_reported(tmp_path: Path) -> None:
    made.write_random_store(tmp_path / "store", 7, 500, 900)
    told = report(tmp_path / "store", tmp_path / "out")
    assert len(told["deliveries"]) == 7 and len(told["agreement"]["code"]["pairs"]) == 21
    assert 0.8 < told["agreement"]["code"]["overall"]["agree_share"] < 0.97
    assert told["proposals"]["codes"] > 300
