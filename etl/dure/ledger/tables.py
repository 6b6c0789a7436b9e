"""The tables of the ledger: one row of `dure_run` a command, and rows of the others that belong to one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, ForeignKey, Index, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dure.ledger.facts import RunFacts


class UtcTime(TypeDecorator[datetime]):
    """A moment: with its zone in Python, in UTC wherever it is stored, since SQLite knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, int: BigInteger, datetime: UtcTime}  # noqa: RUF012


class VersionRow(Base):
    """One step that the schema took; the highest version counts."""

    __tablename__ = "dure_ledger_version"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
    dure_version: Mapped[str]


class RunRow(Base):
    """One command on one site."""

    __tablename__ = "dure_run"
    __table_args__ = (Index("dure_run_of_site", "lake", "site", "id"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    command: Mapped[str]
    lake: Mapped[str]
    site: Mapped[str]
    name: Mapped[str]
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    seconds: Mapped[float | None]
    outcome: Mapped[str | None]
    exit_code: Mapped[int | None]
    snapshot: Mapped[str | None]
    as_of: Mapped[str | None]
    gate: Mapped[str | None]
    score: Mapped[float | None]
    persons: Mapped[int | None]
    rows_read: Mapped[int | None]
    rows_mapped: Mapped[int | None]
    rows_unmapped: Mapped[int | None]
    rows_rejected: Mapped[int | None]
    rows_excluded: Mapped[int | None]
    target: Mapped[str | None]
    engine: Mapped[str | None]
    engine_version: Mapped[str | None]
    dure_version: Mapped[str]
    cdm_version: Mapped[str | None]
    vocabulary: Mapped[str | None]
    vocabulary_digest: Mapped[str | None]
    spec_digest: Mapped[str | None]
    python_version: Mapped[str | None]
    pyspark_version: Mapped[str | None]
    pysail_version: Mapped[str | None]
    host: Mapped[str]
    user: Mapped[str] = mapped_column("account")  # `user` is a word of SQL
    pid: Mapped[int]
    process: Mapped[str]


class OfRun(Base):
    """What belongs to a run, in the order in which it came."""

    __abstract__ = True
    run_id: Mapped[str] = mapped_column(ForeignKey("dure_run.id", ondelete="CASCADE"), primary_key=True, sort_order=-2)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, sort_order=-1)


class StageRow(OfRun):
    __tablename__ = "dure_run_stage"
    name: Mapped[str]
    started: Mapped[datetime]
    seconds: Mapped[float | None]


class WrittenRow(OfRun):
    __tablename__ = "dure_run_written"
    stage: Mapped[str]
    name: Mapped[str]
    rows: Mapped[int | None] = mapped_column("row_count")
    seconds: Mapped[float]


class TableRow(OfRun):
    __tablename__ = "dure_run_table"
    name: Mapped[str]
    rows: Mapped[int] = mapped_column("row_count")
    bytes: Mapped[int] = mapped_column("byte_count")


class SourceRow(OfRun):
    __tablename__ = "dure_run_source"
    name: Mapped[str]
    read: Mapped[int] = mapped_column("rows_read")
    before: Mapped[int] = mapped_column("rows_before")
    changed: Mapped[int] = mapped_column("rows_changed")
    mapped: Mapped[int] = mapped_column("rows_mapped")
    unmapped: Mapped[int] = mapped_column("rows_unmapped")
    rejected: Mapped[int] = mapped_column("rows_rejected")
    excluded: Mapped[int] = mapped_column("rows_excluded")
    folded: Mapped[int] = mapped_column("rows_folded")


class FileRow(OfRun):
    __tablename__ = "dure_run_file"
    source: Mapped[str]
    path: Mapped[str]
    bytes: Mapped[int] = mapped_column("byte_count")
    sha256: Mapped[str]
    modified: Mapped[datetime]


class MapRow(OfRun):
    __tablename__ = "dure_run_map"
    path: Mapped[str]
    sha256: Mapped[str]


class ProblemRow(OfRun):
    __tablename__ = "dure_run_problem"
    level: Mapped[str]
    where: Mapped[str] = mapped_column("place")
    found: Mapped[str]
    do: Mapped[str] = mapped_column("advice")


# What a run's facts call them.
PARTS: dict[str, type[OfRun]] = {
    "stages": StageRow,
    "written": WrittenRow,
    "tables": TableRow,
    "sources": SourceRow,
    "files": FileRow,
    "maps": MapRow,
    "problems": ProblemRow,
}
FACTS = tuple(name for name in RunFacts.model_fields if name not in PARTS)
