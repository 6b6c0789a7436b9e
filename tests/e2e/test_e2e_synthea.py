"""The whole run on real Synthea data and on the demo data, held against an independent computation, row by row."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from oracle_synthea import Oracle, moment, read_source
from synthea_snapshot import Record, Snapshot, visits_before

from dure.cdm.schema import site_tables
from dure.engine import EngineOptions
from dure.progress import SilentProgress
from dure.run import RunOptions, run_site

pytestmark = pytest.mark.together

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "../shared"
SYNTHEA, SAMPLE, SCALE = (
    SHARED / "data/synthea27",
    SHARED / "data/vocabulary_sample",
    SHARED / "tools/scale_synthea.py",
)
DEMO, SLICE = ROOT / "tests/data/extract", ROOT / "tests/data/vocabulary"
SITES = ROOT / "vocab_mappings/sites"
# Files of the export, all of which the site reads.
READ = ("patients", "organizations", "providers", "encounters", "conditions", "medications", "immunizations",
        "observations", "procedures", "allergies", "devices", "supplies", "careplans", "imaging_studies", "payers",
        "payer_transitions", "claims", "claims_transactions")  # fmt: skip
# Rows of these tables belong to one person, so they can be cut out of a larger snapshot.
OF_A_PERSON = ("person", "death", "visit_occurrence", "visit_detail", "condition_occurrence", "drug_exposure",
               "procedure_occurrence", "device_exposure", "measurement", "observation", "observation_period",
               "payer_plan_period")  # fmt: skip


def run(source: Path, vocabulary: Path, lake: Path, engine: EngineOptions | None = None) -> Snapshot:
    options = RunOptions(
        site="synthea", source=source, vocab=vocabulary, lake=lake, sites=(SITES,), engine=engine or EngineOptions()
    )
    return Snapshot(run_site(options, SilentProgress()).snapshot)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def real(lake: Path) -> Snapshot:
    if not SYNTHEA.is_dir():
        pytest.skip(f"no Synthea extract at {SYNTHEA}; it lies beside the checkout where the project is developed")
    return run(SYNTHEA, SAMPLE, lake)


@pytest.fixture(scope="module")
def expected(real: Snapshot) -> Oracle:
    return Oracle(SYNTHEA, SAMPLE)


@pytest.fixture(scope="module")
def demo(lake: Path) -> Snapshot:
    return run(DEMO, SLICE, lake / "demo")


@pytest.fixture(scope="module", params=["real", "demo"])
def pair(request: pytest.FixtureRequest) -> tuple[Snapshot, Oracle]:
    """A snapshot, and what must be in it."""
    snapshot: Snapshot = request.getfixturevalue(request.param)
    extract, vocabulary = (SYNTHEA, SAMPLE) if request.param == "real" else (DEMO, SLICE)
    return snapshot, Oracle(extract, vocabulary)


def differences(found: Iterable[object], wanted: Iterable[object]) -> str:
    """What is missing and what is too many, at most five of each; empty when both hold the same things as often."""
    here, there = Counter(found), Counter(wanted)
    lines = [f"missing {n} times: {thing}" for thing, n in list((there - here).items())[:5]]
    return "\n".join(lines + [f"too many, {n} times: {thing}" for thing, n in list((here - there).items())[:5]])


@pytest.mark.parametrize(
    "table",
    ["condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement", "observation", "device_exposure"],
)
def test_each_source_row_is_where_and_what_the_rules_say(pair: tuple[Snapshot, Oracle], table: str) -> None:
    snapshot, oracle = pair
    found = [row for row in snapshot.rows() if row.table == table]
    wanted = [row for row in oracle.rows() if row.table == table]
    assert len(found) == len(wanted)
    assert differences(found, wanted) == ""


def test_visits_are_the_encounters(pair: tuple[Snapshot, Oracle]) -> None:
    snapshot, oracle = pair
    assert differences(snapshot.visits().values(), oracle.visit_rows()) == ""
    assert differences(snapshot.visits("visit_detail").values(), oracle.visit_rows()) == ""
    of_detail = {row["visit_detail_id"]: row["visit_occurrence_id"] for row in snapshot.table("visit_detail")}
    visits, details = snapshot.visits(), snapshot.visits("visit_detail")
    assert all(visits[visit] == details[detail] for detail, visit in of_detail.items())


def test_each_visit_names_the_one_before_it(pair: tuple[Snapshot, Oracle]) -> None:
    visits = pair[0].table("visit_occurrence")
    assert {row["visit_occurrence_id"]: row["preceding_visit_occurrence_id"] for row in visits} == visits_before(visits)
    # One detail a visit: nothing lies before it within the visit.
    assert {row["preceding_visit_detail_id"] for row in pair[0].table("visit_detail")} == {None}


def test_people_and_places(pair: tuple[Snapshot, Oracle]) -> None:
    snapshot, oracle = pair
    assert differences(snapshot.persons(), oracle.persons()) == ""
    assert differences(snapshot.providers(), oracle.providers()) == ""
    assert differences(snapshot.deaths(), oracle.deaths()) == ""
    found = [(row["care_site_source_value"], row["care_site_name"]) for row in snapshot.table("care_site")]
    assert differences(found, oracle.care_sites()) == ""
    wanted = {(a, c, "MA" if s == "Massachusetts" else s, z) for a, c, s, z in oracle.locations()}
    places = [(row["address_1"], row["city"], row["state"], row["zip"]) for row in snapshot.table("location")]
    assert differences(places, wanted) == ""


def test_observation_periods_span_the_events(pair: tuple[Snapshot, Oracle]) -> None:
    snapshot, oracle = pair
    first: dict[str, object] = {}
    last: dict[str, object] = {}
    seen = [(row.person, row.date, row.date) for row in oracle.rows()]
    seen += [(v.visit.person, v.visit.start.date(), v.visit.end.date()) for v in oracle.visit_rows()]
    for person, begins, ends in seen:
        first[person] = min(begins, first.get(person, begins))  # type: ignore[type-var]
        last[person] = max(ends, last.get(person, ends))  # type: ignore[type-var]
    born = {key: moment(row["BIRTHDATE"]) for key, row in oracle.patients.items()}
    persons = snapshot.sources("person", "person_id", "person_source_value")
    found = [
        (persons[r["person_id"]], r["observation_period_start_date"], r["observation_period_end_date"],
         r["period_type_concept_id"])
        for r in snapshot.table("observation_period")
    ]  # fmt: skip
    wanted = [(p, max(first[p], born[p].date()), last[p], 32882) for p in first]  # type: ignore[type-var, union-attr]
    assert differences(found, wanted) == ""


def test_each_span_of_insurance_is_a_payer_plan_period(pair: tuple[Snapshot, Oracle]) -> None:
    snapshot, oracle = pair
    assert differences(snapshot.payer_periods(), oracle.payer_periods()) == ""


def test_each_cost_lies_beside_what_it_was_for(pair: tuple[Snapshot, Oracle]) -> None:
    snapshot, oracle = pair
    assert differences(snapshot.costs(), oracle.costs()) == ""


def test_no_exposure_ends_before_it_starts(pair: tuple[Snapshot, Oracle]) -> None:
    early = [(start, end) for start, end in pair[0].drug_moments() if end is not None and end < start]
    assert early == []


def test_every_table_of_the_cdm_is_there(pair: tuple[Snapshot, Oracle]) -> None:
    missing = [name for name in site_tables() if not list((pair[0].folder / name).glob("*.parquet"))]
    assert missing == []


# ------------------------------------------------------------------------------------------------ the real extract


def test_27_persons_604_visits_and_14_stays(real: Snapshot) -> None:
    assert len(real.table("person")) == 27
    details = real.table("visit_detail")
    assert len(details) == 604
    assert sum(row["visit_detail_end_date"] > row["visit_detail_start_date"] for row in details) == 14


def test_all_438_diagnoses_are_written(real: Snapshot) -> None:
    codes = {row["CODE"] for row in read_source(SYNTHEA, "conditions")}
    conditions = [r for r in real.table("condition_occurrence") if r["condition_source_value"] in codes]
    # Nothing else of the extract that becomes an observation has a code of the diagnoses.
    elsewhere = [r for r in real.table("observation") if r["observation_source_value"] in codes]
    assert (len(conditions), len(elsewhere)) == (187, 251)
    assert len(conditions) + len(elsewhere) == 438
    assert sum(row["condition_concept_id"] == 0 for row in conditions) == 4


def test_each_of_the_599_numeric_observations_has_its_number_and_unit(real: Snapshot) -> None:
    persons = real.sources("person", "person_id", "person_source_value")
    found = [
        (
            persons[r["person_id"]],
            r[f"{t}_source_value"],
            r[f"{t}_datetime"],
            r["value_as_number"],
            r["unit_source_value"],
        )
        for t in ("measurement", "observation")
        for r in real.table(t)
        if r["value_as_number"] is not None
    ]
    wanted = [
        (r["PATIENT"], r["CODE"], moment(r["DATE"]), float(r["VALUE"] or "nan"), r["UNITS"])
        for r in read_source(SYNTHEA, "observations")
        if r["TYPE"] == "numeric"
    ]
    assert len(wanted) == 599
    assert differences(found, wanted) == ""
    units = Counter(
        r["unit_source_value"]
        for t in ("measurement", "observation")
        for r in real.table(t)
        if r["value_as_number"] is not None and not r["unit_concept_id"]
    )
    # UCUM's {#} is not among OMOP's units; every other unit has its concept.
    assert units == {"{#}": 20}


def test_no_postal_address_is_written(real: Snapshot) -> None:
    assert sum(row["CODE"] == "56799-0" for row in read_source(SYNTHEA, "observations")) == 18
    assert [r for r in real.table("observation") if r["observation_source_value"] == "56799-0"] == []


def test_75_devices_and_supplies_49_care_plans_and_a_study(real: Snapshot) -> None:
    devices = real.table("device_exposure")
    assert len(devices) == 3 + 72
    assert sum(row["unique_device_id"] is not None for row in devices) == 3
    supplied = sum(int(row["QUANTITY"] or 0) for row in read_source(SYNTHEA, "supplies"))
    assert sum(row["quantity"] or 0 for row in devices) == supplied
    plans = Counter(row["CODE"] for row in read_source(SYNTHEA, "careplans"))
    found = Counter(
        row[f"{prefix}_source_value"]
        for table, prefix in (("procedure_occurrence", "procedure"), ("observation", "observation"))
        for row in real.table(table)
        if row[f"{prefix}_source_value"] in plans
    )
    # A procedure of its own may have a plan's code.
    assert found == plans + Counter(r["CODE"] for r in read_source(SYNTHEA, "procedures") if r["CODE"] in plans)
    chest = [row for row in real.table("procedure_occurrence") if row["procedure_source_value"] == "399208008"]
    shot = [row for row in read_source(SYNTHEA, "procedures") if row["CODE"] == "399208008"]
    assert len(chest) == len(shot) + 1


def test_the_money_of_each_file_arrives(real: Snapshot) -> None:
    costs = real.table("cost")
    assert len(costs) == 604 + 663 + 29 + 249 + 1267

    def total(column: str, kinds: set[int]) -> Decimal:
        cells = [row[column] for row in costs if row["cost_type_concept_id"] in kinds and row[column] is not None]
        return sum((Decimal(repr(cell)) for cell in cells), Decimal(0))

    def of_file(name: str, column: str, **where: str) -> Decimal:
        rows = [row for row in read_source(SYNTHEA, name) if all(row[k] == v for k, v in where.items())]
        return sum((Decimal(row[column] or 0) for row in rows), Decimal(0))

    records, claims = {32814}, {32871, 32845}
    assert total("total_charge", records) == of_file("encounters", "TOTAL_CLAIM_COST")
    assert total("total_cost", records) == sum(
        of_file(name, column)
        for name, column in (
            ("encounters", "BASE_ENCOUNTER_COST"),
            ("medications", "TOTALCOST"),
            ("immunizations", "BASE_COST"),
            ("procedures", "BASE_COST"),
        )
    )
    assert total("paid_by_payer", records) == sum(
        of_file(name, "PAYER_COVERAGE") for name in ("encounters", "medications")
    )
    assert total("total_charge", claims) == of_file("claims_transactions", "AMOUNT", TYPE="CHARGE")
    assert total("total_paid", claims) == of_file("claims_transactions", "PAYMENTS")
    assert total("paid_patient_copay", claims) == of_file("claims_transactions", "PAYMENTS", METHOD="COPAY")


def test_1051_spans_of_insurance(real: Snapshot) -> None:
    periods = real.table("payer_plan_period")
    assert len(periods) == 1051
    assert sum(row["family_source_value"] is None for row in periods) == 258
    assert {row["payer_source_value"] for row in periods if row["family_source_value"] is None} == {"NO_INSURANCE"}


def test_a_drug_allergy_is_no_exposure(real: Snapshot) -> None:
    allergens = [r["CODE"] for r in read_source(SYNTHEA, "allergies") if r["SYSTEM"] == "RxNorm"]
    assert sorted(allergens) == ["1191", "1191", "7984"]
    assert [r for r in real.table("drug_exposure") if r["drug_source_value"] in allergens] == []
    held = [r["value_as_concept_id"] for r in real.table("observation") if r["value_source_value"] in allergens]
    assert sorted(held) == [1112807, 1112807, 1729720]


# ------------------------------------------------------------------------------------------------ the demo extract


def test_dirt_of_the_demo_extract_is_left_out_or_counted(demo: Snapshot) -> None:
    persons = demo.table("person")
    assert len(persons) == 8  # of nine: one has no birth date
    assert {row["year_of_birth"] for row in persons} >= {1958, 2012}
    # 34 encounters: three of the patient without a birth date, one of nobody, one that ends before it starts.
    assert len(demo.table("visit_occurrence")) == 29
    unmapped = [r for r in demo.table("condition_occurrence") if r["condition_source_value"] == "999000111222"]
    assert [r["condition_concept_id"] for r in unmapped] == [0, 0]
    lost = [r for r in demo.table("condition_occurrence") if r["condition_source_value"] == "74400008"]
    assert [(r["condition_concept_id"], r["visit_occurrence_id"]) for r in lost] == [(440448, None)]
    assert [r for r in demo.table("condition_occurrence") if r["condition_source_value"] == "22298006"] == []


def test_money_and_insurance_of_the_demo_extract(demo: Snapshot) -> None:
    # Claims of the four encounters that are not written have nothing to belong to; one more is of an unknown visit.
    claims = [row for row in demo.table("cost") if row["cost_type_concept_id"] in (32871, 32845)]
    assert len(claims) == 28
    assert {(r["total_charge"], r["total_paid"], r["paid_patient_copay"]) for r in claims} == {(90.0, 89.9, 20.1)}
    payers = Counter((r["payer_source_value"], r["payer_concept_id"]) for r in demo.table("payer_plan_period"))
    assert payers == {("Medicaid", 289): 6, ("Medicare", 280): 5, ("두레공제", 0): 5}
    studies = [r for r in demo.table("procedure_occurrence") if r["procedure_source_value"] == "399208008"]
    pictures = read_source(DEMO, "imaging_studies")
    assert (len(pictures), sum(r["procedure_end_datetime"] is None for r in studies)) == (2, 1)


# ------------------------------------------------------------------------------------------------ the same ids


def content(snapshot: Snapshot, table: str, persons: set[int] | None = None) -> list[str]:
    """The rows of a table with their ids, as sorted text; of the given persons only, where they are given."""
    rows: list[Record] = snapshot.table(table)
    if persons is not None:
        rows = [row for row in rows if row["person_id"] in persons]
    return sorted(repr(sorted(row.items())) for row in rows)


def assert_same_rows(one: Snapshot, other: Snapshot) -> None:
    for table in site_tables():
        if table != "cdm_source":
            assert content(one, table) == content(other, table), table


def extract_with(folder: Path, change: Callable[[list[str]], None]) -> Path:
    """A copy of the real extract's files whose lines after the header went through `change`."""
    folder.mkdir()
    for name in READ:
        lines = (SYNTHEA / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        body = [line if line.endswith("\n") else line + "\n" for line in lines[1:]]
        change(body)
        (folder / f"{name}.csv").write_text("".join([lines[0], *body]), encoding="utf-8")
    return folder


def test_record_ids_are_unique_and_fit(pair: tuple[Snapshot, Oracle]) -> None:
    narrow = {"person", "visit_occurrence", "visit_detail", "provider", "care_site", "location"}
    for table in ("location", "care_site", "provider", "cost", *OF_A_PERSON):
        if table == "death":
            continue
        ids = [row[f"{table}_id"] for row in pair[0].table(table)]
        assert len(ids) == len(set(ids)), table
        assert all(0 < number < 2 ** (53 if table in narrow else 63) for number in ids), table


def test_a_second_run_gives_the_same_rows(real: Snapshot, lake: Path) -> None:
    assert_same_rows(real, run(SYNTHEA, SAMPLE, lake))


def test_the_order_of_lines_changes_nothing(real: Snapshot, tmp_path: Path) -> None:
    shuffled = extract_with(tmp_path / "shuffled", random.Random(27).shuffle)
    assert_same_rows(real, run(shuffled, SAMPLE, tmp_path / "lake"))


@pytest.mark.slow
def test_the_same_ids_among_2700_patients(real: Snapshot, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="the scaling tool needs duckdb: pip install 'dure[duckdb]'")
    small = extract_with(tmp_path / "small", lambda lines: None)
    scaled = tmp_path / "scaled"
    subprocess.run([sys.executable, SCALE, small, scaled, "100"], check=True, capture_output=True)
    shutil.rmtree(small)
    large = run(scaled, SAMPLE, tmp_path / "lake")
    assert len(large.table("person")) == 2700
    persons = {row["person_id"] for row in real.table("person")}
    for table in OF_A_PERSON:
        assert len(large.table(table)) == 100 * len(real.table(table)), table
        assert content(large, table, persons) == content(real, table), table
    assert len(large.table("cost")) == 100 * len(real.table("cost"))
    for table in ("location", "care_site", "provider"):
        assert content(large, table) == content(real, table), table


@pytest.mark.spark
def test_apache_spark_gives_the_same_rows(real: Snapshot, tmp_path: Path) -> None:
    on_spark = run(SYNTHEA, SAMPLE, tmp_path / "lake", EngineOptions(name="spark", master="local[2]"))
    assert_same_rows(real, on_spark)
