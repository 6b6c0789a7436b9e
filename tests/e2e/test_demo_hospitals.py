"""The three example hospitals on generated data: every fact arrives, every planted piece of dirt ends where it belongs."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from demo_truth import expected_facts, found_facts, rows, truth

from dure.accounting.reconciliation import Reconciliation
from dure.demo.consortium import SITES, Demonstration, SiteResult
from dure.demo.content import content_digest
from dure.demo.score import score_lake, score_lines, score_snapshot
from dure.demo.truth import Truth
from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site
from dure.settings import shipped

pytestmark = pytest.mark.together

# Chosen so that each kind of dirt occurs in some hospital.
PATIENTS, SEED = 150, 44
HERE = Path(__file__).resolve()
SHIPPED, VOCABULARY = HERE.parents[2] / "vocab_mappings/sites", HERE.parents[2] / "vocab_mappings/demo_vocabulary"
FOR_LITTLE_DATA = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
TWO_CORES = EngineOptions(threads=min(2, os.cpu_count() or 1))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return Demonstration(tmp_path_factory.mktemp("demo"), PATIENTS, SEED, (), None, TWO_CORES)


@pytest.fixture(scope="module")
def warned() -> list[str]:
    """What the runs warned of, as soon as they are done."""
    return []


@pytest.fixture(scope="module")
def results(asked: Demonstration, warned: list[str]) -> dict[str, SiteResult]:
    progress = SilentProgress()
    made = {result.site: result for result in asked.run(progress)}
    warned += [str(problem) for problem in progress.warned]
    return made


@pytest.fixture(params=SITES)
def result(request: pytest.FixtureRequest, results: dict[str, SiteResult]) -> SiteResult:
    return results[request.param]


def test_every_fact_is_found_and_no_row_is_there_without_one(result: SiteResult) -> None:
    assert {table.table: (table.found, table.surplus) for table in result.score.tables} == {
        table.table: (table.facts, 0) for table in result.score.tables
    }
    assert result.score.facts > 3000


def test_visit_time_end_and_quantity_are_right_too(result: SiteResult, asked: Demonstration) -> None:
    expected, found = expected_facts(asked.truth, result.site), found_facts(result.snapshot)
    assert expected - found == Counter()
    assert found - expected == Counter()


def test_visits_last_as_long_as_they_did(result: SiteResult, asked: Demonstration) -> None:
    persons = {row["person_id"]: row["person_source_value"] for row in rows(result.snapshot, "person")}
    found = Counter(
        (persons[row["person_id"]], row["visit_concept_id"], row["visit_start_date"], row["visit_end_date"])
        for row in rows(result.snapshot, "visit_occurrence")
    )
    # A claim of an emergency has neither an end nor a length: one that lasted over midnight is known by its first day.
    end = "start_date" if result.site == "gangsan" else "end_date"
    assert found == Counter(
        (
            row["person_source_value"],
            row["visit_concept_id"],
            row["start_date"],
            row[end if row["visit_concept_id"] == 9203 else "end_date"],
        )
        for row in truth(asked.truth, "visits", result.site)
    )


def test_persons_are_born_and_die_when_they_did(result: SiteResult, asked: Demonstration) -> None:
    deaths = {row["person_id"]: row["death_date"] for row in rows(result.snapshot, "death")}
    expected = {row["person_source_value"]: row for row in truth(asked.truth, "persons", result.site)}
    found = {row["person_source_value"]: row for row in rows(result.snapshot, "person")}
    assert found.keys() == expected.keys()
    for number, row in found.items():
        person = expected[number]
        assert deaths.get(row["person_id"]) == person["death_date"]
        off = abs(row["year_of_birth"] - person["year_of_birth"])
        oldest = person["year_of_birth"] < 1936  # the open group, 85 and over
        assert off <= {"exact": 0, "age_group": 2}[person["birth_precision"]] or (oldest and off <= 20)
        assert row["race_concept_id"] == 38003585


def planted(asked: Demonstration, hospital: str) -> Counter[tuple[str, str]]:
    """(kind, end) -> rows of dirt in a hospital."""
    return Counter((row["kind"], row["ends"]) for row in truth(asked.truth, "dirt", hospital))


def balance(result: SiteResult) -> Reconciliation:
    return Reconciliation.model_validate_json((result.reports / "reconciliation.json").read_text("utf-8"))


def test_dirt_of_every_kind_was_planted(asked: Demonstration, results: dict[str, SiteResult]) -> None:
    with (asked.truth / "dirt_kinds.csv").open(encoding="utf-8", newline="") as stream:
        kinds = {row["kind"] for row in csv.DictReader(stream)}
    assert {kind for site in results for kind, _ in planted(asked, site)} == kinds


def test_what_must_be_rejected_is_rejected_for_its_reason_and_nothing_else_is(
    result: SiteResult, asked: Demonstration
) -> None:
    expected: Counter[str] = Counter()
    for (_, end), n in planted(asked, result.site).items():
        if end.startswith("rejected:"):
            expected[end.removeprefix("rejected:")] += n
    made = balance(result)
    found = Counter[str]()
    for rule in made.rules:
        found.update(rule.rejected)
    for source in made.sources:
        found.update(source.rejected)
    assert found == expected
    assert result.rejected == expected.total()


def test_what_must_be_excluded_is_excluded_by_its_rule(result: SiteResult, asked: Demonstration) -> None:
    expected: Counter[str] = Counter()
    for (kind, end), n in planted(asked, result.site).items():
        if end.startswith("excluded:"):
            assert end == f"excluded:{kind}"
            expected[kind] += n
    found = Counter[str]()
    for source in balance(result).sources:
        found.update(source.excluded)
    assert found == expected


def test_repeated_rows_are_duplicates_and_former_ones_superseded(result: SiteResult, asked: Demonstration) -> None:
    dirt = truth(asked.truth, "dirt", result.site)
    sources = balance(result).sources
    assert sum(s.duplicate for s in sources) == sum(row["kind"] == "duplicate_row" for row in dirt)
    patients = [s for s in sources if s.source == "patient"]
    assert sum(s.merged for s in patients) == sum(row["kind"] == "patient_again" for row in dirt)


def test_codes_of_a_later_edition_count_as_wider_and_unknown_ones_as_unmapped(
    result: SiteResult, asked: Demonstration
) -> None:
    facts = [row for row in truth(asked.truth, "records", result.site) if row["dirt"]]
    (conditions,) = [rule for rule in balance(result).rules if rule.table == "condition_occurrence"]
    assert conditions.notes.get("wider", 0) == sum(row["dirt"] == "code_version" for row in facts)
    unknown = [row for row in facts if row["dirt"] == "unknown_code" and row["cdm_table"] == "condition_occurrence"]
    assert conditions.zero.get("condition_occurrence", 0) == len(unknown)


def test_what_only_quality_checks_can_see_is_in_the_cdm(asked: Demonstration, results: dict[str, SiteResult]) -> None:
    seen = Counter(
        row["dirt"] for site in results for row in truth(asked.truth, "records", site) if row["dirt"] is not None
    )
    wanted = {"resident_number", "impossible_value", "unreadable_result", "male_pregnancy", "after_death"}
    assert wanted <= seen.keys()  # that they are there is what the facts say


def test_a_person_of_two_hospitals_is_a_person_of_each(asked: Demonstration, results: dict[str, SiteResult]) -> None:
    numbers = Counter(row["person_number"] for site in results for row in truth(asked.truth, "persons", site))
    assert max(numbers.values()) > 1


def test_the_runs_warn_of_nothing(warned: list[str], results: dict[str, SiteResult]) -> None:
    assert warned == []


def test_eras_of_drugs_conditions_and_doses_are_there(result: SiteResult) -> None:
    for table in ("observation_period", "condition_era", "drug_era", "dose_era"):
        assert rows(result.snapshot, table), table


def test_the_score_of_a_lake_is_that_of_the_run_and_reads_in_parts(
    asked: Demonstration, results: dict[str, SiteResult]
) -> None:
    by_site = {score.site: score for score in score_lake(asked.truth, asked.lake)}
    assert by_site == {site: result.score for site, result in results.items()}
    in_parts = score_snapshot(Truth.of(asked.truth), "bada", results["bada"].snapshot, at_once=2000)
    assert in_parts == results["bada"].score
    assert [line.split()[0] for line in score_lines(in_parts, 0)[:2]] == ["bada", "person"]


def test_a_score_asks_for_a_truth_and_for_a_site_that_ran(asked: Demonstration, results: dict[str, SiteResult]) -> None:
    with pytest.raises(ConfigurationError, match=r"records\.parquet: is not there"):
        score_lake(asked.extract, asked.lake)
    with pytest.raises(ConfigurationError, match="says nothing of '하늘'"):
        score_lake(asked.truth, asked.lake, ["하늘"])
    with pytest.raises(ConfigurationError, match="has no snapshot"):
        score_lake(asked.truth, asked.out)


@pytest.fixture
def other_sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped sites, to change."""
    return Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("other") / "sites"))


@pytest.mark.slow
def test_a_wrong_target_in_a_map_lowers_the_score(
    asked: Demonstration, results: dict[str, SiteResult], other_sites: Path, tmp_path: Path
) -> None:
    creatinine, urea_nitrogen = 3016723, 3013682
    lab = other_sites / "haneul/maps/lab.csv"
    lab.write_text(lab.read_text("utf-8").replace(f",{creatinine},", f",{urea_nitrogen},"), "utf-8")
    options = RunOptions("haneul", asked.extract / "haneul", VOCABULARY, tmp_path / "lake", (other_sites,), TWO_CORES)
    made = run_site(options, SilentProgress())
    score = score_snapshot(Truth.of(asked.truth), "haneul", made.snapshot)
    wrong = sum(
        row["standard_concept_id"] == creatinine and row["cdm_table"] == "measurement"
        for row in truth(asked.truth, "records", "haneul")
    )
    assert wrong > 20
    assert score.facts - score.found == score.surplus == wrong
    (measurement,) = [table for table in score.tables if table.table == "measurement"]
    assert measurement.missing == {creatinine: wrong}
    assert measurement.unexplained == {urea_nitrogen: wrong}


@pytest.mark.slow
def test_a_rerun_gives_the_same_rows_and_ids(
    asked: Demonstration, results: dict[str, SiteResult], tmp_path: Path
) -> None:
    """In another lake, and from files whose lines stand in another order."""
    moved = tmp_path / "bada"
    moved.mkdir()
    for path in (asked.extract / "bada").iterdir():
        head, *lines = path.read_bytes().splitlines(keepends=True)
        (moved / path.name).write_bytes(b"".join([head, *reversed(lines)]))
    options = RunOptions("bada", moved, VOCABULARY, tmp_path / "lake", (SHIPPED,), TWO_CORES)
    made = run_site(options, SilentProgress())
    assert content_digest(made.snapshot) == results["bada"].digest


@pytest.fixture
def spark_lake(tmp_path: Path, asked: Demonstration, results: dict[str, SiteResult]) -> Iterator[Demonstration]:
    (tmp_path / "extract").symlink_to(asked.extract)
    yield replace(asked, out=tmp_path, engine=EngineOptions(name="spark", threads=TWO_CORES.threads))


@contextmanager
def spark_for_little_data(options: EngineOptions) -> Iterator[Engine]:
    """Apache Spark without the tasks and compiled code that pay only for much data."""
    with engine(options) as running:
        for name, value in FOR_LITTLE_DATA.items():
            running.session.conf.set(name, value)
        yield running


@pytest.mark.spark
def test_apache_spark_gives_the_same_counts_and_digests(
    spark_lake: Demonstration, results: dict[str, SiteResult]
) -> None:
    shown = {
        result.site: (result.patients, result.visits, result.rows, result.mapped, result.rejected, result.digest)
        for result in spark_lake.run(SilentProgress(), spark_for_little_data)
    }
    assert shown == {
        site: (result.patients, result.visits, result.rows, result.mapped, result.rejected, result.digest)
        for site, result in results.items()
    }


def test_the_shipped_vocabulary_is_found() -> None:
    assert shipped("demo_vocabulary") == VOCABULARY
