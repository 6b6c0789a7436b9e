"""The files of a summary as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dure.errors import IntegrityError, Problem


def summary_table(path: Path, columns: Sequence[str]) -> pa.Table | None:
    """Some columns of a file; None where the summary has none such, IntegrityError where it cannot be read."""
    if not path.is_file():
        return None
    try:
        return pq.read_table(path, columns=list(columns)).select(list(columns))
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        do = "restore it from a backup, or receive the delivery again"
        raise IntegrityError(
            Problem(str(path), f"is not the table that a summary has ({type(error).__name__})", do)
        ) from None
