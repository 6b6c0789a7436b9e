"""Runs on its own: loads a snapshot into PostgreSQL and is killed with SIGKILL at a chosen point.

    python publish_and_die.py URL FOLDER POINT

POINT: `rows` amid the rows of a table, `table` between two tables, `keys` before the keys, `swap` before the swap,
`dropped` after it, before the rows of the load before are removed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from dure.progress import SilentProgress
from dure.publish import postgres
from dure.publish.swap import Swap
from dure.publish.table_files import TableFiles

POINTS = ("rows", "table", "keys", "swap", "dropped")


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class DyingProgress(SilentProgress):
    def table(self, name: str, rows: int | None, seconds: float) -> None:
        if name == "measurement":
            die()


def blocks_then_death(files: TableFiles) -> Iterator[Any]:
    whole = original_blocks(files)
    for block in whole:
        yield block
        if files.table.name == "measurement":
            die()


original_blocks = TableFiles.blocks

if __name__ == "__main__":
    url, folder, point = sys.argv[1:]
    progress = DyingProgress() if point == "table" else SilentProgress()
    if point == "rows":
        TableFiles.blocks = blocks_then_death  # type: ignore[method-assign]
    elif point == "keys":
        postgres.add_primary_keys = die
    elif point == "swap":
        Swap.commit = die  # type: ignore[method-assign]
    elif point == "dropped":
        original_commit = Swap.commit

        def commit_then_death(self: Swap, description: str) -> NoReturn:
            original_commit(self, description)
            die()

        Swap.commit = commit_then_death  # type: ignore[method-assign]
    folders = {path.name: path for path in Path(folder).iterdir()}
    postgres.load_postgres(url, "cdm", folders, None, progress=progress)
