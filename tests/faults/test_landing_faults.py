"""Files that are broken, gone, or change; a disk that is full: a clear error, no cell content, nothing half-done."""

from __future__ import annotations

import gzip
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dure.errors import ConfigurationError, DureError, ExitCode, ExtractNotReadyError, IntegrityError, SourceError
from dure.landing import Landed, header_of, land_source
from dure.landing.opened import HashedFile
from dure.landing.parts import PartWriter
from dure.site.spec import Defaults, FileSource

SECRET = "홍길동"


class Hospital:
    """An extract with one source, 진단."""

    def __init__(self, root: Path) -> None:
        self.extract = root / "extract"
        self.out = root / "landing"
        self.extract.mkdir()

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.extract / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def land(self, path: str = "*.csv", options: dict[str, Any] | None = None, **spec: Any) -> Landed:
        source = FileSource(path=path, **spec)
        return land_source("dx", source, defaults=Defaults(), extract=self.extract, out=self.out, **(options or {}))

    def fails(self, kind: type[DureError], *args: Any, **spec: Any) -> str:
        with pytest.raises(kind) as error:
            self.land(*args, **spec)
        assert SECRET not in str(error.value)
        assert list((self.out / "dx").glob("*")) == []
        return str(error.value)


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def test_exit_codes() -> None:
    assert (SourceError.exit_code, ConfigurationError.exit_code) == (ExitCode.SOURCE_UNREADABLE, ExitCode.CONFIGURATION)


def test_a_missing_file_names_pattern_folder_and_what_is_near(hospital: Hospital) -> None:
    hospital.write("진단_2024.csv", "a\n1\n")
    hospital.write("memo.txt", "")
    assert hospital.fails(ExtractNotReadyError, "진단2024*.csv") == (
        f"sources.dx: no file matches '진단2024*.csv' in {hospital.extract}\n    closest: 진단_2024.csv"
    )


def test_a_missing_folder(hospital: Hospital) -> None:
    hospital.extract.rmdir()
    assert "there is no folder" in hospital.fails(ExtractNotReadyError)


def test_folders_are_not_read(hospital: Hospital) -> None:
    (hospital.extract / "진단.csv").mkdir()
    assert "only folders do" in hospital.fails(SourceError, "진단*")
    hospital.write("진단2.csv", "a\n1\n")
    landed = hospital.land("진단*")
    assert (landed.rows_landed, [w.found for w in landed.warnings]) == (1, ["is a folder and is not read"])


def test_a_link_to_nothing_and_a_pipe(hospital: Hospital) -> None:
    (hospital.extract / "1.csv").symlink_to(hospital.extract / "gone")
    os.mkfifo(hospital.extract / "2.csv")
    found = hospital.fails(SourceError)
    assert "1.csv: cannot be read: No such file or directory" in found
    assert "2.csv: is not a regular file" in found


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file(hospital: Hospital, content: bytes) -> None:
    hospital.write("x.csv", content)
    assert "sources.dx x.csv: the file is empty" in hospital.fails(SourceError)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_truncated_gzip(hospital: Hospital, part: float) -> None:
    text = "번호,이름\n" + "".join(f"{n},{SECRET}{n * n}\n" for n in range(200_000))
    packed = gzip.compress(text.encode(), 1)
    hospital.write("x.csv.gz", packed[: int(len(packed) * part)])
    found = hospital.fails(SourceError, "*.gz")
    assert "sources.dx x.csv.gz: the gzip file ends too early, after " in found


def test_damaged_gzip(hospital: Hospital) -> None:
    packed = bytearray(gzip.compress("".join(f"{n},{SECRET}{n * n}\n" for n in range(50_000)).encode()))
    packed[len(packed) // 2] ^= 0xFF
    hospital.write("x.csv.gz", bytes(packed))
    assert "the gzip file is damaged" in hospital.fails(SourceError, "*.gz", header=["a", "b"])


def test_archives_that_are_not_gzip(hospital: Hospital) -> None:
    hospital.write("x.csv", b"PK\x03\x04" + b"\0" * 30)
    assert "is a zip archive" in hospital.fails(SourceError)
    hospital.write("x.csv.gz", "a,b\n1,2\n")
    assert "is named .gz but is not gzip" in hospital.fails(SourceError, "*.gz")


def test_wrong_encoding_shows_in_the_header(hospital: Hospital) -> None:
    hospital.write("x.csv", f"환자번호,이름\n1,{SECRET}\n".encode("cp949"))
    assert hospital.fails(SourceError) == (
        "sources.dx x.csv: the header is not utf-8 text\n    encoding: cp949 reads it (sources.dx)"
    )


def test_wrong_encoding_shows_in_the_rows(hospital: Hospital) -> None:
    hospital.write("x.csv", ("no,name\n" + f"1,{SECRET}\n" * 12).encode("cp949"))
    assert hospital.fails(SourceError) == (
        "sources.dx x.csv: 12 of 12 records cannot be read; most of them: "
        "holds bytes that the declared encoding does not have\n    declared is utf-8; cp949 reads it"
    )


@pytest.mark.parametrize(("stored", "declared"), [("utf-8-sig", "cp949"), ("utf-16", "utf-8"), ("utf-16", "cp949")])
def test_a_mark_that_contradicts_the_spec(hospital: Hospital, stored: str, declared: str) -> None:
    hospital.write("x.csv", f"환자번호,이름\n1,{SECRET}\n".encode(stored))
    assert f"declared is {declared}" in hospital.fails(SourceError, encoding=declared)


def test_wrong_delimiter(hospital: Hospital) -> None:
    hospital.write("x.csv", f"환자번호|이름\n1|{SECRET}\n")
    assert "sources.dx.key: no column '환자번호'" in hospital.fails(SourceError, key=["환자번호"])


def test_headers_that_differ_name_both_files(hospital: Hospital) -> None:
    hospital.write("1월.csv", "번호,이름,코드\n")
    hospital.write("2월.csv", "번호,성명,코드\n")
    assert hospital.fails(SourceError).splitlines()[0] == (
        "sources.dx 2월.csv: its header differs from that of 1월.csv: has no '이름' and has '성명' besides"
    )


def test_a_file_without_its_header_shows_no_row(hospital: Hospital) -> None:
    hospital.write("1월.csv", "번호,이름\n1,가\n")
    hospital.write("2월.csv", f"2,{SECRET}\n")
    found = hospital.fails(SourceError)
    assert "2월.csv: its header differs from that of 1월.csv: 2 of 2 columns are missing" in found
    (hospital.extract / "1월.csv").unlink()
    assert "sources.dx.key: no column '번호'" in hospital.fails(SourceError, key=["번호"])


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("번호,이름,번호", "columns 1 and 3 of the header have the same name"),
        ("id,이름,ID", "columns 1 and 3 of the header have names that differ only in case"),
        ("번호,이름,", "column 3 of 3 has no name"),
        ("번호,_row", "has a column '_row', a name of Dure's own"),
        ("번호,이름,이름_nfkc", "has a column '이름_nfkc', which nfkc would add"),
    ],
)
def test_names_that_cannot_be_landed(hospital: Hospital, header: str, found: str) -> None:
    hospital.write("x.csv", f"{header}\n")
    assert found in hospital.fails(SourceError, nfkc=["이름"])


def test_columns_of_the_spec_that_the_files_lack(hospital: Hospital) -> None:
    hospital.write("x.csv", "환자번호,이름\n")
    found = hospital.fails(SourceError, key=["환자번", "순번"], options={"person": ("이름표",)})
    assert "sources.dx.key: no column '환자번'\n    closest: '환자번호'" in found
    assert "sources.dx.key: no column '순번'" in found
    assert "sources.dx.person: no column '이름표'" in found


def test_a_header_that_swallowed_rows_is_not_shown(hospital: Hospital) -> None:
    hospital.write("x.csv", f'번호,"이름\n1,{SECRET}\n2,"\n')
    found = hospital.fails(SourceError, key=["번호", "순번"])
    assert "no column '순번'\n    the files have: 번호 and 1 more" in found


def test_a_column_gone_since_the_last_snapshot(hospital: Hospital) -> None:
    hospital.write("x.csv", "번호\n1\n")
    found = hospital.fails(SourceError, options={"known_columns": ("번호", "번호_nfkc", "이름")})
    assert "lost columns that the snapshot before had: 이름" in found


def test_a_header_that_never_ends(hospital: Hospital) -> None:
    hospital.write("x.csv", '번호,"이름\n' + f"1,{SECRET}\n" * 3)
    assert "no end of the header" in hospital.fails(SourceError)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("grows", "grew"),
        ("is rewritten", "was written to"),
        ("is replaced", "was replaced by another"),
        ("is cut", "was cut"),
        ("vanishes", "vanished"),
    ],
)
def test_a_file_that_changes_while_it_is_read(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, how: str, found: str
) -> None:
    path = hospital.write("x.csv", "번호,이름\n" + "".join(f"{n},{SECRET}\n" for n in range(1000)))
    read = HashedFile.read
    changed = False

    def read_while_it_changes(self: HashedFile, size: int) -> bytes:
        nonlocal changed
        block = read(self, min(size, 2_000))
        if self.bytes > 10_000 and not changed:
            changed = True
            if how == "grows":
                with path.open("ab") as file:
                    file.write(b"1000,x\n")
            elif how == "is rewritten":
                os.utime(path, ns=(1, 1))
            elif how == "is replaced":
                other = path.with_suffix(".new")
                other.write_bytes(path.read_bytes())
                other.rename(path)
            elif how == "is cut":
                os.truncate(path, 12_000)
            else:
                path.unlink()
        return block

    monkeypatch.setattr(HashedFile, "read", read_while_it_changes)
    said = hospital.fails(ExtractNotReadyError)
    assert f"sources.dx x.csv: the file {found} while it was read" in said
    assert changed


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def _noise(rows: int) -> str:
    return "번호,이름\n" + "".join(f"{n},{SECRET}{n * 7919 % 10007}{n}\n" for n in range(rows))


def test_disk_full_while_rows_are_written(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.parts.GROUP_ROWS", 5_000)
    hospital.write("x.csv", _noise(100_000))
    with files_of_at_most(100_000):
        found = hospital.fails(ConfigurationError)
    assert found == f"{hospital.out}: cannot be written: File too large\n    free some space there and run again"


def test_disk_full_on_a_real_device(hospital: Hospital) -> None:
    hospital.write("x.csv", _noise(10))
    (hospital.out / "dx").mkdir(parents=True)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    unlink = Path.unlink
    part = hospital.out / "dx" / "part-00000.parquet"
    part.symlink_to(full)
    # landing clears its folder first: keep the way to the full device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None if self == part else unlink(self, missing_ok))
        with pytest.raises(ConfigurationError) as error:
            hospital.land()
    assert "cannot be written: No space left on device\n    free some space" in str(error.value)


@pytest.mark.parametrize("line", [(SECRET * 100).encode(), b"1," + b"\xff" * 1_000], ids=["fields", "bytes"])
def test_disk_full_while_rejects_are_written(hospital: Hospital, line: bytes) -> None:
    hospital.write("x.csv", b"a,b\n" + (b"1,2\n" + line + b"\n1,2\n") * 2_000)
    with files_of_at_most(50_000):
        found = hospital.fails(ConfigurationError)
    assert "cannot be written: File too large" in found


def test_a_folder_that_cannot_be_made(hospital: Hospital) -> None:
    hospital.write("x.csv", "a\n1\n")
    hospital.out.write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot be written: (Not a directory|File exists)"):
        hospital.land()


def test_rows_that_do_not_add_up(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that loses a batch is found out by what the Parquet files themselves say."""
    hospital.write("x.csv", _noise(30_000))
    monkeypatch.setattr("dure.landing.delimited.QUICK_BLOCK", 1 << 16)
    write, calls = PartWriter.write, iter(range(1000))
    monkeypatch.setattr(PartWriter, "write", lambda self, batch: write(self, batch) if next(calls) != 2 else None)
    with pytest.raises(IntegrityError, match=r"rows do not add up: read 30,000, landed 2[0-9],[0-9]{3}, rejected 0"):
        hospital.land()


def test_a_control_character_that_stands_for_a_delimiter(hospital: Hospital) -> None:
    hospital.write("x.csv", "번호§이름\n1§\x1f\n")
    assert "U+001F" in hospital.fails(SourceError, delimiter="§")


def test_settings_that_cannot_go_together(hospital: Hospital) -> None:
    hospital.write("x.txt", "01가\n")
    found = hospital.fails(
        ConfigurationError, "x.txt", format="fixed", unit="bytes", encoding="utf-16", columns={"a": ["1", "2"]}
    )
    assert "places cannot be counted in bytes of utf-16" in found
    hospital.write("x.csv", "a|b\n")
    assert "is the delimiter too" in hospital.fails(ConfigurationError, delimiter="|", quote="|")


def test_the_header_is_had_without_reading_on(hospital: Hospital) -> None:
    path = hospital.write("x.csv.gz", gzip.compress("번호,단위\n".encode() + os.urandom(1 << 20)))
    os.truncate(path, 200_000)
    names = header_of("dx", FileSource(path="*.gz", nfkc=["단위"]), Defaults(), hospital.extract)
    assert names == ("번호", "단위", "단위_nfkc")
