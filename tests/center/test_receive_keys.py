"""Whose signature counts: the registry, its chain of keys, and packages signed with the wrong one."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sent_packages import Center, Sender, pem, said, write_registry

from dure.center.registry import read_registry
from dure.cli import main
from dure.errors import ConfigurationError
from dure.publish.package import write_folder
from dure.publish.rotation import rotation_statement
from dure.publish.signing import fingerprint, signing_key


def entry(
    old: Ed25519PrivateKey,
    new: Ed25519PrivateKey,
    since: str = "2025-02-01",
    until: str | None = None,
    site: str = "bada",
) -> str:
    """The line of the registry that `dure keygen --rotate` prints."""
    last = date.fromisoformat(until) if until else None
    statement = rotation_statement(site, new.public_key(), date.fromisoformat(since), last)
    signature = base64.b64encode(old.sign(statement)).decode()
    days = f"from: {since}" + (f", until: {until}" if until else "")
    by = fingerprint(old.public_key())
    return f'{{key: new.pub, {days}, signed_by: "{by}", signature: "{signature}"}}'


def with_second(center: Center, line: str, days: str = "") -> Path:
    """The registry of the center with a second key of bada."""
    file = write_registry(center.folder, days=days)
    text = file.read_text("utf-8")
    first = text.rindex("}]") + 1
    file.write_text(f"{text[:first]},\n           {line}]\n", "utf-8")
    return file


@pytest.fixture
def new(center: Center) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    (center.folder / "new.pub").write_bytes(pem(key))
    return key


def mistakes(file: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as raised:
        read_registry(file)
    return [(p.where.removeprefix(str(file)), p.found) for p in raised.value.problems]


def test_a_key_that_the_old_one_vouches_for_counts(
    center: Center, bada: Sender, new: Ed25519PrivateKey, tmp_path: Path
) -> None:
    with_second(center, entry(bada.key, new))

    def by_new(manifest: dict[str, dict[str, str]]) -> None:
        manifest["keys"]["signing"] = fingerprint(new.public_key())

    package = write_folder(bada.package(bada.copy("copy"), change=by_new, key=new), tmp_path / "in")
    [result] = center.receive(package)
    assert result.outcome == "received", said(result)


def test_keygen_makes_the_line_that_the_registry_takes(
    center: Center, bada: Sender, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", "--out", str(tmp_path / "old")]) == 0
    given = ["keygen", "--out", str(tmp_path / "새 열쇠"), "--rotate", str(tmp_path / "old/signing.key")]
    capfd.readouterr()
    assert main([*given, "--site", "bada", "--from", "2025-06-01", "--until", "2026-05-31"]) == 0
    line = capfd.readouterr().out.splitlines()[-1].removeprefix("- ")
    assert sorted(path.name for path in (tmp_path / "새 열쇠").iterdir()) == ["signing.key", "signing.pub"]
    (center.folder / "bada.pub").write_bytes((tmp_path / "old/signing.pub").read_bytes())
    (center.folder / "signing.pub").write_bytes((tmp_path / "새 열쇠/signing.pub").read_bytes())
    keys = read_registry(with_second(center, line)).hospitals["bada"].keys
    assert keys[1].fingerprint == fingerprint(signing_key(tmp_path / "새 열쇠/signing.key").public_key())
    assert [str(keys[1].since), str(keys[1].until)] == ["2025-06-01", "2026-05-31"]
    assert main([*given, "--site", "bada", "--from", "2025-06-01"]) == 2
    assert "is there already" in capfd.readouterr().err
    assert main(["keygen", "--out", str(tmp_path / "x"), "--site", "bada"]) == 2
    assert "--rotate: not given, and a rotation needs it" in capfd.readouterr().err


NOT_THE_ONE = "the signature is not the one of that key over this site, this key and these days"


def test_a_chain_that_does_not_hold_is_said_with_its_line(
    center: Center, bada: Sender, haneul: Sender, new: Ed25519PrivateKey
) -> None:
    place = ":17 hospitals.bada.keys[1]"

    def found(line: str, days: str = "") -> tuple[str, str]:
        [mistake] = mistakes(with_second(center, line, days))
        return mistake

    good = entry(bada.key, new)
    for changed in (
        good.replace("2025-02-01", "2025-02-02"),
        good.replace("from: 2025-02-01", "from: 2025-02-01, until: 2030-01-01"),
        entry(bada.key, new, site="haneul"),
        entry(bada.key, Ed25519PrivateKey.generate()),
    ):
        assert found(changed) == (f"{place}.signature", NOT_THE_ONE)
    assert found(entry(haneul.key, new)) == (f"{place}.signed_by", "is no earlier key of this hospital")
    assert found("{key: new.pub, from: 2025-02-01}") == (
        place,
        "a later key without the signature of the one before",
    )
    assert found(good.partition(", signature")[0] + "}") == (place, "signed_by and signature belong together")
    assert found(good.replace("signature: ", "signature: x")) == (f"{place}.signature", "is no signature")
    assert found(good, ", revoked: 2025-01-15") == (
        f"{place}.signed_by",
        "that key was revoked on 2025-01-15, before this one begins",
    )
    assert found(good, ", until: 2025-01-15") == (
        f"{place}.signed_by",
        "that key was not valid when this one begins, on 2025-02-01",
    )
    read_registry(with_second(center, good))
    # All that came before was revoked: people compared the fingerprint of a new first key.
    read_registry(with_second(center, "{key: new.pub, from: 2025-02-01}", ", revoked: 2025-01-15"))


def test_other_mistakes_of_the_registry(center: Center, bada: Sender) -> None:
    file = write_registry(center.folder)
    text = file.read_text("utf-8")
    for old, wrong, mistake in (
        ("bada.pub", "haneul.pub", (":16 hospitals.bada.keys[0].key", "this key is listed for haneul already")),
        ("consortium: korea\n    local_concepts: 2002", "consortium: korae\n    local_concepts: 2002", None),
        (
            "2002000000",
            "2001000000",
            (":15 hospitals.bada.local_concepts", "the block at 2001000000 is haneul's already"),
        ),
        ("2002000000", "2002000001", (":15 hospitals.bada.local_concepts", "'2002000001' begins no block")),
        ("bada.pub", "none.pub", None),
        ("bada.pub", "hospitals.yaml", None),
        ("name: 바다병원", "nmae: 바다병원", (":13 hospitals.bada", "unknown key 'nmae' (closest: 'name')")),
        ("from: 2025-01-01}]\n  bada", "from: 01.01.2025}]\n  bada", None),
        ('"1"', '"2"', (":1 hospitals_version", "'2' is not one of 1")),
        ("  bada:", "  ../bada:", None),
        ("policy: {}", "policy: {recomputed_checks: -1}", (":2 policy.recomputed_checks", "'-1' is no count")),
        ("policy: {}", "policy: {lowest_score: 98}", (":2 policy.lowest_score", "'98' is no share")),
    ):
        assert old in text
        file.write_text(text.replace(old, wrong), "utf-8")
        found = mistakes(file)
        assert found and all(where.startswith(":") for where, _ in found), wrong
        if mistake:
            assert found[0] == mistake


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (", until: 2025-03-14", "valid from 2025-01-01 until 2025-03-14"),
        (", revoked: 2025-03-15", "revoked since 2025-03-15"),
        (", revoked: 2025-01-01", "revoked since 2025-01-01"),
    ],
)
def test_a_key_that_no_longer_counts(center: Center, bada: Sender, tmp_path: Path, days: str, words: str) -> None:
    write_registry(center.folder, days=days)
    result = center.refused(write_folder(bada.package(bada.copy("copy")), tmp_path / "in"))
    assert words in said(result) and result.site == "bada"


def test_a_key_that_does_not_count_yet(center: Center, bada: Sender, tmp_path: Path) -> None:
    write_registry(center.folder, since="2025-03-16")
    package = write_folder(bada.package(bada.copy("copy")), tmp_path / "in")
    assert "valid from 2025-03-16 until —" in said(center.refused(package))


def test_a_package_signed_by_another_hospital(center: Center, bada: Sender, haneul: Sender, tmp_path: Path) -> None:
    package = write_folder(bada.package(bada.copy("copy"), key=haneul.key), tmp_path / "in")
    result = center.refused(package)
    assert "manifest.json site: does not fit the key that signed, which is haneul's" in said(result)
    assert result.site == "haneul"


def test_a_package_signed_by_a_stranger(center: Center, bada: Sender, tmp_path: Path) -> None:
    package = write_folder(bada.package(bada.copy("copy"), key=Ed25519PrivateKey.generate()), tmp_path / "in")
    result = center.refused(package)
    assert "no signature by a key that the center knows" in said(result) and result.site is None


def test_a_manifest_that_names_another_key(center: Center, bada: Sender, tmp_path: Path) -> None:
    def other(manifest: dict[str, dict[str, str]]) -> None:
        manifest["keys"]["signing"] = "SHA256:" + "0" * 64

    package = write_folder(bada.package(bada.copy("copy"), change=other), tmp_path / "in")
    assert "manifest.json keys.signing: does not fit the key that signed" in said(center.refused(package))
