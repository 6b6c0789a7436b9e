"""Packages changed or cut short on their way, whatever the byte: refused, the store as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from sent_packages import Center, Sender, kept, said

from dure.publish.keygen import make_keys
from dure.publish.package import write_archive, write_folder
from dure.publish.signing import recipient_of


@pytest.fixture
def archive(bada: Sender, tmp_path: Path) -> bytes:
    package = bada.package(bada.copy("copy"), sequence=2)
    return write_archive(package, tmp_path / "made/bada.tar", tmp_path, None).read_bytes()


@pytest.fixture
def filed(center: Center, bada: Sender, tmp_path: Path) -> Center:
    """The center with delivery 1."""
    center.receive(write_folder(bada.package(bada.copy("copy")), tmp_path / "first"))
    assert (center.store / "current/bada").read_text() == "000001\n"
    return center


def regions(content: bytes) -> dict[str, range]:
    """The parts of an archive by their names: header, content and filling of each member, and what ends it."""
    found: dict[str, range] = {}
    at = 0
    while any(content[at : at + 512]):
        name = content[at : at + 100].rstrip(b"\0").decode()
        size = int(content[at + 124 : at + 135], 8)
        end = at + 512 + size
        found[f"{name} header"], found[f"{name} content"] = range(at, at + 512), range(at + 512, end)
        found[f"{name} filling"] = range(end, end + -size % 512)
        at = end + -size % 512
    return {name: places for name, places in found.items() if places} | {"end": range(at, len(content))}


def test_one_byte_anywhere_in_an_archive_is_enough(filed: Center, archive: bytes, tmp_path: Path) -> None:
    changed = tmp_path / "바다.tar"
    words: dict[str, set[str]] = {}
    for name, places in regions(archive).items():
        for place in {places[0], places[len(places) // 2], places[-1]}:
            changed.write_bytes(archive[:place] + bytes([archive[place] ^ 0x01]) + archive[place + 1 :])
            result = filed.refused(changed)
            words.setdefault(name.rpartition(" ")[2], set()).add(result.problems[0].found.partition(";")[0])
    assert "holds other bytes than were signed" in words["content"]
    assert "is no signature by a key that the center knows, over these bytes" in words["content"]
    assert "its header or filling in the archive is not the one that `dure publish` writes" in words["filling"]
    assert words["end"] == {"more follows than the manifest lists"}
    [result] = filed.receive(_written(tmp_path / "바다.tar", archive))
    assert result.outcome == "received", said(result)


def test_every_byte_of_a_header_counts(filed: Center, archive: bytes, tmp_path: Path) -> None:
    start = regions(archive)["person/part-00000.parquet header"][0]
    before = kept(filed.store)
    for place in range(start, start + 512, 19):
        changed = _written(tmp_path / "x.tar", archive[:place] + bytes([archive[place] ^ 0x20]) + archive[place + 1 :])
        [result] = filed.receive(changed)
        assert result.outcome == "refused", place
    assert kept(filed.store) == before


def test_an_archive_cut_short_anywhere(filed: Center, archive: bytes, tmp_path: Path) -> None:
    ends = sorted(set(range(0, len(archive), len(archive) // 40)) | {1, 511, 512, 513, len(archive) - 1})
    words = set()
    for length in ends:
        result = filed.refused(_written(tmp_path / "x.tar", archive[:length]))
        words |= {problem.found.partition(";")[0] for problem in result.problems}
    assert words == {"ends too early"}


@pytest.mark.parametrize("more", [b"\0", b"\0" * 512, b"x", b"\0" * 100_000, b"PAR1" * 300])
def test_nothing_may_follow_an_archive(filed: Center, archive: bytes, tmp_path: Path, more: bytes) -> None:
    result = filed.refused(_written(tmp_path / "x.tar", archive + more))
    assert "the end of the archive: more follows than the manifest lists" in said(result)


def test_one_byte_of_each_file_of_a_folder(filed: Center, bada: Sender, tmp_path: Path) -> None:
    package = write_folder(bada.package(bada.copy("copy"), sequence=2), tmp_path / "in")
    for file in sorted(path for path in package.rglob("*") if path.is_file()):
        content = file.read_bytes()
        middle = len(content) // 2
        for changed, words in (
            (content[:middle] + bytes([content[middle] ^ 0x01]) + content[middle + 1 :], "signed|is no signature"),
            (content[:-1], "another size|is no signature"),
            (content + b"\0", "another size|is no signature|larger than may be read"),
        ):
            file.write_bytes(changed)
            assert any(word in said(filed.refused(package)) for word in words.split("|")), file.name
        file.write_bytes(content)
    [result] = filed.receive(package)
    assert result.outcome == "received"


def test_an_encrypted_package_changed_cut_short_or_to_another(filed: Center, bada: Sender, tmp_path: Path) -> None:
    make_keys(tmp_path / "ours", "center")
    make_keys(tmp_path / "theirs", "center")
    package = bada.package(bada.copy("copy"), sequence=2)
    sealed = write_archive(package, tmp_path / "out/바다.dure", tmp_path, recipient_of(tmp_path / "ours/center.pub"))
    content = sealed.read_bytes()
    filed.identity = tmp_path / "ours/center.key"
    for place in (60, 150, 250, len(content) // 2, len(content) - 1):
        changed = content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :]
        assert "cannot be opened with the center's key" in said(filed.refused(_written(tmp_path / "x.dure", changed)))
    for length in (23, 100, 200, 300, len(content) // 2, len(content) - 1):
        cut = _written(tmp_path / "x.dure", content[:length])
        assert "cannot be opened with the center's key" in said(filed.refused(cut)), length
    filed.identity = tmp_path / "theirs/center.key"
    assert "cannot be opened with the center's key" in said(filed.refused(sealed))
    filed.identity = None
    [result] = filed.receive(sealed)
    assert (result.outcome, result.exit_code) == ("failed", 2) and "name center.key" in said(result)
    filed.identity = tmp_path / "ours/center.key"
    [result] = filed.receive(sealed)
    assert result.outcome == "received"


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
