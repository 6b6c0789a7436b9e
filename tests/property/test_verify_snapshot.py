"""A second opinion on a hospital's snapshot: equal where nothing was touched, and every planted difference in its place."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from delta_hospital import Hospital, run_night

from dure.cli import main
from dure.engine import Engine, EngineOptions, engine
from dure.errors import ConfigurationError, SiteLockedError
from dure.progress import Progress, SilentProgress
from dure.run.delta.basis import FOLDER as BASIS
from dure.run.delta.ties import Unprovable
from dure.run.verify import VerifyOptions, made_of, recompute, verify_site
from dure.run.verify.opinion import Opinion
from dure.run.verify.recompute import Drawn, Everybody, Ground, draw
from dure.run.verify.two_tables import TableCompared
from dure.snapshot.lake import Lake, SiteLake
from dure.snapshot.lock import held
from dure.snapshot.manifest import MANIFEST, measure_tables, read_manifest, snapshot_digest
from dure.vocab.load import load_athena

pytestmark = pytest.mark.together
NOW = datetime(2026, 3, 16, 4, tzinfo=UTC)
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as started:
        yield started


@pytest.fixture(scope="module")
def built(running: Engine, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose latest snapshot of 밤병원 is a delta; only to be read."""
    folder = tmp_path_factory.mktemp("밤")
    vocabulary = load_athena(repository / "tests/scenarios/vocabulary", tmp_path_factory.mktemp("stores")).folder
    hospital = Hospital.drawn(11, 60)
    for _ in range(3):
        hospital.add_family()
    hospital.opt_out()
    for more in (False, True):
        if more:
            hospital.add_visit()
        hospital.write(folder)
        run_night(folder, hospital, running, vocabulary)
    assert read_manifest(own(folder).latest()).delta
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "밤", symlinks=True)
    return tmp_path / "밤"


def verified(folder: Path, running: Engine, **asked: object) -> Opinion:
    options = VerifyOptions("night", folder / "lake", (folder / "sites",), **asked)  # type: ignore[arg-type]
    return verify_site(
        replace(options, engine=EngineOptions("sail")), SilentProgress(), lambda _: nullcontext(running), lambda: NOW
    )


def refused(folder: Path, **asked: object) -> str:
    def none(_: EngineOptions) -> nullcontext[Engine]:
        raise AssertionError("an engine was started")

    options = VerifyOptions("night", folder / "lake", (folder / "sites",), **asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as error:
        verify_site(options, SilentProgress(), none, lambda: NOW)
    return str(error.value)


def own(folder: Path) -> SiteLake:
    return Lake(folder / "lake").site("night")


def change(folder: Path, table: str, how: Change) -> None:
    """Changes a table of the snapshot as if it had been built so: its manifest lists what is there."""
    snapshot = own(folder).latest()
    files = sorted((snapshot / table).glob("*.parquet"))
    rows = pa.concat_tables([pq.read_table(file) for file in files])
    for file in files[1:]:
        file.unlink()
    pq.write_table(how(rows), files[0])
    tables = measure_tables(snapshot)
    manifest = read_manifest(snapshot).model_copy(update={"tables": tables, "digest": snapshot_digest(tables)})
    (snapshot / MANIFEST).write_bytes(manifest.as_json())


def with_cell(rows: pa.Table, column: str, at: int, value: object) -> pa.Table:
    cells = rows[column].to_pylist()
    cells[at] = value
    return rows.set_column(
        rows.schema.get_field_index(column), rows.schema.field(column), pa.array(cells, rows[column].type)
    )


def again_as(rows: pa.Table, at: int, key: str, value: int) -> pa.Table:
    """One row more: one of those there, under another id."""
    return pa.concat_tables([rows, with_cell(rows.slice(at, 1), key, 0, value)])


def told(opinion: Opinion) -> dict[str, tuple[int, int, int, dict[str, int]]]:
    """Table -> rows only in the snapshot, only recomputed, changed, cells by column; for tables that differ."""
    return {t.table: (t.only_snapshot, t.only_recomputed, t.changed, t.columns) for t in opinion.tables if not t.equal}


# ---------------------------------------------------------------- equal


def test_everybody_is_equal_and_the_report_says_so(copy: Path, running: Engine) -> None:
    opinion = verified(copy, running, sample=1)
    manifest = read_manifest(own(copy).latest())
    assert (opinion.equal, opinion.persons, opinion.not_compared) == (True, None, ())
    assert {t.table: t.rows for t in opinion.tables} == {name: t.rows for name, t in manifest.tables.items()}
    assert opinion.report is not None and opinion.report.parent == own(copy).reports(manifest.snapshot)
    report = json.loads(opinion.report.read_bytes())
    assert (report["equal"], report["everybody"], report["made_by"]) == (True, "--sample 1", opinion.verified_by)
    with opinion.report.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        counted = {row["table"]: int(row["count"]) for row in csv.DictReader(file) if row["what"] == "rows recomputed"}
    assert counted == {name: t.rows for name, t in manifest.tables.items()}
    assert list((copy / "lake/work/night").iterdir()) == []


def test_a_sample_is_a_part_and_equal_and_no_run_waits_for_it(copy: Path, running: Engine) -> None:
    left = copy / "lake/work/night/verify-20260101T000000Z"
    left.mkdir(parents=True)
    (left / "rows").write_text("a killed one left this")
    with own(copy).lock():
        opinion = verified(copy, running, sample=0.1)
    assert list(left.parent.iterdir()) == []
    assert opinion.report is not None
    assert opinion.report.stat().st_mode & 0o077 == 0
    assert opinion.report.name == "verify-20260316T040000Z.json"
    manifest = read_manifest(own(copy).latest())
    rows = {t.table: t.rows for t in opinion.tables}
    assert opinion.equal
    assert opinion.everybody == ""
    assert 0 < rows["person"] < manifest.tables["person"].rows / 2
    assert 0 < rows["measurement"] < manifest.tables["measurement"].rows
    # What belongs to no person is compared whole.
    whole = ("location", "care_site", "source_to_concept_map", "metadata", "cdm_source")
    assert {name: rows[name] for name in whole} == {name: manifest.tables[name].rows for name in whole}


def test_a_sample_is_the_same_each_time_and_another_for_another_seed(built: Path) -> None:
    ground = ground_of(built)
    first, again, other = (draw(ground, 0.1, seed) for seed in (0, 0, 1))
    more = draw(ground, 0.3, 0)

    def places(drawn: Drawn) -> set[tuple[object, ...]]:
        chosen = drawn.closure.chosen
        return {(name, *at, row) for name, rows in chosen.items() for at, found in rows.items() for row in found}

    assert places(first) == places(again) != places(other)
    assert places(first) < places(more)


def ground_of(folder: Path) -> Ground:
    options = VerifyOptions("night", folder / "lake", (folder / "sites",))
    snapshot = made_of.standing_of(own(folder), options)
    site = made_of.site_of(options, snapshot)
    store = made_of.store_of(options, snapshot, Lake(folder / "lake"), SilentProgress())
    return Ground(site, store, snapshot.landing, {}, snapshot.manifest.as_of, "")


def test_a_sample_of_nobody_grows_until_there_is_somebody(built: Path) -> None:
    assert draw(ground_of(built), 1e-9, 0).persons >= 1


def test_everybody_is_taken_where_no_sample_can_be_told(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of(built)
    with pytest.raises(Everybody, match="--sample 1"):
        draw(ground, 1, 0)
    with pytest.raises(Everybody, match="more than 50% of the rows are tied to the sample"):
        draw(ground, 0.9, 0)

    def unprovable(*_: object) -> None:
        raise Unprovable("a view sums rows of all persons")

    monkeypatch.setattr(recompute, "ties_of", unprovable)
    with pytest.raises(Everybody, match="cannot be told apart by person: a view sums rows of all persons"):
        draw(ground, 0.1, 0)


# ---------------------------------------------------------------- planted differences


def test_each_planted_difference_is_found_in_its_place(copy: Path, running: Engine) -> None:
    change(copy, "measurement", lambda rows: with_cell(rows, "value_as_number", 3, 12345.5))
    change(copy, "condition_occurrence", lambda rows: rows.slice(1))
    change(copy, "visit_occurrence", lambda rows: again_as(rows, 0, "visit_occurrence_id", 4711))
    change(copy, "note", lambda rows: rows.slice(0, 0))
    change(copy, "drug_exposure", lambda rows: with_cell(rows, "drug_concept_id", 0, 7654321))
    change(copy, "cost", lambda rows: with_cell(rows, "total_cost", 0, -0.0))
    change(copy, "fact_relationship", lambda rows: with_cell(rows, "relationship_concept_id", 0, 1))
    change(copy, "location", lambda rows: with_cell(rows, "city", 0, "서울특별시 어딘가"))
    notes = read_manifest(own(copy).latest()).tables["note"].rows
    opinion = verified(copy, running, sample=1)
    was = json.loads(json.dumps(told(opinion)))
    assert was == {
        "measurement": [0, 0, 1, {"value_as_number": 1}],
        "condition_occurrence": [0, 1, 0, {}],
        "visit_occurrence": [1, 0, 0, {}],
        "note": [0, was["note"][1], 0, {}],
        "drug_exposure": [0, 0, 1, {"drug_concept_id": 1}],
        "cost": [0, 0, 1, {"total_cost": 1}],
        "fact_relationship": [1, 1, 0, {"relationship_concept_id": 1}],
        "location": [0, 0, 1, {"city": 1}],
    }
    assert was["note"][1] > 0 == notes
    assert not opinion.changed_files
    assert opinion.report is not None
    said = "\n".join(
        [*opinion.lines(), opinion.report.read_text("utf-8"), opinion.report.with_suffix(".csv").read_text()]
    )
    for value in ("12345.5", "7654321", "4711", "서울특별시", "P00001", *_ids(copy)):
        assert value not in said
    assert "measurement: 1 rows that differ; by column: value_as_number 1" in said


def _ids(folder: Path) -> list[str]:
    rows = pq.read_table(own(folder).latest() / "person", columns=["person_id"])
    return [str(n) for n in rows["person_id"].to_pylist()]


def test_a_sample_finds_what_its_persons_rows_lost_and_gained(copy: Path, running: Engine) -> None:
    ground = ground_of(copy)
    snapshot = own(copy).latest()
    drawn = draw(ground, 0.3, 0)
    keys = drawn.closure.parts["patient"].take(drawn.closure.chosen["patient"], ["환자번호"])
    names = pa.concat_tables(list(keys))["환자번호"]
    persons = pq.read_table(snapshot / "person")
    inside = pc.is_in(persons["person_source_value"], value_set=names.combine_chunks())
    chosen = persons.filter(inside)["person_id"].combine_chunks()

    def of_chosen(rows: pa.Table) -> pa.Array:
        return pc.is_in(rows["person_id"], value_set=chosen)

    lost = pc.sum(of_chosen(pq.read_table(snapshot / "measurement"))).as_py()
    change(copy, "measurement", lambda rows: rows.filter(pc.invert(of_chosen(rows))))
    change(copy, "person", lambda rows: rows.filter(pc.invert(pc.equal(rows["person_id"], chosen[0]))))
    # Nobody drawn: not seen, and that is what a sample is.
    outside = pc.index(of_chosen(pq.read_table(snapshot / "visit_occurrence")), False).as_py()
    change(copy, "visit_occurrence", lambda rows: with_cell(rows, "visit_concept_id", outside, 1))
    opinion = verified(copy, running, sample=0.3)
    assert lost > 0
    assert told(opinion) == {"measurement": (0, lost, 0, {}), "person": (0, 1, 0, {})}


@pytest.mark.slow
def test_a_file_that_rotted_on_the_disk_is_told_twice(copy: Path, running: Engine) -> None:
    shutil.rmtree(own(copy).landing(own(copy).latest().name) / BASIS)
    file = next((own(copy).latest() / "person").glob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[4:300] = b"\xff" * 296
    file.write_bytes(content)
    opinion = verified(copy, running, sample=0.05)
    assert opinion.changed_files == (f"person/{file.name}",)
    assert [(t.table, t.unreadable) for t in opinion.tables if not t.equal] == [("person", (file.name,))]
    # A landing of an older version does not tell all codes.
    assert opinion.not_compared == ("source_to_concept_map",)
    assert "not compared: source_to_concept_map" in "\n".join(opinion.lines())


def test_a_landed_file_that_rotted_is_named(copy: Path, running: Engine) -> None:
    file = next((own(copy).landing(own(copy).latest().name) / "lab").glob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[4:200] = b"\xff" * 196
    file.unlink()  # the night before may share it
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"landing/lab/{file.name}: this landed file has changed") as error:
        verified(copy, running, sample=1)
    assert "restore the landing from a backup" in str(error.value)


# ---------------------------------------------------------------- refused


def test_a_site_folder_that_changed_is_refused_with_what_differs(copy: Path) -> None:
    site = copy / "sites/night"
    (site / "site.yaml").write_text((site / "site.yaml").read_text("utf-8") + "\n# 고침\n", "utf-8")
    (site / "views/lab_named.sql").write_text(
        (site / "views/lab_named.sql").read_text("utf-8") + "\n-- 고침\n", "utf-8"
    )
    said = refused(copy)
    assert "site/site.yaml: has changed since the snapshot was made" in said
    assert "site/views/lab_named.sql: has changed since the snapshot was made" in said
    assert "maps/lab.csv" not in said


def test_what_is_gone_is_named(copy: Path) -> None:
    snapshot = own(copy).latest().name
    assert "has no 20200101T000000Z" in refused(copy, snapshot="20200101T000000Z")
    shutil.rmtree(own(copy).landing(snapshot) / "lab")
    assert "the landed rows of lab are gone" in refused(copy)
    shutil.rmtree(own(copy).landing(snapshot))
    said = refused(copy, snapshot=snapshot)
    assert f"it is gone, and with them all that snapshot {snapshot}" in said


def test_a_vocabulary_that_is_gone_or_another_is_refused(copy: Path, repository: Path, tmp_path: Path) -> None:
    manifest = read_manifest(own(copy).latest())
    gone = manifest.vocabulary.model_copy(update={"folder": str(tmp_path / "없음")})
    changed = manifest.model_copy(update={"vocabulary": gone})
    (own(copy).latest() / MANIFEST).write_bytes(changed.as_json())
    assert "the vocabulary store that made the snapshot is not there" in refused(copy)
    assert "is not what made the snapshot" in refused(copy, vocab=repository / "tests/data/vocabulary")


@pytest.mark.parametrize("gone", ["cdm", "landing"])
def test_a_snapshot_that_is_pruned_meanwhile_is_an_error_that_says_so(copy: Path, running: Engine, gone: str) -> None:
    area = copy / "lake" / gone / "night"

    class Prunes(SilentProgress):
        def stage(self, name: str) -> None:
            if name == "draw":
                snapshot = own(copy).latest().name
                (area / snapshot).rename(area / f".pruned-{snapshot}")

    options = VerifyOptions("night", copy / "lake", (copy / "sites",), sample=0.05, engine=EngineOptions("sail"))
    with pytest.raises(ConfigurationError, match="was removed or changed while it was verified"):
        verify_site(options, Prunes(), lambda _: nullcontext(running), lambda: NOW)
    assert list((copy / "lake/work/night").iterdir()) == []
    assert not list((copy / "lake/reports/night").glob("*/verify-*"))


# ---------------------------------------------------------------- beside others


def test_one_verification_of_a_site_at_a_time(copy: Path, running: Engine) -> None:
    with held(own(copy).folder / "verifying", "night"), pytest.raises(SiteLockedError):
        verified(copy, running)


# ---------------------------------------------------------------- the engine and the command


@pytest.mark.parametrize(
    ("used", "java", "asked", "chosen"),
    [
        ("sail", 21, "", "spark"),
        ("sail", 11, "", "sail"),
        ("sail", None, "", "sail"),
        ("spark", 21, "", "sail"),
        ("sc://cluster:15002", 21, "", "sail"),
        ("sail", 21, "sail", "sail"),
        ("spark", None, "spark", "spark"),
    ],
)
def test_another_engine_is_chosen_where_there_is_one(
    built: Path, monkeypatch: pytest.MonkeyPatch, used: str, java: int | None, asked: str, chosen: str
) -> None:
    manifest = read_manifest(own(built).latest())
    manifest = manifest.model_copy(update={"engine": manifest.engine.model_copy(update={"name": used})})
    monkeypatch.setattr(made_of, "java_version", lambda: java)
    found, notes = made_of.engine_of(EngineOptions(asked, threads=3), manifest)
    assert (found.name, found.threads) == (chosen, 3)
    assert [note for note in notes if "same mistake" in note] == notes
    assert bool(notes) == (chosen == used)


def test_the_command_ends_with_1_where_both_differ(
    built: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[VerifyOptions] = []
    opinion = Opinion(
        site="night", snapshot="20260315T023000Z", made_by="sail 0.7.2", verified_by="spark 4.1.4", dure_version="1",
        sample=1, seed=0, everybody="--sample 1", persons=None, landed_rows=None, changed_files=(),
        tables=(TableCompared("person", 60, 60, changed=1, columns={"gender_source_value": 1}),), not_compared=(), notes=(),
    )  # fmt: skip

    def verify(options: VerifyOptions, progress: Progress) -> Opinion:
        asked.append(options)
        return opinion

    monkeypatch.setattr("dure.run.verify.verify_site", verify)
    # Who makes snapshots with Spark writes so in dure.yaml or the environment; that is not the second engine.
    monkeypatch.setenv("DURE_ENGINE", "spark")
    monkeypatch.chdir(built)
    arguments = ["verify", "night", "--lake", "lake", "--sites", "sites"]
    assert main([*arguments, "--log-format", "json"]) == 1
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "different: 1 of 1 tables; 60 rows of everybody, sail 0.7.2 against spark 4.1.4",
        "  person: 1 rows that differ; by column: gender_source_value 1",
    ]
    ended = json.loads(err.splitlines()[-1])
    assert (ended["event"], ended["equal"]) == ("ended", "false")
    assert main([*arguments, "--sample", "1", "--engine", "sail", "--seed", "7", "--threads", "3", "--quiet"]) == 1
    assert capfd.readouterr().out == ""
    assert [(one.engine.name, one.engine.threads, one.sample, one.seed) for one in asked] == [
        ("", None, 0.01, 0),
        ("sail", 3, 1.0, 7),
    ]
    opinion = replace(opinion, tables=())
    assert main(arguments) == 0
    capfd.readouterr()
    assert main([*arguments, "--latest", "--snapshot", "20260101T000000Z", "--quiet"]) == 2
    assert "write one of them" in capfd.readouterr().err
    assert main([*arguments, "--sample", "0"]) == 2


@pytest.mark.spark
@pytest.mark.slow
def test_spark_gives_the_same_rows(copy: Path) -> None:
    options = VerifyOptions("night", copy / "lake", (copy / "sites",), sample=1)
    opinion = verify_site(options, SilentProgress(), clock=lambda: NOW)
    assert told(opinion) == {}
    assert (opinion.made_by.split()[0], opinion.verified_by.split()[0]) == ("sail", "spark")
