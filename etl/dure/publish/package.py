"""A package: `manifest.json`, its signature, the tables and the evidence, as a folder or as one archive; whole, or not there.

The archive holds the manifest and its signature as its first two members, so that a receiver can check them before it
looks at anything else. Owners, modes and times in it are fixed: the same content gives the same bytes.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dure.errors import ConfigurationError, Problem
from dure.publish.evidence.files import Evidence
from dure.publish.signing import encrypt
from dure.snapshot.durable import lake_access, make_folder, replace_file, sync, sync_tree
from dure.snapshot.manifest import MANIFEST, TableContent

SIGNATURE = f"{MANIFEST}.sig"
PARTIAL = ".partial"
_UNSENT = "nothing was published"


@dataclass(frozen=True)
class Package:
    """The parts of a package that is ready: name, manifest, signature, and where each file lies, by its path inside."""

    name: str
    manifest: bytes
    signature: bytes
    files: Mapping[str, Path]


def package_of(
    name: str,
    manifest: bytes,
    key: Ed25519PrivateKey,
    copy: Path,
    tables: Mapping[str, TableContent],
    evidence: Evidence,
) -> Package:
    """The package of a copy and its evidence, with the signature over the manifest's exact bytes."""
    files = {file.path: copy / file.path for content in tables.values() for file in content.files}
    files |= {file.path: file.file for file in evidence.files}
    return Package(name, manifest, key.sign(manifest), dict(sorted(files.items())))


def write_folder(package: Package, target: Path) -> Path:
    """Puts the package into a folder of its own below `target`; what is there already stays when it is the same."""
    final, beside = target / package.name, target / f".{package.name}{PARTIAL}"
    with lake_access(target, _UNSENT):
        make_folder(target)
        _remove(beside)
        if final.exists():
            if (final / MANIFEST).is_file() and (final / MANIFEST).read_bytes() == package.manifest:
                return final
            raise ConfigurationError(
                Problem(str(final), "another package of that name is there", "move it away, or name another folder")
            )
        try:
            beside.mkdir()
            for name, file in package.files.items():
                (beside / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(file, beside / name)
            replace_file(beside / SIGNATURE, package.signature)
            replace_file(beside / MANIFEST, package.manifest)
            sync_tree(beside)
            beside.rename(final)
        except OSError:
            _remove(beside)
            raise
        sync(target)
    return final


def write_archive(package: Package, target: Path, work: Path, recipient: pyrage.x25519.Recipient | None) -> Path:
    """Puts the package into one file; with a recipient the file is its encrypted form and nothing plain is beside it."""
    beside = target.with_name(f".{target.name}{PARTIAL}")
    with lake_access(target.parent, _UNSENT):
        make_folder(target.parent)
        _remove(beside)
        try:
            if recipient is None:
                _tar(package, beside)
            else:
                plain = work / "package.tar"
                _tar(package, plain)
                encrypt(plain, beside, recipient)
                plain.unlink()
            beside.chmod(0o600)
            sync(beside)
            beside.replace(target)
        except OSError:
            _remove(beside)
            raise
        sync(target.parent)
    return target


def _tar(package: Package, path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in ((MANIFEST, package.manifest), (SIGNATURE, package.signature)):
            archive.addfile(_member(name, len(content)), BytesIO(content))
        for name, file in package.files.items():
            with file.open("rb") as content_of:
                archive.addfile(_member(name, file.stat().st_size), content_of)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, 0
    return member


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
