"""Rejects of landing: what could not be read as a row, counted by reason and kept for the data engineer."""

from __future__ import annotations

import os
import threading
from array import array
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class LandingRejectReason(Enum):
    """Why a record of a file did not become a row."""

    UNDECODABLE = "undecodable"
    WRONG_NUMBER_OF_FIELDS = "wrong_number_of_fields"
    UNCLOSED_QUOTE = "unclosed_quote"
    UNKNOWN_MARKER = "unknown_marker"
    CHANGE_WITHOUT_KEY = "change_without_key"

    @property
    def description(self) -> str:
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    LandingRejectReason.UNDECODABLE: "holds bytes that the declared encoding does not have",
    LandingRejectReason.WRONG_NUMBER_OF_FIELDS: "has more or fewer fields than the header",
    LandingRejectReason.UNCLOSED_QUOTE: "opens a quote that nothing closes; the lines after it are read on their own",
    LandingRejectReason.UNKNOWN_MARKER: "is a change whose marker says neither insert, update nor delete",
    LandingRejectReason.CHANGE_WITHOUT_KEY: "is a change whose key is empty, so nothing says of which row",
}
_REASONS = list(LandingRejectReason)

REJECTS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        # where the raw record lies in the .raw file beside this one
        pa.field("raw_offset", pa.int64(), nullable=False),
        pa.field("raw_bytes", pa.int64(), nullable=False),
    ]
)


class FileRejects:
    """The rejects of one reading of one file; raw records go straight to disk, since there may be very many."""

    def __init__(self, log: RejectLog) -> None:
        self._log = log
        self.rows = array("q")
        self.reasons = array("b")
        self.offsets = array("q")
        self.lengths = array("q")

    def add(self, row: int, reason: LandingRejectReason, raw: bytes) -> None:
        """Safe to call from the thread that decodes and the one that parses."""
        with self._log.lock:
            self.offsets.append(self._log.write(raw))
            self.lengths.append(len(raw))
            self.rows.append(row)
            self.reasons.append(_REASONS.index(reason))

    def __len__(self) -> int:
        return len(self.rows)

    def counts(self) -> Counter[LandingRejectReason]:
        return Counter(_REASONS[index] for index in self.reasons)


class RejectLog:
    """`out/_rejects/NAME.parquet` (one row a rejected record: file, row, reason) and `NAME.raw` (mode 0600, the records).

    Neither file exists when nothing was rejected. The raw records are in the encoding of their file.
    """

    def __init__(self, name: str, out: Path) -> None:
        self._parquet = out / "_rejects" / f"{name}.parquet"
        self._raw = out / "_rejects" / f"{name}.raw"
        self._raw_file: BinaryIO | None = None
        self._tables: list[pa.Table] = []
        self._size = 0
        self.lock = threading.Lock()
        self.counts: Counter[LandingRejectReason] = Counter()
        self._parquet.unlink(missing_ok=True)
        self._raw.unlink(missing_ok=True)

    def begin_file(self) -> FileRejects:
        return FileRejects(self)

    def write(self, raw: bytes) -> int:
        """Appends a raw record and says where it begins."""
        if self._raw_file is None:
            self._raw.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._raw, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            self._raw_file = os.fdopen(descriptor, "wb")
        start = self._size
        self._size += self._raw_file.write(raw)
        if not raw.endswith(b"\n"):
            self._size += self._raw_file.write(b"\n")
        return start

    def copy(self, landing: Path, file: str, rejects: FileRejects) -> None:
        """Adds what an earlier landing rejected of one file; nothing where its lists are not to be read."""
        name = self._parquet.name
        parquet, raw = landing / "_rejects" / name, (landing / "_rejects" / name).with_suffix(".raw")
        if not parquet.exists() or not raw.exists():
            return
        table = pq.read_table(parquet)
        with raw.open("rb") as records:
            for row in table.filter(pc.equal(table["file"], file)).to_pylist():
                records.seek(row["raw_offset"])
                rejects.add(row["row"], LandingRejectReason(row["reason"]), records.read(row["raw_bytes"]))

    def discard(self, rejects: FileRejects) -> None:
        """Forgets a reading that starts again."""
        if len(rejects) and self._raw_file is not None:
            self._size = rejects.offsets[0]
            self._raw_file.seek(self._size)
            self._raw_file.truncate()

    def keep(self, file: str, rejects: FileRejects) -> None:
        """Takes over a finished reading's rejects, ordered by row."""
        if not len(rejects):
            return
        self.counts += rejects.counts()
        order = np.argsort(np.frombuffer(rejects.rows, np.int64), kind="stable")
        reasons = pa.array([reason.value for reason in _REASONS])
        columns = [
            pa.repeat(pa.scalar(file), len(order)),
            pa.array(np.frombuffer(rejects.rows, np.int64)[order]),
            reasons.take(pa.array(np.frombuffer(rejects.reasons, np.int8)[order])),
            pa.array(np.frombuffer(rejects.offsets, np.int64)[order]),
            pa.array(np.frombuffer(rejects.lengths, np.int64)[order]),
        ]
        self._tables.append(pa.Table.from_arrays(columns, schema=REJECTS))

    def close(self) -> None:
        if self._raw_file is not None:
            self._raw_file.close()

    def finish(self) -> None:
        """Writes what was kept."""
        self.close()
        if self._tables:
            pq.write_table(pa.concat_tables(self._tables), self._parquet)
        else:
            self._raw.unlink(missing_ok=True)
