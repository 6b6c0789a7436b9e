"""An extract that somebody still writes while it is read: another process appends, cuts or replaces files."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dure.errors import ExtractNotReadyError
from dure.landing import Base, land_source
from dure.landing.opened import HashedFile
from dure.landing.reading import size_and_sha256
from dure.site.spec import Defaults, FileSource

SECRET = "홍길동"
ROWS = 4_000

# What the other process does when it is told to.
WRITERS = {
    "grew": "open(path, 'ab').write(b'9,x\\n')",
    "was cut": "os.truncate(path, os.path.getsize(path) // 2)",
    "was written to": "open(path, 'r+b').write(b'B'); os.utime(path, ns=(1, 1))",
    "was replaced by another": "shutil.copyfile(path, path + '.new'); os.replace(path + '.new', path)",
    "vanished": "os.unlink(path)",
}


class Writer:
    """A process that does one thing to a file when it is told."""

    def __init__(self, what: str, path: Path) -> None:
        code = f"import os, shutil, sys\npath = sys.argv[1]\nsys.stdin.readline()\n{what}\nprint('done')"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.told = False

    def tell(self) -> None:
        """Has it done, and waits until it is."""
        if not self.told:
            self.told = True
            said, _ = self._process.communicate("go\n", timeout=30)
            assert said == "done\n"

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=list(WRITERS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path, Writer]]:
    path = tmp_path / "extract" / "진단.csv"
    path.parent.mkdir()
    path.write_text("번호,이름\n" + "".join(f"{n},{SECRET}{n}\n" for n in range(ROWS)), "utf-8")
    writer = Writer(WRITERS[request.param], path)
    yield request.param, path, writer
    writer.end()


def refused(path: Path, base: Base | None = None, **spec: object) -> str:
    """Why the file was not landed; nothing of it is there."""
    out = path.parents[1] / "landing"
    source = FileSource.model_validate({"path": path.name, **spec})
    with pytest.raises(ExtractNotReadyError) as error:
        land_source("dx", source, defaults=Defaults(), extract=path.parent, out=out, base=base)
    assert SECRET not in str(error.value)
    assert list((out / "dx").glob("*")) == []
    assert not (out / "_landed").exists()
    return str(error.value)


def while_it_is_read(monkeypatch: pytest.MonkeyPatch, writer: Writer, after: int = 2_000) -> None:
    read = HashedFile.read

    def slowly(self: HashedFile, size: int) -> bytes:
        block = read(self, min(size, after))
        if self.bytes > 2 * after:
            writer.tell()
        return block

    monkeypatch.setattr(HashedFile, "read", slowly)


def test_a_file_that_is_written_while_it_is_read(
    case: tuple[str, Path, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    how, path, writer = case
    while_it_is_read(monkeypatch, writer)
    assert f"sources.dx 진단.csv: the file {how} while it was read" in refused(path)
    assert writer.told


def test_what_cannot_be_read_since_it_is_being_written(
    case: tuple[str, Path, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packed file that ends too early because somebody cut it is not called damaged."""
    how, path, writer = case
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    while_it_is_read(monkeypatch, writer, after=500)
    assert f"the file {how} while it was read" in refused(path)


def test_a_file_that_is_written_while_it_is_only_hashed(
    case: tuple[str, Path, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second night would use what it landed before again."""
    how, path, writer = case
    before = path.parents[1] / "before"
    source = FileSource.model_validate({"path": path.name})
    land_source("dx", source, defaults=Defaults(), extract=path.parent, out=before)

    def then_written(file: Path) -> tuple[int, str]:
        found = size_and_sha256(file)
        writer.tell()
        return found

    monkeypatch.setattr("dure.landing.reuse.size_and_sha256", then_written)
    assert f"the file {how} while it was read" in refused(path, Base("before", before))
