"""The names and numbers of patients that a profile says where to find: read from the landed extract, and kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds

from dure.errors import ConfigurationError, Problem
from dure.publish.deidentify.scan import Identifiers
from dure.site.yaml_text import closest


def read_identifiers(landing: Path, named: Mapping[str, tuple[str, ...]]) -> Identifiers:
    """The values of the named columns; raises ConfigurationError where the landing has no such source or column."""
    values: set[str] = set()
    problems: list[Problem] = []
    for source, columns in named.items():
        files = sorted((landing / source).glob("*.parquet"))
        if not files:
            sources = [path.name for path in landing.iterdir() if path.is_dir()] if landing.is_dir() else []
            problems.append(
                Problem(f"identifiers.{source}", f"no such landed source{closest(source, sources)}", "see landing")
            )
            continue
        data = ds.dataset(files)
        for column in columns:
            if column not in data.schema.names:
                found = f"no landed column '{column}'{closest(column, data.schema.names)}"
                do = "a column that the site's spec leaves out is not landed: keep it in the spec, or drop the line"
                problems.append(Problem(f"identifiers.{source}", found, do))
                continue
            for batch in data.to_batches(columns=[column]):
                values.update(pc.unique(batch.column(0).drop_null()).to_pylist())
    if problems:
        raise ConfigurationError(problems)
    return Identifiers.of(values)
