"""What a verification found: counts by table and column, nothing of any person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dure.run.verify.two_tables import TableCompared


@dataclass(frozen=True)
class Opinion:
    """One verification of one snapshot.

    `everybody` says why all persons were taken, empty where a sample was; `persons` and `landed_rows` are those of the
    sample. `changed_files` are not as the manifest lists them.
    """

    site: str
    snapshot: str
    made_by: str
    verified_by: str
    dure_version: str
    sample: float
    seed: int
    everybody: str
    persons: int | None
    landed_rows: int | None
    changed_files: tuple[str, ...]
    tables: tuple[TableCompared, ...]
    not_compared: tuple[str, ...]
    notes: tuple[str, ...]
    report: Path | None = None

    @property
    def equal(self) -> bool:
        return not self.changed_files and all(table.equal for table in self.tables)

    @property
    def rows(self) -> int:
        """The rows of the snapshot that were compared."""
        return sum(table.rows for table in self.tables)

    def lines(self) -> Iterator[str]:
        """What a person reads, the verdict first."""
        who = "everybody" if self.persons is None else f"{self.persons:,} persons"
        compared = f"{self.rows:,} rows of {who}, {self.made_by} against {self.verified_by}"
        if self.equal:
            yield f"equal: {compared}"
        else:
            yield f"different: {sum(not t.equal for t in self.tables)} of {len(self.tables)} tables; {compared}"
        for table in self.tables:
            if not table.equal:
                yield f"  {table.table}: {_told(table)}"
        if self.changed_files:
            shown = ", ".join(self.changed_files[:_SHOWN])
            more = len(self.changed_files) - _SHOWN
            yield f"  not as the manifest lists them: {shown}{f' and {more} more files' if more > 0 else ''}"
        if self.not_compared:
            yield f"not compared: {', '.join(self.not_compared)}"
        yield from self.notes
        if self.report is not None:
            yield f"report: {self.report}"


_SHOWN = 10


def _told(table: TableCompared) -> str:
    if table.unreadable:
        return f"no whole Parquet: {', '.join(table.unreadable)}"
    counts = {
        "rows only in the snapshot": table.only_snapshot,
        "rows only recomputed": table.only_recomputed,
        "rows that differ": table.changed,
    }
    told = [f"{n:,} {what}" for what, n in counts.items() if n]
    if table.columns:
        told.append("by column: " + ", ".join(f"{name} {n:,}" for name, n in table.columns.items()))
    if table.types:
        told.append(f"columns missing or of another type: {', '.join(table.types)}")
    return "; ".join(told)
