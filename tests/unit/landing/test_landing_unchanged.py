"""Files that are the same as in the snapshot before: their landed parts are linked, and nothing else differs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from changing_extract import Nights, csv

from dure.landing import Base
from dure.landing.links import link_or_copy
from dure.landing.opened import HashedFile

JAN = csv("1,1,김,A01", "1,2,김", "2,1,이,C03")
FEB = csv("3,1,박,D04", "4,1,김,E05")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path, path="진단*.csv", changes=None)


def kept(nights: Nights) -> dict[str, bytes]:
    """Everything that a landing says, by file, but what is Parquet's own."""
    files = sorted(path for path in nights.out.rglob("*") if path.is_file())
    return {
        path.relative_to(nights.out).as_posix(): str(pq.read_table(path).to_pylist()).encode()
        if path.suffix == ".parquet"
        else path.read_bytes()
        for path in files
    }


def test_the_same_files_are_linked_not_read(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str | bytes] = {"진단1.csv": JAN, "진단2.csv": FEB}
    options: dict[str, Any] = {"opted_out": frozenset({"김"})}
    first = nights.land(files, **options)
    inodes, said = nights.inodes(), kept(nights)
    read: list[int] = []
    whole = HashedFile.drain
    monkeypatch.setattr(HashedFile, "drain", lambda self: (read.append(1), whole(self))[1])
    landed = nights.land(files, **options)
    assert (nights.inodes(), read) == (inodes, [])
    assert kept(nights).keys() == said.keys()
    assert {name: content for name, content in kept(nights).items() if not name.startswith("_landed")} == {
        name: content for name, content in said.items() if not name.startswith("_landed")
    }
    counts = ("rows_read", "rows_landed", "rejected", "opted_out")
    assert [getattr(landed, name) for name in counts] == [getattr(first, name) for name in counts]
    assert (landed.rejected, landed.opted_out) == ({"wrong_number_of_fields": 1}, 2)
    assert (landed.unchanged, landed.base) == (True, "night-1")
    assert landed.same_parts == {"part-00000.parquet": "part-00000.parquet", "part-00001.parquet": "part-00001.parquet"}
    assert (nights.out / "_rejects" / "dx.raw").read_bytes() == "1,2,김\n".encode()


def test_a_file_before_the_others_moves_their_parts(nights: Nights) -> None:
    nights.land({"진단1.csv": JAN, "진단2.csv": FEB})
    landed = nights.land({"진단0.csv": csv("9,1,최,Z1"), "진단1.csv": JAN, "진단2.csv": FEB})
    assert landed.same_parts == {"part-00001.parquet": "part-00000.parquet", "part-00002.parquet": "part-00001.parquet"}
    assert (landed.unchanged, landed.rows_landed) == (False, 5)
    assert len(nights.rows()) == 5


def test_a_file_that_is_gone_is_a_change(nights: Nights) -> None:
    nights.land({"진단1.csv": JAN, "진단2.csv": FEB})
    landed = nights.land({"진단1.csv": JAN})
    assert (landed.unchanged, landed.same_parts) == (False, {"part-00000.parquet": "part-00000.parquet"})


@pytest.mark.parametrize(
    "now",
    [
        {"spec": {"null_values": ["김"]}},
        {"spec": {"quote": "'"}},
        {"opted_out": frozenset({"이"})},
        {"left_behind": frozenset({"상병코드"})},
        {"person": ("순번",)},
        {"read_all": True},
    ],
    ids=["null_values", "quote", "opt-out", "left_out", "person", "--full"],
)
def test_whatever_decides_how_a_file_lands_has_it_read_again(nights: Nights, now: dict[str, Any]) -> None:
    nights.land({"진단2.csv": FEB}, opted_out=frozenset({"박"}))
    before = nights.inodes()
    landed = nights.land({"진단2.csv": FEB}, **({"opted_out": frozenset({"박"})} | now))
    assert (nights.inodes() == before, landed.unchanged, landed.same_parts) == (False, False, {})


def test_content_of_the_same_size_and_day_is_told(nights: Nights) -> None:
    nights.land({"진단2.csv": FEB})
    landed = nights.land({"진단2.csv": FEB.replace("E05", "E06")})
    assert (landed.unchanged, nights.rows()[1]) == (False, ("4", "1", "김", "E06"))


def test_another_name_is_another_file(nights: Nights) -> None:
    """`_file` is part of each landed row."""
    nights.land({"진단2.csv": FEB})
    assert not nights.land({"진단3.csv": FEB}).same_parts


@pytest.mark.parametrize("how", ["damaged", "gone", "note damaged", "note gone", "rejects gone"])
def test_a_landing_that_is_no_longer_whole_is_not_used(nights: Nights, how: str) -> None:
    nights.land({"진단1.csv": JAN})
    rows = nights.rows()
    part, note = nights.parts()[0], nights.out / "_landed" / "dx.json"
    if how == "damaged":
        content = bytearray(part.read_bytes())
        content[len(content) // 3] ^= 0xFF
        part.write_bytes(content)
    elif how == "gone":
        part.unlink()
    elif how == "note damaged":
        note.write_text(note.read_text()[:40])
    elif how == "note gone":
        note.unlink()
    else:
        (nights.out / "_rejects" / "dx.raw").unlink()
    landed = nights.land({"진단1.csv": JAN})
    assert (nights.rows(), landed.unchanged, landed.rejected) == (rows, False, {"wrong_number_of_fields": 1})


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP])
def test_without_hard_links_parts_are_copied(nights: Nights, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    nights.land({"진단1.csv": JAN})
    rows, inodes = nights.rows(), nights.inodes()

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    landed = nights.land({"진단1.csv": JAN})
    assert (nights.rows(), landed.unchanged, nights.inodes() == inodes) == (rows, True, False)


def test_a_part_that_is_shared_is_never_written_to(nights: Nights) -> None:
    """Landing again into a folder of linked parts leaves the snapshot before as it is."""
    nights.land({"진단2.csv": FEB})
    first = nights.parts()[0]
    content = first.read_bytes()
    nights.land({"진단2.csv": FEB})
    nights.night -= 1
    nights.base = None
    (nights.root / "extract-2" / "진단2.csv").unlink()
    (nights.root / "extract-2").rmdir()
    nights.land({"진단2.csv": csv("9,1,최,Z1")})
    assert nights.rows() == [("9", "1", "최", "Z1")]
    assert first.read_bytes() == content


def test_the_base_may_be_older_than_notes(nights: Nights) -> None:
    nights.land({"진단2.csv": FEB})
    (nights.out / "_landed" / "dx.json").unlink()
    (nights.out / "_landed").rmdir()
    assert nights.land({"진단2.csv": FEB}).rows_landed == 2
    assert Base("nothing", nights.root / "nowhere").note("dx") is None


def test_a_link_to_another_file_system_is_a_copy(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this system has no second file system to write to")
    source, target = tmp_path / "part", shared / f"dure-{tmp_path.name}-{os.getpid()}"
    source.write_bytes(b"1")
    try:
        link_or_copy(source, target)
        assert (target.read_bytes(), target.stat().st_nlink) == (b"1", 1)
    finally:
        target.unlink()
