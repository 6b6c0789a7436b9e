"""The log of extracts: one line an event, each holding the hash of the line before, so that a change shows.

`audit.jsonl` is only ever added to. `audit.head` remembers the last line, and is written before the line is: a power cut
between the two leaves a line that is still to be added, which the next run adds, and nothing is lost. So a line missing
at the end, or one more than remembered, shows too. Who can write both files can write a whole new log: against that
lines are signed, and every package names its line of the log by number and hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dure.errors import IntegrityError, Problem
from dure.publish.signing import fingerprint, verified
from dure.snapshot.durable import lake_access, private_files, replace_file, sync

LOG, HEAD = "audit.jsonl", "audit.head"
AUDIT_VERSION = 1
Event = Literal["attempted", "refused", "failed", "counted", "completed"]
_START = "0" * 64
_FIELDS = frozenset(
    {
        "audit_version", "n", "time", "user", "event", "run", "project", "approvals", "request", "output", "counts",
        "reasons", "key", "previous", "hash", "signature",
    }
)  # fmt: skip
_DO = "compare with a backup of the store and with the packages that were given out; no extract runs until it is whole"


class AuditBroken(IntegrityError):
    """The log is not what was written: it says from which line on."""


@dataclass(frozen=True)
class Happened:
    """What one line tells. `run` is the number of the line of the attempt it belongs to, 0 in that line itself."""

    event: Event
    request: str
    project: str = ""
    approvals: tuple[str, ...] = ()
    run: int = 0
    output: str = ""
    counts: Mapping[str, int | str] | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line that is in the log."""

    number: int
    hash: str


class AuditLog:
    """The log of one store. To be written under the store's lock only."""

    def __init__(self, store: Path) -> None:
        self._log, self._head = store / LOG, store / HEAD

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line, oldest first; AuditBroken at the first that is not what was written."""
        head = self._remembered()
        last, torn = Line(0, _START), b""
        with lake_access(self._log):
            if self._log.exists():
                with self._log.open("rb") as file:
                    for text in file:
                        if not text.endswith(b"\n"):
                            torn = text
                            break
                        line = self._checked(text, last)
                        last = Line(last.number + 1, line["hash"])
                        self._fits(head, last, text)
                        yield line
        self._ends(head, last, torn)
        if head and head["n"] == last.number + 1:
            yield self._checked(head["line"].encode(), last)

    def verify(self) -> Line:
        """The last line, after looking at all of them."""
        last = Line(0, _START)
        for line in self.lines():
            last = Line(line["n"], line["hash"])
        return last

    def append(self, happened: Happened, now: datetime, user: str, key: Ed25519PrivateKey | None) -> Line:
        """Adds a line durably; looks at the whole log first, so that nothing is ever added to a broken one."""
        last = self.verify()
        content = {
            "audit_version": AUDIT_VERSION,
            "n": last.number + 1,
            "time": now.isoformat(timespec="seconds"),
            "user": user,
            "event": happened.event,
            "run": happened.run,
            "project": happened.project,
            "approvals": list(happened.approvals),
            "request": happened.request,
            "output": happened.output,
            "counts": dict(happened.counts or {}),
            "reasons": list(happened.reasons),
            "key": fingerprint(key.public_key()) if key else "",
            "previous": last.hash,
        }
        own = _hash(content)
        signature = base64.b64encode(key.sign(own.encode())).decode() if key else ""
        text = _canonical(content | {"hash": own, "signature": signature}) + b"\n"
        with lake_access(self._log, "the extract did not take place"), private_files():
            self._complete()
            head = {"n": last.number + 1, "hash": own, "line": text.decode()}
            replace_file(self._head, _canonical(head) + b"\n")
            self._add(text, None)
        return Line(last.number + 1, own)

    def _complete(self) -> None:
        """Adds the line that a run which was cut off had remembered but not added."""
        head = self._remembered()
        if head is None:
            return
        number, whole = 0, 0
        if self._log.exists():
            with self._log.open("rb") as file:
                for text in file:
                    if text.endswith(b"\n"):
                        number, whole = number + 1, whole + len(text)
        if head["n"] == number + 1:
            self._add(head["line"].encode(), whole)

    def _add(self, text: bytes, at: int | None) -> None:
        new = not self._log.exists()
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if at is not None:
                os.ftruncate(handle, at)
            while text:
                text = text[os.write(handle, text) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            sync(self._log.parent)

    def _remembered(self) -> dict[str, Any] | None:
        with lake_access(self._head):
            if not self._head.exists():
                if self._log.exists() and self._log.stat().st_size:
                    raise AuditBroken(Problem(str(self._head), "is missing, and with it how long the log was", _DO))
                return None
            content = self._head.read_bytes()
        try:
            head = json.loads(content)
            own = json.loads(head["line"])
            if not isinstance(head["n"], int) or (own["n"], own["hash"]) != (head["n"], head["hash"]):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise AuditBroken(Problem(str(self._head), "was altered", _DO)) from None
        return dict(head)

    def _checked(self, text: bytes, last: Line) -> dict[str, Any]:
        number = last.number + 1
        try:
            line = json.loads(text)
            whole = isinstance(line, dict) and line.keys() == _FIELDS and _canonical(line) + b"\n" == text
        except ValueError:
            whole = False
        if not whole:
            raise self._broken(number, "is no line of the log: it was altered or put in")
        if line["hash"] != _hash({name: line[name] for name in line if name not in ("hash", "signature")}):
            raise self._broken(number, "was altered: its content has another hash")
        if line["n"] != number or line["previous"] != last.hash:
            found = f"is line {line['n']} of the log that was written: lines before it were removed, moved or put in"
            raise self._broken(number, found if line["n"] != number else "does not follow the line before it")
        return dict(line)

    def _fits(self, head: dict[str, Any] | None, last: Line, text: bytes) -> None:
        if head is None or last.number > head["n"]:
            raise self._broken(last.number, f"was put in: {HEAD} remembers fewer lines")
        if last.number == head["n"] and text != head["line"].encode():
            raise self._broken(last.number, f"is not the last line that {HEAD} remembers")

    def _ends(self, head: dict[str, Any] | None, last: Line, torn: bytes) -> None:
        known = head["n"] if head else 0
        if known > last.number + 1:
            raise self._broken(last.number + 1, f"is missing: {HEAD} remembers {known} lines")
        pending = head["line"].encode() if head and known == last.number + 1 else b""
        if torn and not pending.startswith(torn):
            raise self._broken(last.number + 1, "is no line of the log: it was altered or put in")

    def _broken(self, number: int, found: str) -> AuditBroken:
        return AuditBroken(Problem(f"{self._log}:{number}", found, _DO))


def check_signatures(lines: Sequence[Mapping[str, Any]], keys: Sequence[Ed25519PublicKey], where: Path) -> None:
    """AuditBroken for lines that none of the center's keys signed; a dry run, which gives nothing out, needs no key."""
    known = {fingerprint(key): key for key in keys}
    given_out = {line["run"] for line in lines if line["event"] == "completed"}
    for line in lines:
        key = known.get(line["key"])
        if not line["key"] and (line["run"] or line["n"]) not in given_out:
            continue
        if key is None or not verified(key, _signature(line["signature"]), line["hash"].encode()):
            found = "is not signed by any of these keys"
            raise AuditBroken(Problem(f"{where / LOG}:{line['n']}", found, "name every key that the center has used"))


def check_package(lines: Sequence[Mapping[str, Any]], manifest: bytes, where: str) -> None:
    """AuditBroken where the log lacks the lines that a package was given out with."""
    try:
        named = json.loads(manifest)["audit"]
        number, own = int(named["line"]), str(named["hash"])
    except (ValueError, KeyError, TypeError):
        raise AuditBroken(Problem(where, "is no manifest of an extract", "name the folder of one")) from None
    if number > len(lines) or lines[number - 1]["hash"] != own:
        raise AuditBroken(Problem(where, f"was given out with another line {number} than the log has", _DO))
    output = hashlib.sha256(manifest).hexdigest()
    if not any(line["output"] == output and line["run"] == number for line in lines):
        raise AuditBroken(Problem(where, "is no package that the log says was completed", _DO))


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(str(content["previous"]).encode() + b"\n" + _canonical(content)).hexdigest()
