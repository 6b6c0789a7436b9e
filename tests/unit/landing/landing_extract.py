"""An extract in a temporary folder, landed and read back as plain rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dure.landing import Landed, land_source
from dure.site.spec import Defaults, FileSource

Row = dict[str, Any]


class Extract:
    """Files under `folder`, landed under `out`."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "extract"
        self.out = root / "landing"
        self.folder.mkdir()

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path

    def land(
        self, path: str = "*.csv", *, name: str = "dx", options: dict[str, Any] | None = None, **spec: Any
    ) -> Landed:
        source = FileSource(path=path, **spec)
        return land_source(name, source, defaults=Defaults(), extract=self.folder, out=self.out, **(options or {}))

    def table(self, name: str = "dx") -> pa.Table:
        return pa.concat_tables(pq.read_table(part) for part in sorted((self.out / name).glob("part-*.parquet")))

    def rows(self, name: str = "dx") -> list[Row]:
        return self.table(name).to_pylist()

    def cells(self, name: str = "dx") -> list[tuple[str | None, ...]]:
        """The source's own columns of each row."""
        return [tuple(v for k, v in row.items() if not k.startswith("_")) for row in self.rows(name)]

    def rejects(self, name: str = "dx") -> list[tuple[str, int, str]]:
        table = pq.read_table(self.out / "_rejects" / f"{name}.parquet")
        return [(row["file"], row["row"], row["reason"]) for row in table.to_pylist()]

    def raw_rejects(self, name: str = "dx") -> list[bytes]:
        raw = (self.out / "_rejects" / f"{name}.raw").read_bytes()
        table = pq.read_table(self.out / "_rejects" / f"{name}.parquet").to_pylist()
        return [raw[row["raw_offset"] : row["raw_offset"] + row["raw_bytes"]] for row in table]
