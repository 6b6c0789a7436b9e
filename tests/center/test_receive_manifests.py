"""Manifests that a known hospital signed and nobody planned for: refused, the store as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sent_packages import Center, Manifest, Sender, said, write_registry

from dure.publish.package import write_archive


def refused(center: Center, bada: Sender, folder: Path, content: bytes) -> str:
    package = bada.signed(content, bada.copy("copy"))
    result = center.refused(write_archive(package, folder / "x.tar", folder, None))
    assert result.site == "bada"
    return said(result)


def raw(bada: Sender) -> str:
    return json.dumps(bada.manifest(bada.copy("copy")), ensure_ascii=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"\xff\xfe{}",
        b"{" * 200_000,
        b"[" * 3_000_000,
        b'{"a":' * 100_000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a": 1, "a": 1}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "' + b"x" * 2_000_000,
        b'{"package_version": 1, "package_version": 1}',
    ],
    ids=range(17),
)
def test_what_is_no_manifest_at_all(center: Center, bada: Sender, tmp_path: Path, content: bytes) -> None:
    words = refused(center, bada, tmp_path, content)
    assert "manifest.json" in words and "a manifest as `dure publish` writes it" in words


def at(*steps: Any, value: Any) -> Callable[[Manifest], None]:
    """Puts a value at a place of the manifest."""

    def change(manifest: Manifest) -> None:
        inner: Any = manifest
        for step in steps[:-1]:
            inner = inner[step]
        inner[steps[-1]] = value

    return change


def _another_table(name: str) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        manifest["tables"][name] = {"rows": 0, "files": [{"path": f"{name}/a.parquet", "bytes": 1, "sha256": "0" * 64}]}

    return change


def _without(name: str) -> Callable[[Manifest], None]:
    return lambda manifest: manifest.pop(name)


PATH = ("tables", "person", "files", 0, "path")
NO_FILE = "tables.person lists a path that is no file of its own folder"
CHANGES: list[tuple[Callable[[Manifest], object], str]] = [
    (at("sequence", value=-1), "sequence: Input should be greater than or equal to 1"),
    (at("sequence", value=0), "sequence: Input should be greater than or equal to 1"),
    (at("sequence", value="1"), "sequence: Input should be a valid integer"),
    (at("sequence", value=1.0), "sequence: Input should be a valid integer"),
    (at("sequence", value=True), "sequence: Input should be a valid integer"),
    (at("sequence", value=10**30), "sequence: "),
    (at("tables", "person", "rows", value=-5), "tables.person.rows: Input should be greater than or equal to 0"),
    (at("tables", "person", "files", 0, "bytes", value=-1), "files.0.bytes: Input should be greater"),
    (at("tables", "person", "files", value=[]), "tables.person.files: "),
    (at("tables", "person", "files", 0, "sha256", value="g" * 64), "files.0.sha256: String should match"),
    (at("tables", value=[]), "tables: Input should be"),
    (at(*PATH, value="../../../etc/passwd"), NO_FILE),
    (at(*PATH, value="/etc/passwd"), NO_FILE),
    (at(*PATH, value="person/../manifest.json"), NO_FILE),
    (at(*PATH, value="person/../../x.parquet"), NO_FILE),
    (at(*PATH, value="person/./a.parquet"), NO_FILE),
    (at(*PATH, value="person//a.parquet"), NO_FILE),
    (at(*PATH, value="person/.hidden.parquet"), NO_FILE),
    (at(*PATH, value="person\\a.parquet"), NO_FILE),
    (at(*PATH, value="person/a\0.parquet"), NO_FILE),
    (at(*PATH, value="person/a.parquet\n"), NO_FILE),
    (at(*PATH, value="person/환자.parquet"), NO_FILE),
    (at(*PATH, value="death/part-00000.parquet"), NO_FILE),
    (at(*PATH, value="evidence/checks.parquet"), NO_FILE),
    (_another_table("../person"), "tables names what is no table of the CDM"),
    (_another_table("concept_ancestor"), "tables names what is no table of the CDM"),
    (_another_table("evidence"), "tables names what is no table of the CDM"),
    (_another_table("PERSON"), "tables names what is no table of the CDM"),
    (lambda m: m["tables"]["person"]["files"].append(m["tables"]["person"]["files"][0]), "lists a file twice"),
    (at("evidence", "codes", "path", value="evidence/checks.parquet"), "evidence.codes lists another path"),
    (at("evidence", "codes", "path", value="manifest.json"), "evidence.codes lists another path"),
    (_without("evidence"), "evidence: Field required"),
    (_without("tables"), "tables: Field required"),
    (at("more", value=1), "manifest.json more: Extra inputs"),
    (at("900101-1234567 김가람", value=1), "manifest.json …: Extra inputs"),
    (at("withdrawn", value=[5, 5]), "withdrawn lists a person twice"),
    (at("withdrawn", value=[-5]), "withdrawn.0: Input should be greater"),
    (at("withdrawn", value=["5"]), "withdrawn.0: Input should be a valid integer"),
    (at("as_of", value="2025-02-30"), "as_of: Input should be a valid date"),
    (at("as_of", value=20250201), "as_of: Input should be"),
    (at("gated", "score", value=1.5), "gated.score: Input should be less than or equal to 1"),
    (at("gated", "score", value="0.9"), "gated.score: Input should be a valid number"),
    (at("site", value="bada\n"), "site: Value error, holds a control character"),
    (at("versions", "dure", value="\x1b[31m"), "versions.dure: Value error, holds a control character"),
    (at("versions", "dure", value="x" * 1001), "versions.dure: String should have at most"),
    (at("checks", "differ", 0, "why", value=""), "checks.differ.0.why: String should have at least"),
    (at("package_version", value=2), "manifest.json: package_version is 2; expected: package_version 1"),
    (at("versions", "cdm", value="6.0"), "manifest.json: cdm is 6.0; expected: cdm 5.4"),
    (at("site", value="바다"), "site: does not fit the key that signed"),
    (at("site", value="haneul"), "site: does not fit the key that signed"),
    (at("copy", "digest", value="f" * 64), "copy.digest: is not the digest of the tables listed"),
    (at("tables", "person", "rows", value=25), "copy.digest: is not the digest of the tables listed"),
    (at("evidence", "checks", "rows", value=2), "evidence/checks.parquet: holds 1 rows; expected: 2 rows"),
    (at("evidence", "codes", "rows", value=2), "evidence/codes.parquet: holds 1 rows; expected: 2 rows"),
    (at("checks", "rerun", value={"passed": 2}), "evidence/checks.parquet: is not what the manifest says"),
    (at("gated", "gate", value="closed"), "gated.gate: the gate was not open"),
    (at("gated", "day", value="2025-03-17"), "gated.day: 2025-03-17 is in the future"),
    (at("as_of", value="2026-01-01"), "as_of: 2026-01-01 is in the future"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES, ids=range(len(CHANGES)))
def test_what_no_manifest_says(
    center: Center, bada: Sender, tmp_path: Path, change: Callable[[Manifest], object], words: str
) -> None:
    manifest = json.loads(raw(bada))
    change(manifest)
    found = refused(center, bada, tmp_path, json.dumps(manifest, ensure_ascii=False).encode())
    assert words in found
    assert "900101" not in found and "\x1b" not in found


def test_a_number_that_overflows_is_none(center: Center, bada: Sender, tmp_path: Path) -> None:
    content = raw(bada).replace('"score": 0.98', '"score": 1e999')
    assert "gated.score: Input should be" in refused(center, bada, tmp_path, content.encode())


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{oldest_days: 13}", "as_of: is 14 days ago; expected: at most 13 days, by the center's policy"),
        ("{lowest_score: 0.99}", "gated.score: the score is 0.98; expected: 0.99 or more"),
        ("{profiles: [strict]}", "copy.profile.name: was de-identified by a profile that the center does not take"),
        ("{vocabularies: [v5.0 27-AUG-25]}", "versions.vocabulary: was mapped to a release that the center does not"),
    ],
)
def test_what_the_policy_asks(center: Center, bada: Sender, tmp_path: Path, policy: str, words: str) -> None:
    write_registry(center.folder, policy=policy)
    assert words in refused(center, bada, tmp_path, raw(bada).encode())
    allowed = "{oldest_days: 14, lowest_score: 0.98, profiles: center, vocabularies: [v5.0 27-FEB-25]}"
    write_registry(center.folder, policy=allowed)
    package = write_archive(bada.signed(raw(bada).encode(), bada.copy("copy")), tmp_path / "x.tar", tmp_path, None)
    [result] = center.receive(package)
    assert result.outcome == "received", said(result)
