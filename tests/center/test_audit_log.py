"""The log of extracts shows whatever was done to it, and outlives a power cut."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dure.center.extract.audit import AuditBroken, AuditLog, Happened, check_package, check_signatures
from dure.cli import main

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
LINES = 5


def add(store: Path, n: int, key: Ed25519PrivateKey | None = KEY) -> None:
    happened = Happened("attempted", f"{n:064x}", project="당뇨-2026", counts={"persons": 40 + n})
    AuditLog(store).append(happened, NOW, "지킴이", key)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for n in range(LINES):
        add(tmp_path, n)
    return tmp_path


def content(store: Path) -> list[bytes]:
    return (store / "audit.jsonl").read_bytes().splitlines(keepends=True)


def put(store: Path, lines: list[bytes]) -> None:
    (store / "audit.jsonl").write_bytes(b"".join(lines))


def broken(store: Path) -> str:
    with pytest.raises(AuditBroken) as found:
        AuditLog(store).verify()
    (problem,) = found.value.problems
    assert found.value.exit_code == 70
    return f"{problem.where.rpartition('/')[2]} {problem.found}"


def rehashed(line: bytes, **changes: object) -> bytes:
    """The line as a forger would write it, with a hash that fits."""
    said: dict[str, Any] = json.loads(line) | changes
    inner = {name: said[name] for name in said if name not in ("hash", "signature")}
    said["hash"] = hashlib.sha256(said["previous"].encode() + b"\n" + text(inner)).hexdigest()
    return text(said) + b"\n"


def text(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_it_says_who_did_what_when_and_each_line_holds_the_hash_of_the_one_before(store: Path) -> None:
    lines = list(AuditLog(store).lines())
    assert [line["n"] for line in lines] == [1, 2, 3, 4, 5]
    assert (lines[0]["user"], lines[0]["time"]) == ("지킴이", "2026-03-02T09:30:00+00:00")
    assert lines[0]["previous"] == "0" * 64
    assert [line["previous"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert (store / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert (store / "audit.head").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", range(1, LINES + 1))
def test_an_altered_line_shows(store: Path, number: int) -> None:
    lines = content(store)
    lines[number - 1] = lines[number - 1].replace(b'"persons":4', b'"persons":9')
    put(store, lines)
    assert broken(store) == f"audit.jsonl:{number} was altered: its content has another hash"


@pytest.mark.parametrize("number", range(1, LINES))
def test_an_altered_line_with_a_hash_that_fits_shows_at_the_next(store: Path, number: int) -> None:
    lines = content(store)
    lines[number - 1] = rehashed(lines[number - 1], user="nobody")
    put(store, lines)
    assert broken(store) == f"audit.jsonl:{number + 1} does not follow the line before it"


def test_a_last_line_altered_with_a_hash_that_fits_shows(store: Path) -> None:
    lines = content(store)
    lines[-1] = rehashed(lines[-1], user="nobody")
    put(store, lines)
    assert broken(store) == "audit.jsonl:5 is not the last line that audit.head remembers"


@pytest.mark.parametrize("number", range(1, LINES))
def test_a_removed_line_shows(store: Path, number: int) -> None:
    lines = content(store)
    del lines[number - 1]
    put(store, lines)
    assert broken(store).startswith(f"audit.jsonl:{number} is line {number + 1} of the log that was written")


@pytest.mark.parametrize("left", [0, 1, LINES - 2])
def test_lines_cut_off_at_the_end_show(store: Path, left: int) -> None:
    put(store, content(store)[:left])
    assert broken(store) == f"audit.jsonl:{left + 1} is missing: audit.head remembers 5 lines"


def test_lines_in_another_order_show(store: Path) -> None:
    lines = content(store)
    lines[1], lines[2] = lines[2], lines[1]
    put(store, lines)
    assert broken(store).startswith("audit.jsonl:2 is line 3 of the log that was written")


def test_a_line_repeated_or_put_in_shows(store: Path) -> None:
    lines = content(store)
    put(store, [*lines[:2], lines[1], *lines[2:]])
    assert broken(store).startswith("audit.jsonl:3 is line 2 of the log that was written")
    put(store, [*lines, rehashed(lines[-1], n=6, previous=json.loads(lines[-1])["hash"])])
    assert broken(store) == "audit.jsonl:6 was put in: audit.head remembers fewer lines"
    for junk in (b"junk\n", b"{}\n", b"junk", b"[]\n", b"\xff\xfe\n", b"\n"):
        put(store, [*lines, junk])
        assert broken(store) == "audit.jsonl:6 is no line of the log: it was altered or put in"


def test_another_spelling_of_the_same_line_shows(store: Path) -> None:
    lines = content(store)
    put(store, [lines[0].replace(b'","', b'", "', 1), *lines[1:]])
    assert broken(store) == "audit.jsonl:1 is no line of the log: it was altered or put in"


def test_a_head_that_is_gone_altered_or_older_shows(store: Path) -> None:
    head = store / "audit.head"
    before = head.read_bytes()
    add(store, 5)
    now = head.read_bytes()
    head.write_bytes(before)
    assert broken(store) == "audit.jsonl:6 was put in: audit.head remembers fewer lines"
    head.write_bytes(now.replace(b'"n":6', b'"n":7', 1))
    assert broken(store) == "audit.head was altered"
    head.unlink()
    assert broken(store) == "audit.head is missing, and with it how long the log was"
    (store / "audit.jsonl").unlink()
    assert AuditLog(store).verify().number == 0


@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_power_cut_while_a_line_is_added_loses_nothing(store: Path, left: int) -> None:
    whole = content(store)
    put(store, [*whole[:-1], whole[-1][:left]])
    log = AuditLog(store)
    assert log.verify().number == LINES
    assert [line["n"] for line in log.lines()] == [1, 2, 3, 4, 5]
    add(store, 5)
    assert content(store)[:LINES] == whole
    assert log.verify().number == LINES + 1


def test_a_power_cut_at_the_very_first_line_loses_nothing(tmp_path: Path) -> None:
    add(tmp_path, 0)
    whole = content(tmp_path)
    (tmp_path / "audit.jsonl").unlink()
    add(tmp_path, 1)
    assert content(tmp_path)[:1] == whole
    assert AuditLog(tmp_path).verify().number == 2


def test_who_writes_a_whole_new_log_has_no_signature(store: Path) -> None:
    check_signatures(list(AuditLog(store).lines()), [OTHER.public_key(), KEY.public_key()], store)
    forged = store / "forged"
    forged.mkdir()
    for n in range(LINES):
        add(forged, n, OTHER)
    with pytest.raises(AuditBroken, match=r"audit\.jsonl:1: is not signed"):
        check_signatures(list(AuditLog(forged).lines()), [KEY.public_key()], forged)


def test_a_line_without_a_signature_or_with_another_lines_shows(store: Path) -> None:
    lines = list(AuditLog(store).lines())
    for wrong in ("", base64.b64encode(b"0" * 64).decode(), lines[0]["signature"], "*", "abc"):
        with pytest.raises(AuditBroken, match=r"audit\.jsonl:3: is not signed"):
            check_signatures([*lines[:2], lines[2] | {"signature": wrong}], [KEY.public_key()], store)


def test_a_dry_run_needs_no_signature_and_what_was_given_out_does(store: Path) -> None:
    add(store, 5, None)
    AuditLog(store).append(Happened("counted", "0" * 64, run=6), NOW, "지킴이", None)
    check_signatures(list(AuditLog(store).lines()), [KEY.public_key()], store)
    AuditLog(store).append(Happened("completed", "0" * 64, run=6), NOW, "지킴이", KEY)
    with pytest.raises(AuditBroken, match=r"audit\.jsonl:6: is not signed"):
        check_signatures(list(AuditLog(store).lines()), [KEY.public_key()], store)


def test_a_package_that_was_given_out_finds_its_line(store: Path) -> None:
    lines = list(AuditLog(store).lines())
    manifest = json.dumps({"audit": {"line": 5, "hash": lines[4]["hash"]}}).encode()
    with pytest.raises(AuditBroken, match="no package that the log says was completed"):
        check_package(lines, manifest, "given")
    done = Happened("completed", "0" * 64, run=5, output=hashlib.sha256(manifest).hexdigest())
    AuditLog(store).append(done, NOW, "지킴이", KEY)
    check_package(list(AuditLog(store).lines()), manifest, "given")
    with pytest.raises(AuditBroken, match="another line 5"):
        check_package(lines[:4], manifest, "given")
    for wrong in (b"", b"{}", b'{"audit":{"line":"x","hash":1}}'):
        with pytest.raises(AuditBroken, match="no manifest of an extract"):
            check_package(lines, wrong, "given")


def test_the_command_shows_it_and_ends_in_70_where_it_is_broken(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["center", "audit", "--store", str(store)]) == 0
    shown = capfd.readouterr().out
    assert "당뇨-2026" in shown
    assert "5 lines, whole; 5 signed (not checked); 0 packages found" in shown
    assert main(["center", "audit", "--store", str(store), "--format", "json"]) == 0
    assert [line["n"] for line in json.loads(capfd.readouterr().out)] == [1, 2, 3, 4, 5]
    put(store, content(store)[1:])
    assert main(["center", "audit", "--store", str(store)]) == 70
    assert "audit.jsonl:1" in capfd.readouterr().err


def test_a_store_without_extracts_has_an_empty_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["center", "audit", "--store", str(tmp_path)]) == 0
    assert "0 lines, whole" in capfd.readouterr().out
