"""Packages that come in: filed whole with their summary, recognised when they come again, and in order."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sent_packages import (
    HYPERTENSION,
    MMOL,
    NOW,
    PERSONS,
    SODIUM,
    Center,
    Sender,
    kept,
    no_engine,
    person_id,
    rows,
    said,
)

from dure.center.receive.purge import damaged
from dure.center.receive.receive import ReceiveOptions, receive_packages
from dure.center.store import CenterStore
from dure.cli import main
from dure.errors import SiteLockedError
from dure.progress import SilentProgress
from dure.publish.keygen import make_keys
from dure.publish.package import write_archive, write_folder
from dure.publish.signing import recipient_of


def sent(sender: Sender, form: str, folder: Path, recipient: Path | None = None, sequence: int = 1) -> Path:
    package = sender.package(sender.copy("copy"), sequence)
    if form == "folder":
        return write_folder(package, folder)
    work = folder / "work"
    work.mkdir(parents=True)
    to = recipient_of(recipient) if recipient else None
    return write_archive(package, folder / f"바다병원 {sequence}.{'dure' if to else 'tar'}", work, to)


@pytest.mark.parametrize("form", ["folder", "archive", "encrypted"])
def test_a_package_is_filed_whole_in_each_form(center: Center, bada: Sender, tmp_path: Path, form: str) -> None:
    make_keys(tmp_path / "keys", "center")
    public = tmp_path / "keys/center.pub" if form == "encrypted" else None
    package = sent(bada, form, tmp_path / "받은 것", public)
    center.identity = tmp_path / "keys/center.key" if public else None
    [result] = center.receive(package)
    assert (result.outcome, result.site, result.sequence, result.exit_code) == ("received", "bada", 1, 0), said(result)
    delivery = center.store / "deliveries/bada/000001"
    assert result.place == delivery
    copied = bada.copy("copy")
    for file in copied.rglob("*.parquet"):
        assert (delivery / file.relative_to(copied)).read_bytes() == file.read_bytes()
    assert (center.store / "current/bada").read_text() == "000001\n"
    assert damaged(delivery) == []
    receipt = json.loads((delivery / "receipt.json").read_bytes())
    assert (receipt["form"], receipt["recomputed"]) == (form, {"checks": 0, "differ": 0, "seed": 7})
    assert not (center.store / ".incoming").exists()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [center.store, *center.store.rglob("*")]}
    assert modes == {0o600, 0o700}


def test_the_summary_counts_what_the_rows_hold(center: Center, bada: Sender, tmp_path: Path) -> None:
    center.receive(sent(bada, "folder", tmp_path / "in"))
    store = CenterStore(center.store)
    [summary] = store.summaries()
    assert (summary.site, summary.name, summary.consortium, summary.sequence) == ("bada", "바다병원", "korea", 1)
    assert (summary.persons, str(summary.observed_from), str(summary.observed_to)) == (24, "2020-01-01", "2021-12-23")
    assert (summary.received, summary.shifted, summary.score, summary.gate) == (NOW, True, 0.98, "open")
    assert summary.tables["condition_occurrence"] == 48 and summary.checks == {"passed": 1}
    folder = store.summary("bada", 1)
    records = pq.read_table(folder / "records.parquet").to_pylist()
    assert sorted({row["table"] for row in records}) == [
        "condition_occurrence",
        "death",
        "measurement",
        "visit_occurrence",
    ]
    of_2020 = [r for r in records if r["table"] == "condition_occurrence" and r["year"] == 2020]
    assert [(r["concept_id"], r["records"], r["persons"]) for r in of_2020] == [(0, 12, 12), (HYPERTENSION, 12, 12)]
    values = pq.read_table(folder / "values.parquet").to_pylist()
    assert [(v["concept_id"], v["unit_concept_id"], v["records"], v["persons"], v["numeric"]) for v in values] == [
        (SODIUM, None, PERSONS, PERSONS, 0),
        (SODIUM, MMOL, 2 * PERSONS, PERSONS, 2 * PERSONS),
    ]
    assert (values[0]["mean"], values[1]["mean"], values[1]["p50"]) == (None, 141.5, 141.5)
    persons = pq.read_table(folder / "persons.parquet").to_pylist()
    assert [(p["sex_concept_id"], p["birth_decade"], p["persons"]) for p in persons] == [
        (8507, 1950, 5),
        (8507, 1960, 5),
        (8507, 1970, 2),
        (8532, 1950, 5),
        (8532, 1960, 5),
        (8532, 1970, 2),
    ]
    assert pq.read_table(folder / "codes.parquet")["code"].to_pylist() == ["I10"]


def test_the_same_delivery_again_is_recognised(center: Center, bada: Sender, tmp_path: Path) -> None:
    package = sent(bada, "archive", tmp_path / "in")
    center.receive(package)
    before = kept(center.store)
    [again] = center.receive(package)
    assert (again.outcome, again.exit_code, again.place) == (
        "already here",
        0,
        center.store / "deliveries/bada/000001",
    )
    assert kept(center.store) == before


def test_an_older_delivery_never_replaces_a_newer_one(center: Center, bada: Sender, tmp_path: Path) -> None:
    first, second = (sent(bada, "folder", tmp_path / str(n), sequence=n) for n in (1, 2))
    assert [each.outcome for each in center.receive(first, second)] == ["received", "received"]
    result = center.refused(first)
    assert "sequence: is 1, and delivery 2 is here already" in said(result)
    assert CenterStore(center.store).current() == {"bada": 2}
    assert [each.sequence for each in CenterStore(center.store).history("bada")] == [1, 2]


def test_another_content_under_the_same_number_is_refused(center: Center, bada: Sender, tmp_path: Path) -> None:
    center.receive(sent(bada, "folder", tmp_path / "in"))
    fewer = bada.copy("fewer", rows(range(20)))
    other = write_folder(bada.package(fewer), tmp_path / "other")
    assert "delivery 1 is here already with another content" in said(center.refused(other))


def test_numbers_that_never_came_are_said(center: Center, bada: Sender, tmp_path: Path) -> None:
    center.receive(sent(bada, "folder", tmp_path / "1"))
    progress = SilentProgress()
    older = bada.package(bada.copy("copy"), 5, change=lambda manifest: manifest.update(as_of="2025-02-01"))
    later = write_folder(older, tmp_path / "5")
    options = ReceiveOptions((later,), center.store, NOW, 7, center.folder / "hospitals.yaml")
    [result] = receive_packages(options, progress, no_engine)
    assert result.outcome == "received"
    assert [problem.found for problem in progress.warned][-2:] == [
        "delivery 5 follows delivery 1: 3 between them never came",
        "delivery 5 is of 2025-02-01, delivery 1 of 2025-03-01",
    ]


def test_one_bad_package_harms_no_other(center: Center, bada: Sender, haneul: Sender, tmp_path: Path) -> None:
    good = sent(bada, "folder", tmp_path / "in")
    bad = tmp_path / "깨진.tar"
    bad.write_bytes(b"not an archive")
    clean = {name: records for name, records in rows().items() if name not in ("concept", "condition_occurrence")}
    other = write_folder(haneul.package(haneul.copy("copy", clean)), tmp_path / "in")
    results = center.receive(good, bad, tmp_path / "none", other)
    assert [each.outcome for each in results] == ["received", "refused", "failed", "received"]
    assert [each.exit_code for each in results] == [0, 1, 2, 0]
    assert [each.site for each in CenterStore(center.store).summaries()] == ["bada", "haneul"]


def test_only_one_command_at_a_time_writes(center: Center, bada: Sender, tmp_path: Path) -> None:
    package = sent(bada, "folder", tmp_path / "in")
    with CenterStore(center.store).lock(), pytest.raises(SiteLockedError, match="another run holds the store"):
        center.receive(package)
    [result] = center.receive(package)
    assert result.outcome == "received"


def test_the_command_prints_a_line_a_package(
    center: Center, bada: Sender, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    package = sent(bada, "folder", tmp_path / "받은 것")
    given = ["center", "receive", str(package), "--store", str(center.store)]
    assert main([*given, "--quiet"]) == 2
    assert "hospitals.yaml: no such file" in capfd.readouterr().err
    registry = str(center.folder / "hospitals.yaml")
    assert main([*given, "--hospitals", registry]) == 0
    out, err = capfd.readouterr()
    assert out.split() == [
        "received",
        "bada",
        "1",
        "223",
        "rows",
        *str(center.store / "deliveries/bada/000001").split(),
    ]
    assert "--vocab: not given, so no check is counted again" in err
    (tmp_path / "x.tar").write_bytes(b"x" * 600)
    code = main([*given[:2], str(tmp_path / "x.tar"), *given[3:], "--hospitals", registry, "--log-format", "json"])
    out, err = capfd.readouterr()
    assert code == 1 and out.startswith("refused       ? ?")
    failed = json.loads(err.splitlines()[-1])
    assert (failed["event"], failed["exit_code"]) == ("failed", 1)
    assert failed["problems"][0]["where"] == "x.tar: manifest.json"


def test_the_report_of_a_refusal_speaks_both_languages(center: Center, bada: Sender, tmp_path: Path) -> None:
    package = sent(bada, "folder", tmp_path / "in")
    (package / "person/part-00000.parquet").write_bytes(b"PAR1")
    result = center.refused(package)
    assert result.place is not None and result.place.name.startswith("bada-20250315T093000Z-")
    report = json.loads((result.place / "report.json").read_bytes())
    assert (report["site"], report["sequence"]) == ("bada", 1)
    [problem] = report["problems"]
    assert (problem["where"], problem["reason"]) == ("person/part-00000.parquet", "another_size")
    assert problem["en"]["found"] == "has another size (4 bytes)"
    assert problem["ko"]["found"] == "크기가 다릅니다(4바이트)"
    text = (result.place / "report.txt").read_text("utf-8")
    assert "접수되지 않은 패키지" in text and "a package that was not received" in text
    assert str(person_id(3)) not in text
    center.refused(package)
    assert len(list((center.store / "quarantine").iterdir())) == 1
