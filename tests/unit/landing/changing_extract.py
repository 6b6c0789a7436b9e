"""Nights of one source: each with files of its own, landed on top of the night before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.landing import Base, Landed, land_source
from dure.site.spec import Defaults, FileSource

SPEC: dict[str, Any] = {
    "path": "진단.csv",
    "key": ["내원번호", "순번"],
    "changes": {"path": "진단_변경*.csv", "marker": "구분", "insert": "I", "update": "U", "delete": "D"},
}
HEADER = "내원번호,순번,환자번호,상병코드"
Row = tuple[str | None, ...]


class Nights:
    """A lake's landing, one night after the other."""

    def __init__(self, root: Path, **spec: Any) -> None:
        self.root = root
        self.spec = SPEC | spec
        self.night = 0
        self.base: Base | None = None

    def land(self, files: dict[str, str | bytes], encoding: str = "utf-8", **options: Any) -> Landed:
        """Lands a night on top of the one before."""
        self.night += 1
        extract = self.root / f"extract-{self.night}"
        extract.mkdir()
        for name, content in files.items():
            (extract / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        out = self.root / f"night-{self.night}"
        spec = {name: value for name, value in (self.spec | options.pop("spec", {})).items() if value is not None}
        given: dict[str, Any] = {"person": ("환자번호",), "base": self.base} | options
        landed = land_source(
            "dx", FileSource(**spec), defaults=Defaults(encoding=encoding), extract=extract, out=out, **given
        )
        self.base = Base(f"night-{self.night}", out)
        return landed

    @property
    def out(self) -> Path:
        return self.root / f"night-{self.night}"

    def parts(self) -> list[Path]:
        return sorted((self.out / "dx").glob("*.parquet"))

    def table(self) -> pa.Table:
        return pa.concat_tables(pq.read_table(part) for part in self.parts())

    def rows(self) -> list[Row]:
        """The source's own columns of each row, in order."""
        rows = self.table().select(HEADER.split(",")).to_pylist()
        return sorted(tuple(row.values()) for row in rows)

    def touched(self) -> dict[str, str]:
        table = pq.read_table(self.out / "_touched" / "dx.parquet")
        return {row["_key"]: row["_change"] for row in table.to_pylist()}

    def inodes(self) -> list[int]:
        return [part.stat().st_ino for part in self.parts()]


def csv(*rows: str, header: str = HEADER) -> str:
    return "".join(f"{line}\n" for line in (header, *rows))


def changes(*rows: str) -> str:
    """Rows with their marker in front."""
    return csv(*rows, header=f"구분,{HEADER}")
