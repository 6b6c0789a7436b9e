"""The names and numbers of patients that a profile says where to find: landed columns and private lists, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds

from dure.errors import ConfigurationError, Problem
from dure.publish.deidentify.scan import Identifiers
from dure.publish.private_keys import private_content
from dure.site.yaml_text import closest


def read_identifiers(landing: Path, named: Mapping[str, tuple[str, ...]], lists: Sequence[str] = ()) -> Identifiers:
    """The values of the named columns, and the lines of the lists (UTF-8 or CP949, private like a key).

    Raises ConfigurationError where the landing has no such source or column, or a list cannot be read.
    """
    values: set[str] = set()
    for path in lists:
        values.update(_lines(Path(path)))
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
                do = "columns that no entry reads are not landed: give a list under identifier_files"
                problems.append(Problem(f"identifiers.{source}", found, do))
                continue
            for batch in data.to_batches(columns=[column]):
                values.update(pc.unique(batch.column(0).drop_null()).to_pylist())
    if problems:
        raise ConfigurationError(problems)
    return Identifiers.of(values)


def _lines(path: Path) -> list[str]:
    content = private_content(path)
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    raise ConfigurationError(Problem(str(path), "is neither UTF-8 nor CP949 text", "one name a line, as UTF-8"))
