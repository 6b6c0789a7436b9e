"""Archives and folders made to do harm: refused before anything of them is acted upon, the store as it was."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sent_packages import Center, Sender, said

from dure.center.receive.archive import header_of
from dure.publish.package import Package, write_archive, write_folder

PERSON = "person/part-00000.parquet"
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def package(bada: Sender) -> Package:
    return bada.package(bada.copy("copy"))


def members(package: Package) -> Members:
    content = {"manifest.json": package.manifest, "manifest.json.sig": package.signature}
    content |= {name: path.read_bytes() for name, path in package.files.items()}
    return [(tarfile.TarInfo.frombuf(header_of(n, len(c)), "utf-8", "strict"), c) for n, c in content.items()]


def packed(path: Path, of: Members, form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for member, content in of:
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def instead(of: Members, which: str, **others: object) -> Members:
    """The members with the one of that name changed."""
    for member, _ in of:
        if member.name == which:
            for key, value in others.items():
                setattr(member, key, value)
    return of


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.DIRTYPE, "a folder"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (tarfile.CONTTYPE, "is not the one that `dure publish` writes"),
    ],
)
def test_only_plain_files_are_taken(center: Center, package: Package, tmp_path: Path, kind: bytes, words: str) -> None:
    content = bytearray(write_archive(package, tmp_path / "x.tar", tmp_path, None).read_bytes())
    at = content.index(PERSON.encode() + b"\0")
    member = tarfile.TarInfo.frombuf(bytes(content[at : at + 512]), "utf-8", "strict")
    member.type, member.linkname = kind, "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    content[at : at + 512] = member.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "x.tar").write_bytes(content)
    assert words in said(center.refused(tmp_path / "x.tar"))


@pytest.mark.parametrize(
    "name",
    ["/etc/cron.d/x", "../../etc/x", "person/../../x", "person/./part-00000.parquet", "사람/x.parquet", "x" * 90],
)
def test_no_other_name_stands_in_the_place_of_a_file(
    center: Center, package: Package, tmp_path: Path, name: str
) -> None:
    archive = packed(tmp_path / "x.tar", instead(members(package), PERSON, name=name))
    result = center.refused(archive)
    assert f"{PERSON}: another member of the archive stands in its place" in said(result)
    assert name not in said(result)
    assert not (tmp_path.parent / "x").exists()


def test_members_twice_more_missing_or_in_another_order(center: Center, package: Package, tmp_path: Path) -> None:
    def refused(of: Members) -> str:
        return said(center.refused(packed(tmp_path / "x.tar", of)))

    every = members(package)
    assert "another member of the archive" in refused([*every[:3], every[2], *every[3:]])
    assert "another member of the archive" in refused([*every[:3], every[4], every[3], *every[5:]])
    assert "another member of the archive" in refused([*every[:3], *every[4:]])
    assert "ends too early" not in refused(every[:-1]) and "is missing" in refused(every[:-1])
    assert "more follows than the manifest lists" in refused([*every, every[-1]])
    assert "manifest.json: another member" in refused([every[1], every[0], *every[2:]])
    assert "manifest.json: another member" in refused(every[2:])


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_other_kinds_of_archive(center: Center, package: Package, tmp_path: Path, form: int) -> None:
    of = instead(members(package), PERSON, pax_headers={"path": "../../x", "GNU.sparse.size": "99999999999"})
    words = said(center.refused(packed(tmp_path / "x.tar", of, form)))
    assert "is not the one that `dure publish` writes" in words


def test_hidden_headers_before_a_member(center: Center, package: Package, tmp_path: Path) -> None:
    every = members(package)
    content = packed(tmp_path / "x.tar", every[:2]).read_bytes()[: -tarfile.RECORDSIZE]
    start = b"".join(header_of(m.name, len(c)) + c + b"\0" * (-len(c) % 512) for m, c in every[:2])
    assert content == b"" or start.startswith(content[:512])
    for kind in (b"x", b"g", b"L", b"K"):
        hidden = tarfile.TarInfo("././@LongLink")
        hidden.type, hidden.size = kind, 512
        rest = b"".join(header_of(m.name, len(c)) + c + b"\0" * (-len(c) % 512) for m, c in every[2:])
        (tmp_path / "y.tar").write_bytes(start + hidden.tobuf(tarfile.GNU_FORMAT) + b"../../x".ljust(512, b"\0") + rest)
        assert "is no plain file: a" in said(center.refused(tmp_path / "y.tar"))


def test_sizes_that_lie(center: Center, package: Package, tmp_path: Path) -> None:
    every = members(package)
    content = {member.name: body for member, body in every}
    huge = header_of("manifest.json", 33 << 20)
    (tmp_path / "x.tar").write_bytes(huge + package.manifest)
    assert "manifest.json: is larger than may be read (34,603,008 bytes)" in said(center.refused(tmp_path / "x.tar"))
    beyond = tarfile.TarInfo("manifest.json")
    beyond.size = 1 << 60
    (tmp_path / "x.tar").write_bytes(beyond.tobuf(tarfile.GNU_FORMAT) + package.manifest)
    assert "manifest.json: has another size" in said(center.refused(tmp_path / "x.tar"))
    bomb = instead(members(package), PERSON, size=len(content[PERSON]) + 10_000_000)
    bomb = [(member, body + b"\0" * 10_000_000 if member.name == PERSON else body) for member, body in bomb]
    words = said(center.refused(packed(tmp_path / "x.tar", bomb)))
    assert f"{PERSON}: has another size" in words
    long_signature = instead(members(package), "manifest.json.sig", size=128)
    long_signature[1] = (long_signature[1][0], package.signature * 2)
    assert "manifest.json.sig: is larger" in said(center.refused(packed(tmp_path / "x.tar", long_signature)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 10240,
        b"\0" * 512,
        os.urandom(5000),
        b"PK\x03\x04" + b"\0" * 2000,
        gzip.compress(b"x" * 99999),
        b"{}",
    ],
    ids=["empty", "zeros", "a block of zeros", "random", "zip", "gzip", "json"],
)
def test_files_that_are_no_archive(center: Center, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    result = center.refused(tmp_path / "x.tar")
    assert result.site is None and result.place is not None and result.place.name.startswith("unknown-")


def test_a_package_over_the_limit_is_not_read(center: Center, tmp_path: Path) -> None:
    large = tmp_path / "x.tar"
    with large.open("wb") as file:
        file.truncate((200 << 30) + 1)
    assert "x.tar: is larger than may be read (214,748,364,801 bytes)" in said(center.refused(large))


def _link(folder: Path) -> None:
    (folder / PERSON).unlink()
    (folder / PERSON).symlink_to("/etc/passwd")


def _linked_table(folder: Path) -> None:
    (folder / "person").rename(folder.parent / "elsewhere")
    (folder / "person").symlink_to(folder.parent / "elsewhere")


def _pipe(folder: Path) -> None:
    (folder / PERSON).unlink()
    os.mkfifo(folder / PERSON)


def _nested(folder: Path) -> None:
    (folder / "person/more").mkdir()


def _linked_manifest(folder: Path) -> None:
    (folder / "manifest.json").rename(folder.parent / "m.json")
    (folder / "manifest.json").symlink_to(folder.parent / "m.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_link, f"{PERSON}: is no plain file: a symbolic link"),
        (_linked_table, "person: is no plain file: a symbolic link"),
        (_pipe, f"{PERSON}: is no plain file: a pipe"),
        (_nested, "person/more: is no plain file: a folder"),
        (_linked_manifest, "manifest.json: is no plain file"),
        (lambda folder: (folder / PERSON).unlink(), f"{PERSON}: is missing"),
        (lambda folder: (folder / "manifest.json.sig").unlink(), "manifest.json.sig: is missing"),
        (lambda folder: (folder / "person/b.parquet").write_bytes(b"x"), "person/b.parquet: is not listed"),
        (lambda folder: (folder / ".DS_Store").write_bytes(b"x"), "(a name that is not shown): is not listed"),
        (lambda folder: (folder / "900101-1234567 김가람").write_bytes(b"x"), "(a name that is not shown): is not"),
        (lambda folder: (folder / "extra").mkdir(), "extra: is not listed"),
    ],
)
def test_a_folder_holds_plain_listed_files_alone(
    center: Center, package: Package, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    folder = write_folder(package, tmp_path / "in")
    change(folder)
    assert words in said(center.refused(folder))
