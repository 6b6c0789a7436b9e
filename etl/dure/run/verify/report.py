"""The files in which a verification leaves what it found, beside the evidence of its snapshot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from dure.run.verify.opinion import Opinion
from dure.run.verify.two_tables import TableCompared
from dure.snapshot.durable import lake_access, make_folder, replace_file
from dure.snapshot.names import snapshot_id

_HEAD = ("table", "column", "what", "count")


def write_opinion(opinion: Opinion, folder: Path, now: datetime) -> Path:
    """Writes verify-TIME.json and .csv; the path of the first. One that is there is never written over."""
    with lake_access(folder):
        make_folder(folder)
        taken = [path.stem.removeprefix("verify-") for path in folder.glob("verify-*.json")]
        path = folder / f"verify-{snapshot_id(now, taken)}.json"
        replace_file(path.with_suffix(".csv"), _csv(opinion).encode())
        replace_file(path, json.dumps(_plain(opinion), ensure_ascii=False, indent=1).encode() + b"\n")
    return path


def _plain(opinion: Opinion) -> dict[str, object]:
    found = {name: value for name, value in vars(opinion).items() if name != "report"}
    tables = [{**vars(table), "equal": table.equal} for table in opinion.tables]
    return {"format": 1, "equal": opinion.equal, **found, "tables": tables}


def _csv(opinion: Opinion) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_HEAD)
    for table in opinion.tables:
        writer.writerows(_lines(table))
    return written.getvalue()


def _lines(table: TableCompared) -> Iterator[tuple[str, str, str, int]]:
    yield table.table, "", "rows of the snapshot", table.rows
    yield table.table, "", "rows recomputed", table.recomputed
    for what, n in (
        ("rows only in the snapshot", table.only_snapshot),
        ("rows only recomputed", table.only_recomputed),
        ("rows that differ", table.changed),
        ("files that cannot be read", len(table.unreadable)),
    ):
        if n:
            yield table.table, "", what, n
    for name, n in table.columns.items():
        yield table.table, name, "cells that differ", n
    for name in table.types:
        yield table.table, name, "missing or of another type", 1
