"""Planted defects: a clean snapshot, one defect for each check type, and exactly the checks named fail, by these counts.

A check that fails beside the one a case is about counts the same rows by its definition; `twins` names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import clean_snapshot as clean
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clean_snapshot import ECLAMPSIA, Clean, Rows, clean_snapshot, concepts
from pyspark.sql.connect.client import SparkConnectClient

from dure.accounting.reconciliation import Reconciliation, SourceCount, TableCount
from dure.engine import EngineOptions, engine
from dure.quality.catalogue import dqd_types
from dure.quality.counting.failing import failing_keys
from dure.quality.counting.profile import Before, Median, Profile
from dure.quality.explain import explain
from dure.quality.own_catalogue import catalogue, own_types
from dure.quality.results import Result, Status
from dure.quality.validate import validate
from dure.vocab.coverage import CODE_RECORDS_FILE, code_records_table

pytestmark = pytest.mark.together
Counts = tuple[int, int]
Defect = Callable[[Rows], object]
BEFORE = "20200101T000000Z"
COMPARED = {
    "driftRows", "driftConcepts", "driftUnits", "driftValues", "driftNulls", "movedRecord", "changedId", "remappedCodes"
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A defect: the check that must find it with its counts, and those that must fail with it and no others.

    `keys` are the record ids among the failing rows, None where the check counts no rows that have one. `reports` and
    `before` write what the run left and what the snapshot before was.
    """

    type: str
    check: str
    counts: Counts
    defect: Defect
    twins: dict[str, Counts] = field(default_factory=dict)
    keys: set[int] | None = None
    reports: Callable[[Path], object] | None = None
    before: Callable[[Path], Profile] | None = None
    title: str = ""

    @property
    def name(self) -> str:
        return f"{self.type} {self.title}".strip()


def add(table: str, *rows: dict[str, Any]) -> Defect:
    """Appends copies of the filled row with other values; each gets an id of its own, from 9 on."""

    def defect(all_rows: Rows) -> None:
        key = clean.tables()[table].primary_key
        for number, changes in enumerate(rows, 9):
            all_rows[table].append(all_rows[table][0] | ({key: number} if key else {}) | changes)

    return defect


def drop(table: str) -> Defect:
    return lambda rows: rows.pop(table)


def without(table: str, *, place: int) -> Defect:
    return lambda rows: rows[table].pop(place)


def retyped(table: str, column: str, values: list[Any]) -> Defect:
    """A column of the table as it never is in the CDM, with these values."""

    def defect(all_rows: Rows) -> None:
        made = pa.Table.from_pylist(all_rows[table], clean._schema(clean.tables()[table]))
        place = made.schema.get_field_index(column)
        all_rows[table] = made.set_column(place, column, pa.array(values))  # type: ignore[assignment]

    return defect


def unfielded(table: str, column: str) -> Defect:
    def defect(all_rows: Rows) -> None:
        made = pa.Table.from_pylist(all_rows[table], clean._schema(clean.tables()[table]))
        all_rows[table] = made.drop_columns([column])  # type: ignore[assignment]

    return defect


def together(*defects: Defect) -> Defect:
    def defect(rows: Rows) -> None:
        for each in defects:
            each(rows)

    return defect


def nothing(_: Rows) -> None:
    """For what is wrong outside the tables."""


def values(numbers: list[float | None], **changes: Any) -> Defect:
    """Measurements of haemoglobin with these values."""
    given = {"measurement_concept_id": clean.HAEMOGLOBIN, "unit_concept_id": clean.GRAM_PER_DECILITRE, **changes}
    return add("measurement", *({**given, "value_as_number": number} for number in numbers))


def months(counts: dict[str, int]) -> Defect:
    """Notes of each month; the two of the clean snapshot are of March 2020."""
    return add(
        "note",
        *(
            {"note_date": date.fromisoformat(f"{month}-15"), "visit_occurrence_id": None}
            for month, n in counts.items()
            for _ in range(n)
        ),
    )


def accounted(**tables: int) -> Callable[[Path], object]:
    def write(reports: Path) -> None:
        made = Reconciliation(
            site="bada",
            sources=[SourceCount(source="진단", read=3, landed=3, goes_on=3, outcomes={"mapped": 3})],
            tables=[TableCount(table=name, rows=n, by_rule={"rule": n}) for name, n in tables.items()],
        )
        (reports / "reconciliation.json").write_text(made.model_dump_json(), encoding="utf-8")

    return write


def unbalanced(reports: Path) -> None:
    """A source that read one row more than it accounts for."""
    accounted()(reports)
    file = reports / "reconciliation.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["sources"][0]["read"] = 4
    file.write_text(json.dumps(content), encoding="utf-8")


def coded(*codes: tuple[str, str, int]) -> Callable[[Path], object]:
    """Codes of one domain each: (code, status, records)."""

    def write(reports: Path) -> None:
        rows = [
            {"source": "dx", "table": "condition_occurrence", "role": "code", "vocabulary": "KCD7", "code": code,
             "domain_id": "Condition", "status": status, "year": 2020, "records": records, "targets": ""}
            for code, status, records in codes
        ]  # fmt: skip
        pq.write_table(code_records_table(rows), reports / CODE_RECORDS_FILE)

    return write


def resolved(reports: Path, targets: dict[str, int]) -> None:
    rows = [
        {"vocabulary": "KCD7", "code": code, "code_type": None, "specimen": None, "unit": None, "valid_start": None,
         "target_concept_id": target}
        for code, target in targets.items()
    ]  # fmt: skip
    schema = pa.schema(
        [
            *(pa.field(name, pa.string()) for name in ("vocabulary", "code", "code_type", "specimen", "unit")),
            pa.field("valid_start", pa.date32()),
            pa.field("target_concept_id", pa.int32()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), reports / "resolved_codes.parquet")


def was(**profile: Any) -> Callable[[Path], Profile]:
    return lambda _: Profile(**profile)


def was_of(table: str, **changes: Any) -> Callable[[Path], Profile]:
    """A table of the snapshot before whose filled row had other values."""

    def write(folder: Path) -> Profile:
        rows = clean.clean_rows()[table]
        clean.write(table, [rows[0] | changes, *rows[1:]], folder / table)
        return Profile()

    return write


def remapped(folder: Path) -> Profile:
    resolved(folder.parent / "reports", {"A00": 1, "B00": 2, "C00": 0, "Z00": 9})
    return Profile()


CONDITION, MEASUREMENT, SPECIMEN = "condition_occurrence", "measurement", "specimen"
_OUT = concepts()
DQD = [
    Case("cdmTable", "table_cdmtable_specimen", (1, 1), drop(SPECIMEN)),
    Case("cdmField", "field_cdmfield_specimen_disease_status_source_value", (1, 1), unfielded(SPECIMEN, "disease_status_source_value")),
    Case("isRequired", "field_isrequired_specimen_specimen_date", (1, 3), add(SPECIMEN, {"specimen_date": None}),
         {"field_measurevaluecompleteness_specimen_specimen_date": (1, 3)}, {9}),
    Case("measureValueCompleteness", "field_measurevaluecompleteness_note_note_text", (2, 4),
         add("note", {"note_text": None}, {"note_text": None}), {"field_isrequired_note_note_text": (2, 4)}, {9, 10}),
    Case("cdmDatatype", "field_cdmdatatype_episode_episode_number", (1, 2), retyped("episode", "episode_number", ["첫째", None]), keys={1}),
    Case("isPrimaryKey", "field_isprimarykey_specimen_specimen_id", (2, 3), add(SPECIMEN, {"specimen_id": 1}), keys={1}),
    Case("isForeignKey", "field_isforeignkey_specimen_person_id", (1, 3), add(SPECIMEN, {"person_id": 99}), keys={9}),
    Case("isForeignKey", "field_isforeignkey_specimen_anatomic_site_concept_id", (2, 4),
         add(SPECIMEN, {"anatomic_site_concept_id": 77}, {"anatomic_site_concept_id": 78}), keys={9, 10}, title="of a concept"),
    Case("fkDomain", "field_fkdomain_procedure_occurrence_procedure_concept_id", (1, 4),
         add("procedure_occurrence", {"procedure_concept_id": clean.OTHER_DOMAIN}, {"procedure_concept_id": 0}),
         {"field_standardconceptrecordcompleteness_procedure_occurrence_procedure_concept_id": (1, 4),
          "field_sourcevaluecompleteness_procedure_occurrence_procedure_source_value": (1, 2)}, {9}),
    Case("fkClass", "field_fkclass_drug_era_drug_concept_id", (1, 3),
         add("drug_era", {"drug_concept_id": _OUT["Drug", "Clinical Finding"]}), keys={9}),
    Case("isStandardValidConcept", "field_isstandardvalidconcept_condition_occurrence_condition_concept_id", (1, 3),
         add(CONDITION, {"condition_concept_id": clean.WITHDRAWN}), keys={9}),
    Case("standardConceptRecordCompleteness", "field_standardconceptrecordcompleteness_measurement_unit_concept_id", (2, 3),
         add(MEASUREMENT, {"unit_concept_id": 0}, {"unit_concept_id": None}), keys={9, 10}),
    Case("sourceConceptRecordCompleteness", "field_sourceconceptrecordcompleteness_condition_occurrence_condition_source_concept_id",
         (1, 2), add(CONDITION, {"condition_source_concept_id": 0}, {"condition_source_concept_id": None}), keys={9}),
    Case("sourceValueCompleteness", "field_sourcevaluecompleteness_condition_occurrence_condition_source_value", (1, 3),
         add(CONDITION, {"condition_concept_id": 0, "condition_source_value": "당뇨"},
             *({"condition_source_value": "가나"} for _ in range(19)))),
    Case("plausibleValueLow", "field_plausiblevaluelow_specimen_quantity", (1, 3), add(SPECIMEN, {"quantity": 0.5}, {"quantity": 1.0}), keys={9}),
    Case("plausibleValueLow", "field_plausiblevaluelow_note_note_datetime", (1, 2),
         add("note", {"note_datetime": datetime.fromisoformat("1949-12-31"), "person_id": 3}),
         {"field_plausibleafterbirth_note_note_datetime": (1, 2), "field_plausibletemporalafter_note_note_datetime": (1, 3)},
         {9}, title="of a time"),
    Case("plausibleValueHigh", "field_plausiblevaluehigh_drug_exposure_refills", (1, 3), add("drug_exposure", {"refills": 25}, {"refills": 24}), keys={9}),
    Case("plausibleValueHigh", "field_plausiblevaluehigh_person_year_of_birth", (1, 5),
         add("person", {"year_of_birth": 2028, "birth_datetime": None}, {"year_of_birth": 2027, "birth_datetime": None}),
         {"table_measurepersoncompleteness_observation_period": (2, 5)}, title="of a year"),
    Case("plausibleTemporalAfter", "field_plausibletemporalafter_specimen_specimen_date", (1, 3),
         add(SPECIMEN, {"person_id": 3, "specimen_date": date(1980, 5, 31)}), keys={9}),
    Case("plausibleTemporalAfter", "field_plausibletemporalafter_condition_era_condition_era_end_date", (1, 3),
         add("condition_era", {"condition_era_end_date": date(2020, 2, 29)}),
         {"field_plausiblestartbeforeend_condition_era_condition_era_start_date": (1, 3)}, {9}, title="of one row"),
    Case("plausibleAfterBirth", "field_plausibleafterbirth_specimen_specimen_date", (1, 3),
         add(SPECIMEN, {"person_id": 2, "specimen_date": date(1980, 8, 31)}), keys={9}),
    Case("plausibleBeforeDeath", "field_plausiblebeforedeath_specimen_specimen_date", (1, 3),
         add(SPECIMEN, {"person_id": 2, "specimen_date": date(2020, 8, 1)}, {"person_id": 2, "specimen_date": date(2020, 7, 31)}), keys={9}),
    Case("plausibleDuringLife", "field_plausibleduringlife_procedure_occurrence_procedure_datetime", (1, 2),
         add("procedure_occurrence", {"person_id": 2, "procedure_datetime": datetime.fromisoformat("2020-08-01"), "procedure_end_datetime": None}),
         {"field_plausiblebeforedeath_procedure_occurrence_procedure_datetime": (1, 1)}, {9}),
    Case("withinVisitDates", "field_withinvisitdates_note_note_date", (2, 4),
         add("note", {"note_date": date(2020, 3, 9)}, {"note_date": date(2020, 2, 22)}, {"note_date": date(2020, 3, 8)},
             {"visit_occurrence_id": None, "note_date": date(2020, 3, 20)}), keys={9, 10}),
    Case("plausibleStartBeforeEnd", "field_plausiblestartbeforeend_dose_era_dose_era_start_date", (1, 3),
         add("dose_era", {"dose_era_end_date": date(2020, 2, 29)}), keys={9}),
    Case("plausibleGender", "concept_plausiblegender_condition_occurrence_condition_concept_id_26662", (1, 2),
         add(CONDITION, {"condition_concept_id": clean.TESTICULAR, "person_id": 2}, {"condition_concept_id": clean.TESTICULAR}), keys={9}),
    Case("plausibleGenderUseDescendants",
         "concept_plausiblegenderusedescendants_condition_occurrence_condition_concept_id_"
         "4095793,443343,4024004,4172857,444094,197810,4158481", (1, 2),
         add(CONDITION, {"condition_concept_id": ECLAMPSIA}, {"condition_concept_id": ECLAMPSIA, "person_id": 2}),
         {"dure_sexspecificdisease_condition_occurrence_condition_concept_id_female": (1, 2)}, {9}),
    Case("plausibleUnitConceptIds", "concept_plausibleunitconceptids_measurement_measurement_concept_id_3000963", (1, 3),
         add(MEASUREMENT, *({"measurement_concept_id": clean.HAEMOGLOBIN, "unit_concept_id": unit, "value_as_number": None}
                            for unit in (clean.LITRE, clean.GRAM_PER_DECILITRE, None, 0))),
         {"field_standardconceptrecordcompleteness_measurement_unit_concept_id": (2, 5)}, {9}),
    Case("measurePersonCompleteness", "table_measurepersoncompleteness_observation_period", (1, 3),
         without("observation_period", place=2), keys={3}),
    Case("measureConditionEraCompleteness", "table_measureconditioneracompleteness_condition_era", (1, 3),
         add(CONDITION, {"person_id": 3}), keys={3}),
    Case("measureObservationPeriodOverlap", "table_measureobservationperiodoverlap_observation_period", (1, 3),
         add("observation_period", {"observation_period_start_date": date(2020, 3, 2), "observation_period_end_date": date(2020, 3, 4)},
             {"observation_period_start_date": date(2020, 3, 6), "observation_period_end_date": date(2020, 3, 7)}), keys={1}),
]  # fmt: skip
OWN = [
    Case("reconciliation", "dure_reconciliation", (1, 3), nothing, reports=unbalanced),
    Case("accountedRows", "dure_accountedrows_specimen", (1, 3), nothing, reports=accounted(specimen=3, note=2)),
    Case("bigintDatatype", "dure_bigintdatatype_episode_event_event_id", (1, 2), retyped("episode_event", "event_id", ["1", "첫째"])),
    Case("uniqueKey", "dure_uniquekey_death_person_id", (2, 2), add("death", {"person_id": 2, "death_date": date(2020, 6, 2)}), keys={2}),
    Case("idRange", "dure_idrange_specimen_specimen_id", (2, 4), add(SPECIMEN, {"specimen_id": 0}, {"specimen_id": -5}), keys={0, -5}),
    Case("idRange", "dure_idrange_provider_provider_id", (1, 4), add("provider", {"provider_id": 2**53}, {"provider_id": 2**53 - 1}),
         keys={2**53}, title="of readers with doubles"),
    Case("movedRecord", "dure_movedrecord_specimen_specimen_id", (1, 2), add(SPECIMEN, {}), keys={1}, before=was_of(SPECIMEN, person_id=3)),
    Case("changedId", "dure_changedid_care_site_care_site_id", (1, 1), add("care_site", {"care_site_source_value": "새로운"}), keys={1},
         before=was_of("care_site", care_site_id=7)),
    Case("residentNumber", "dure_residentnumber_note_note_text", (5, 11),
         add("note", *({"note_text": text} for text in (
             "번호 880612-1234567 임", "8806121234567", "880612 9234567.", "８８０６１２－１２３４５６７", "첫 줄\n040229-3123456\n끝",
             "880631-1234567", "1880612-1234567", "880612-12345678", "8806090123450"))), keys={9, 10, 11, 12, 13}),
    Case("coverageRecords", "dure_coveragerecords_condition", (30, 100), nothing,
         reports=coded(("A00", "mapped", 70), ("B00", "wider", 10), ("C00", "unmapped", 20)), twins={"dure_coveragecodes_condition": (2, 3)}),
    Case("coverageCodes", "dure_coveragecodes_condition", (2, 3), nothing,
         reports=coded(("A00", "mapped", 98), ("B00", "invalid", 1), ("C00", "unmapped", 1))),
    Case("remappedCodes", "dure_remappedcodes", (1, 3), nothing,
         reports=lambda reports: resolved(reports, {"A00": 1, "B00": 3, "C00": 4, "Y00": 5}), before=remapped),
    Case("driftRows", "dure_driftrows_specimen", (1, 1), nothing, before=was(rows={"specimen": 100, "note": 3})),
    Case("driftConcepts", "dure_driftconcepts_specimen_specimen_concept_id", (1, 2),
         add(SPECIMEN, *({} for _ in range(98))),
         before=was(concepts={"specimen.specimen_concept_id": {_OUT["Metadata", "Clinical Finding"]: 50, 77: 50}})),
    Case("driftUnits", "dure_driftunits_measurement_measurement_concept_id", (1, 1), values([1.0] * 20),
         before=was(units={"measurement.measurement_concept_id": {clean.HAEMOGLOBIN: {clean.LITRE: 20, clean.GRAM_PER_DECILITRE: 19}}})),
    Case("driftValues", "dure_driftvalues_measurement_measurement_concept_id", (1, 1), values([12.0, 13.0, 14.0] * 7),
         before=was(medians={"measurement.measurement_concept_id": {
             f"{clean.HAEMOGLOBIN} {clean.GRAM_PER_DECILITRE}": Median(rows=21, median=130.0, distance=10.0)}})),
    Case("driftNulls", "dure_driftnulls_specimen", (1, 2), add(SPECIMEN, *({"quantity": None} for _ in range(98))),
         before=was(rows={"specimen": 100}, nulls={"specimen": {"quantity": 0, "specimen_date": 0}})),
    Case("kcdValidOnDate", "dure_kcdvalidondate_condition_occurrence_condition_source_concept_id", (2, 3),
         add(CONDITION, {"condition_start_date": date(2010, 12, 31)}, {"condition_start_date": date(2026, 1, 1)}),
         {"field_withinvisitdates_condition_occurrence_condition_start_date": (2, 3),
          "field_plausiblestartbeforeend_condition_occurrence_condition_start_date": (1, 3),
          "field_plausibletemporalafter_condition_occurrence_condition_end_date": (1, 4)}, {9, 10}),
    Case("inpatientWithoutDiagnosis", "dure_inpatientwithoutdiagnosis_visit_occurrence_visit_concept_id", (1, 2),
         together(add("visit_occurrence", {"visit_concept_id": clean.INPATIENT}, {"visit_concept_id": clean.INPATIENT}),
                  add(CONDITION, {"visit_occurrence_id": 10})), keys={9}),
    Case("sexSpecificDisease", "dure_sexspecificdisease_observation_observation_concept_id_female", (1, 2),
         add("observation", {"observation_concept_id": ECLAMPSIA}, {"observation_concept_id": ECLAMPSIA, "person_id": 2}), keys={9}),
    Case("oneUnit", "dure_oneunit_measurement_measurement_concept_id", (1, 17),
         together(values([1.0] * 15), values([1.0], unit_concept_id=clean.GRAM_PER_LITRE, measurement_id=90)), keys={90}),
    Case("outliers", "dure_outliers_measurement_value_as_number", (1, 31), values([12.0, 13.0, 14.0] * 10 + [1300.0, None]), keys={39}),
    Case("monthlyBreaks", "dure_monthlybreaks_note_note_date", (1, 13),
         months({f"2019-{m:02}": 50 for m in range(1, 13)} | {"2019-06": 0, "2020-01": 50, "2020-02": 50})),
]  # fmt: skip
CASES = DQD + OWN


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    with engine(EngineOptions(threads=2)) as running:
        yield clean_snapshot(running.session, tmp_path_factory.mktemp("clean"))


def bad(results: list[Result]) -> dict[str, Any]:
    """The checks that failed or erred, with their counts or the cause."""
    return {
        r.check.id: (r.violated, r.denominator) if r.status is Status.FAILED else r.reason
        for r in results
        if r.status in (Status.FAILED, Status.ERROR)
    }


def test_the_clean_snapshot_passes(small: Clean) -> None:
    assert bad(small.results()) == {}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_planted_defect(small: Clean, tmp_path: Path, case: Case) -> None:
    check = next(each for each in catalogue() if each.id == case.check)
    assert check.type.name == case.type
    reports, before = tmp_path / "reports", None
    reports.mkdir()
    if case.reports:
        case.reports(reports)
    if case.before:
        (tmp_path / "before" / "reports").mkdir(parents=True)
        profile = case.before(tmp_path / "before" / "cdm")
        before = Before(BEFORE, tmp_path / "before" / "cdm", tmp_path / "before" / "reports", profile)
    results, snapshot = small.plant(case.defect, before=before, reports=reports, also=frozenset({check.table}))
    assert bad(results) == {case.check: case.counts, **case.twins}
    if case.keys is not None:
        found = failing_keys(snapshot, check.table, [check])
        assert found is not None
        assert {row["key"] for row in found.collect()} == case.keys
    sql = explain(case.check).sql
    if sql and snapshot.path(check.table) is not None:
        assert len(database(snapshot).execute(sql).fetchall()) == case.counts[0]


def database(snapshot: clean.Overlaid) -> duckdb.DuckDBPyConnection:
    """The snapshot as a database, for the SQL that --explain prints."""
    connection = duckdb.connect()
    for name in (*clean.clean_rows(), "concept", "concept_ancestor", "drug_strength", "vocabulary", "domain"):
        path = snapshot.store.path(name) if name == "concept_ancestor" else snapshot.path(name)
        if path is not None:
            files = path if path.is_file() else path / "*.parquet"
            connection.execute(f"create view {name} as select * from read_parquet('{files}')")
    return connection


def test_every_type_has_a_case() -> None:
    assert {case.type for case in CASES} == {*dqd_types(), *own_types()}


def test_nothing_drifted_from_itself(small: Clean) -> None:
    tables = frozenset({"person", "provider", "condition_occurrence", "measurement", "care_site", "visit_occurrence"})
    _, snapshot = small.plant(nothing, also=tables)
    before = Before(BEFORE, small.folder, small.folder, snapshot.profile)
    results, _ = small.plant(nothing, before=before, also=tables)
    assert bad(results) == {}
    drift = {r.check.type.name for r in results if r.check.type.name in COMPARED and r.status is Status.PASSED}
    assert drift == {"driftRows", "driftConcepts", "driftNulls", "movedRecord", "changedId"}


def test_a_first_snapshot_has_nothing_to_drift_from(small: Clean) -> None:
    ends = {r.status for r in small.results() if r.check.type.name in COMPARED}
    assert ends == {Status.NOT_APPLICABLE}


def test_at_most_three_actions_a_table(small: Clean, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through Great Expectations, with every check of the table; one more where distributions are asked for."""
    actions = 0
    execute = SparkConnectClient._execute_and_fetch_as_iterator

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal actions
        actions += 1
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(SparkConnectClient, "_execute_and_fetch_as_iterator", counted)
    by_table: dict[str, int] = {}
    tables = {
        "person",
        "death",
        "visit_occurrence",
        "condition_occurrence",
        "measurement",
        "observation_period",
        "snapshot",
    }
    before = Before(BEFORE, small.folder, small.folder, Profile())
    snapshot = clean.CheckedSnapshot(small.session, small.folder, small.store, clean.TODAY, before=before)
    checks = [check for check in catalogue() if check.table in tables]
    results = validate(snapshot, checks, lambda table, _: by_table.update({table: actions - sum(by_table.values())}))
    assert bad(results) == {}
    assert by_table == {
        "condition_occurrence": 3,
        "death": 3,
        "measurement": 4,
        "observation_period": 3,
        "person": 3,
        "snapshot": 0,
        "visit_occurrence": 3,
    }
