"""Writing the summary of one delivery: what it says of itself, and what was counted of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from dure.center.summary.model import SUMMARY, Summary
from dure.center.summary.tables import Summing, write_tables

CODES = "codes.parquet"
_BLOCK_ROWS = 1 << 16


def write_summary(summary: Summary, summing: Summing, codes: Path, folder: Path) -> None:
    """All files of a summary, into a folder that is there."""
    write_tables(summing, folder)
    shutil.copyfile(codes, folder / CODES)
    (folder / SUMMARY).write_bytes(summary.as_json())


def counted(summary: Summary, summing: Summing) -> Summary:
    """The summary with what was counted of the rows."""
    first, last = summing.observed_days()
    said = summary.model_dump(mode="json")
    said |= {"persons": summing.rows.get("person", 0), "observed_from": first, "observed_to": last}
    return Summary.model_validate(said | {"tables": dict(sorted(summing.rows.items()))})


def count_again(delivery: Path, tables: Mapping[str, Iterable[str]]) -> Summing:
    """What the rows of a delivery give that was verified before; `tables` are paths by table."""
    summing = Summing()
    for name, paths in tables.items():
        for path in paths:
            with pq.ParquetFile(delivery / path, buffer_size=1 << 20, pre_buffer=False) as file:
                summing.rows.setdefault(name, 0)
                for block in file.iter_batches(_BLOCK_ROWS):
                    summing.add(name, block)
    return summing
