"""`dure keygen`: new key files in a folder, private ones for their owner alone, never over old ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from dure.errors import ConfigurationError, Problem
from dure.publish.private_keys import KeySource, key_fingerprint, new_pseudonym_key, pseudonym_key
from dure.publish.signing import new_center_pair, new_signing_pair
from dure.snapshot.durable import lake_access, make_folder, private_files, sync

Owner = Literal["site", "center"]


def make_keys(folder: Path, owner: Owner) -> list[str]:
    """Writes the keys of a hospital or of the center; the lines to print: files and fingerprints, never a secret."""
    if owner == "center":
        private, public, print_of = new_center_pair()
        files = {"center.key": private, "center.pub": public}
        lines = [f"center.pub  {print_of}"]
    else:
        private, public, print_of = new_signing_pair()
        files = {"pseudonym.key": new_pseudonym_key(), "signing.key": private, "signing.pub": public}
        lines = [f"signing.pub  {print_of}"]
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        do = "name another folder: with another key the same person would get another pseudonym"
        raise ConfigurationError([Problem(str(folder / name), "is there already", do) for name in taken])
    with lake_access(folder), private_files():
        make_folder(folder)
        for name, content in files.items():
            _write(folder / name, content, 0o644 if name.endswith(".pub") else 0o600)
        sync(folder)
    if owner == "site":
        key = pseudonym_key(KeySource("file", str((folder / "pseudonym.key").absolute())))
        lines.append(f"pseudonym.key  {key_fingerprint(key)}")
    return [f"keys in {folder}", *lines]


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(handle, mode)
        os.fsync(handle)
