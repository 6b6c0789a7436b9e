"""Opening a package in any of its three forms, within limits, before anything of it is believed."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import pyrage

from dure.center.receive.archive import Archive
from dure.center.receive.folder import Folder
from dure.center.receive.limits import CHUNK
from dure.center.receive.refused import refuse
from dure.errors import ConfigurationError, Problem
from dure.publish.private_keys import private_bytes
from dure.snapshot.durable import lake_access

Form = Literal["folder", "archive", "encrypted"]
_AGE = b"age-encryption.org/v1\n"


class Contents(Protocol):
    """What can be read of a package, in this order."""

    def first(self, name: str, most: int) -> bytes: ...
    def lists(self, names: Sequence[str]) -> None: ...
    def take(self, name: str, size: int, target: Path) -> str: ...
    def end(self) -> None: ...


@dataclass(frozen=True)
class Arrived:
    """A package as it came: which form, how large, and its SHA-256 where it is one file."""

    path: Path
    form: Form
    bytes: int
    sha256: str


def arrived(path: Path, largest: int) -> Arrived:
    """What lies at a path; ConfigurationError where nothing can be read there, PackageRefused where it is too large."""
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            return Arrived(path, "folder", 0, "")
        if not stat.S_ISREG(state.st_mode):
            raise ConfigurationError(Problem(str(path), "is neither a file nor a folder", "name a package"))
        if state.st_size > largest:
            raise refuse("too_large", path.name, size=state.st_size, most=largest)
        with path.open("rb") as file:
            form: Form = "encrypted" if file.read(len(_AGE)) == _AGE else "archive"
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(Problem(str(path), error.strerror or "cannot be read", "check the path")) from None
    return Arrived(path, form, state.st_size, digest)


@contextmanager
def opened(package: Arrived, identity: Path | None, work: Path) -> Iterator[Contents]:
    """The contents, to be read once. An encrypted package is decrypted into `work`, and that file goes afterwards."""
    if package.form == "folder":
        handle = os.open(package.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield Folder(handle)
        finally:
            os.close(handle)
        return
    plain, path = work / "package.tar", package.path
    try:
        if package.form == "encrypted":
            room(work, package.bytes)
            _decrypt(path, plain, _identity(identity, path))
            path = plain
        with path.open("rb", buffering=CHUNK) as file:
            yield Archive(file)
    finally:
        plain.unlink(missing_ok=True)


def room(folder: Path, wanted: int) -> None:
    """ConfigurationError where the disk has no room for so many bytes more."""
    with lake_access(folder):
        free = shutil.disk_usage(folder).free
    if free < wanted:
        do = "make room on that disk, then receive again"
        found = f"{wanted:,} bytes are to be written and {free:,} are free"
        raise ConfigurationError(Problem(str(folder), found, do))


def _identity(file: Path | None, package: Path) -> pyrage.x25519.Identity:
    if file is None:
        do = "name center.key of the center's `dure keygen --for center` with --identity"
        raise ConfigurationError(Problem(str(package), "is encrypted", do))
    try:
        return pyrage.x25519.Identity.from_str(private_bytes(file).decode("ascii", "replace").strip())
    except pyrage.IdentityError:
        raise ConfigurationError(Problem(str(file), "holds no age identity", "use center.key")) from None


def _decrypt(sealed: Path, plain: Path, identity: pyrage.x25519.Identity) -> None:
    try:
        pyrage.decrypt_file(str(sealed), str(plain), [identity])
    except pyrage.DecryptError:
        raise refuse("not_decrypted", "the package") from None
    except OSError as error:
        if error.errno is not None:
            with lake_access(plain):
                raise
        raise refuse("not_decrypted", "the package") from None
