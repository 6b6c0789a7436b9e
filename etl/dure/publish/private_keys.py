"""The secret of pseudonyms, and reading of any private key: where it may lie, and when it is refused.

A private key lies in a file that its owner alone may read (mode 0600), or in an environment variable; one that others
can read is refused, since nobody knows who did. A key is never an argument, a literal in a plan, or a line of a log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from dure.errors import ConfigurationError, Problem

KEY_VARIABLE = "DURE_PUBLISH_KEY"
KEY_BYTES = 32
_PREFIX = "dure-pseudonym-key-1:"


@dataclass(frozen=True)
class KeySource:
    """Where a secret lies, not the secret: this is what travels in a query plan. `place` is a path or a variable."""

    kind: str
    place: str

    def __str__(self) -> str:
        return self.place if self.kind == "file" else f"the variable {self.place}"


def key_source(file: Path | None) -> KeySource:
    """The file given, else the environment; ConfigurationError when neither is there."""
    if file is not None:
        return KeySource("file", str(file.absolute()))
    if os.environ.get(KEY_VARIABLE):
        return KeySource("environment", KEY_VARIABLE)
    do = f"name the project's key with --key or put it into {KEY_VARIABLE}; `dure keygen` makes one"
    raise ConfigurationError(Problem("--key", "not given", do))


def pseudonym_key(source: KeySource) -> bytes:
    """The secret of a project's pseudonyms; raises ConfigurationError where it is open to others or no key."""
    text = (
        private_bytes(Path(source.place)).decode("ascii", "replace")
        if source.kind == "file"
        else os.environ.get(source.place, "")
    ).strip()
    try:
        if not text.startswith(_PREFIX):
            raise ValueError
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        if len(key) != KEY_BYTES:
            raise ValueError
    except (ValueError, binascii.Error):
        # the text is a secret, or what somebody took for one: it is not shown
        found, do = "holds no key of pseudonyms", "make one with `dure keygen`"
        raise ConfigurationError(Problem(str(source), found, do)) from None
    return key


def private_bytes(path: Path) -> bytes:
    """The content of a key file that nobody but its owner can read; ConfigurationError otherwise."""
    return private_content(path, 1 << 16)


def private_content(path: Path, most: int = -1) -> bytes:
    """The content of a file that nobody but its owner can read, or its first `most` bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", "check the path")) from None
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigurationError(Problem(str(path), "is no file", "name a file"))
        mode = stat.S_IMODE(state.st_mode)
        if mode & 0o077:
            do = "others may have read it: make a new key (`dure keygen`), or, if you are sure, chmod 600 it"
            raise ConfigurationError(Problem(str(path), f"is open to others (mode {mode:04o})", do))
        if state.st_uid not in (os.geteuid(), 0):
            raise ConfigurationError(Problem(str(path), "belongs to another user", "use a file of your own"))
        return file.read(most)


def key_fingerprint(key: bytes) -> str:
    """Names a project's key without telling anything of it."""
    return hmac.new(key, b"dure fingerprint", hashlib.sha256).hexdigest()[:16]


def new_pseudonym_key() -> bytes:
    """The content of a new key file."""
    return (_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n").encode()
