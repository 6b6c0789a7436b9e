"""Writing the tables of an extract: parts of bounded size, sorted, and the same bytes for the same rows.

The engine spreads the rows over folders by the leading bits of the new person id; each is then sorted in memory by all
of its columns, so that the order says nothing of the delivery's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dure.center.extract.given import PERSON
from dure.publish.fixed_parquet import write_parquet
from dure.snapshot.durable import lake_access
from dure.stages.tables import arrow_schema
from dure.tables.keys import ENTITY_ID_BITS

PART_ROWS = 1_000_000
_PART = "_part"


def write_table(
    frame: DataFrame | None, name: str, columns: tuple[str, ...], most: int, work: Path, folder: Path, part_rows: int
) -> int:
    """Writes one table below `folder` and counts its rows; `most` is how many there may be at the most."""
    schema = pa.schema([arrow_schema(name).field(column) for column in columns])
    rows = 0
    with lake_access(folder):
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(_parts(frame, schema, most, work / "spread" / name, part_rows)):
            order = [(column, "ascending") for column in (PERSON, *(each for each in columns if each != PERSON))]
            write_parquet(part.sort_by(order), folder / name / f"part-{number:05d}.parquet")
            rows += part.num_rows
    return rows


def _parts(frame: DataFrame | None, schema: pa.Schema, most: int, spread: Path, part_rows: int) -> Iterator[pa.Table]:
    if frame is None:
        yield schema.empty_table()
        return
    bits = max(0, (most - 1) // part_rows).bit_length()
    parted = frame.withColumn(_PART, F.shiftright(F.col(PERSON), ENTITY_ID_BITS - bits).cast("int"))
    parted.write.partitionBy(_PART).option("compression", "zstd").parquet(str(spread))
    empty = True
    for each in sorted(spread.glob(f"{_PART}=*"), key=lambda path: int(path.name.partition("=")[2])):
        files = sorted(each.glob("*.parquet"))
        table = pa.concat_tables([pq.read_table(file, schema=schema, partitioning=None) for file in files])
        if table.num_rows:
            empty = False
            yield table
    if empty:  # an engine may write nothing for a frame without rows
        yield schema.empty_table()
    shutil.rmtree(spread, ignore_errors=True)
