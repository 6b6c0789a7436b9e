"""Writing the copy: each table in parts of bounded size, sorted, scanned, and the same bytes for the same rows.

The engine spreads the rows over folders by the leading bits of what they are sorted by; each folder is then sorted in
memory and written as one file by pyarrow. So the files are sorted as a whole, and no more than one part is held.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.cdm.schema import table as cdm_table
from dure.publish.deidentify.frames import Copying, published
from dure.publish.deidentify.scan import Findings, Identifiers, scrubbed
from dure.publish.deidentify.treatment import WHOLE, Kind, TableTreatment
from dure.publish.fixed_parquet import write_parquet
from dure.snapshot.durable import lake_access
from dure.stages.tables import arrow_schema
from dure.tables.keys import id_bits

PART_ROWS = 1_000_000
_PART = "_part"


@dataclass
class Copied:
    """What was written: rows by table, and what the scan found."""

    rows: dict[str, int] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


def write_copy(
    copying: Copying,
    identifiers: Identifiers,
    folder: Path,
    told: Callable[[str, int], None],
    part_rows: int = PART_ROWS,
) -> Copied:
    """Writes every table that leaves below `folder`, one folder a table, an empty file where no row leaves."""
    copied = Copied()
    for name, treated in copying.plan.items():
        if name not in copying.rows:
            continue
        rows = 0
        with lake_access(folder):
            (folder / name).mkdir(parents=True)
            for number, part in enumerate(_parts(copying, treated, part_rows)):
                part = _finished(part, treated, identifiers)
                copied.findings.scan(name, part, identifiers, _texts(part))
                write_parquet(part, folder / name / f"part-{number:05d}.parquet")
                rows += part.num_rows
        copied.rows[name] = rows
        told(name, rows)
    return copied


def _parts(copying: Copying, treated: TableTreatment, part_rows: int) -> Iterator[pa.Table]:
    name, schema = treated.table, arrow_schema(treated.table)
    if treated.left_out or not copying.rows[name]:
        yield schema.empty_table()
        return
    spread = copying.work / "spread" / name
    frame = published(copying, name)
    bits = max(0, (copying.rows[name] - 1) // part_rows).bit_length()
    by = _spread_by(name)
    empty = True
    if bits and by:
        key, width = by
        _spread(frame, key, width - bits, spread)
        folders = sorted(spread.glob(f"{_PART}=*"), key=lambda path: int(path.name.partition("=")[2]))
    else:
        frame.write.option("compression", "zstd").parquet(str(spread))
        folders = [spread]
    for each in folders:
        files = sorted(each.glob("*.parquet"))
        if files:
            table = pa.concat_tables([pq.read_table(file, schema=schema, partitioning=None) for file in files])
            if table.num_rows:
                empty = False
                yield table
    if empty:
        yield schema.empty_table()
    shutil.rmtree(spread, ignore_errors=True)  # an engine may write nothing for a frame without rows


def _spread(frame: DataFrame, key: str, shift: int, folder: Path) -> None:
    frame.withColumn(_PART, F.shiftright(F.col(key), shift).cast("int")).write.partitionBy(_PART).option(
        "compression", "zstd"
    ).parquet(str(folder))


def _spread_by(name: str) -> tuple[str, int] | None:
    """The hashed id that a table's rows are spread and sorted by, and its bits; None for the small tables without one."""
    cdm = cdm_table(name)
    if name in WHOLE:
        return None
    if "person_id" in cdm.names:
        return "person_id", id_bits("person")
    if cdm.primary_key:
        return cdm.primary_key, id_bits(name)
    return ("episode_id", id_bits("episode")) if name == "episode_event" else None


def _finished(part: pa.Table, treated: TableTreatment, identifiers: Identifiers) -> pa.Table:
    for column in treated.of_kind(Kind.SCRUBBED):
        place = part.schema.get_field_index(column)
        part = part.set_column(place, part.schema.field(place), scrubbed(part[column], identifiers))
    key = cdm_table(treated.table).primary_key
    first = [name for name in ("person_id", key) if name and name in part.column_names]
    # Without a key of its own a row is told by all of its columns.
    columns = first if key else [*first, *(name for name in part.column_names if name not in first)]
    return part.sort_by([(name, "ascending") for name in dict.fromkeys(columns)])


def _texts(part: pa.Table) -> list[str]:
    return [field.name for field in part.schema if pa.types.is_string(field.type)]
