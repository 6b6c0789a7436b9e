"""The files of one hospital, written a block of persons at a time in the hospital's encoding and line ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv


@dataclass
class Extract:
    """A folder of CSV files; the first rows given for a file write its header."""

    folder: Path
    encoding: str = "utf-8"
    line_end: str = "\n"
    rows: dict[str, int] = field(default_factory=dict)
    _open: dict[str, BinaryIO] = field(default_factory=dict)

    def write(self, name: str, columns: Mapping[str, pa.Array], *, quoted: bool = False) -> None:
        """Appends rows; `quoted` for files whose text may hold a comma or a quote."""
        table = pa.table(dict(columns))
        buffer = pa.BufferOutputStream()
        style = "needed" if quoted else "none"
        options = pa_csv.WriteOptions(include_header=False, batch_size=1 << 16, quoting_style=style)
        pa_csv.write_csv(table, buffer, options)
        if name not in self._open:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open[name] = (self.folder / name).open("wb")
            self._open[name].write(self._bytes((",".join(columns) + "\n").encode()))
            self.rows[name] = 0
        self._open[name].write(self._bytes(buffer.getvalue().to_pybytes()))
        self.rows[name] += table.num_rows

    def __enter__(self) -> Extract:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _bytes(self, written: bytes) -> bytes:
        if self.line_end != "\n":
            written = written.replace(b"\n", self.line_end.encode())
        return written if self.encoding == "utf-8" else written.decode().encode(self.encoding)
