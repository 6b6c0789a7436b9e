"""The first `site.yaml` of a hospital, from what its files look like: it validates, and everything is yet to be mapped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

import yaml

from dure.site.sniff import Guess

_NOT_YET = "not described yet"
_TABLES = """\
# An entry for each CDM table that a source feeds; take the source out of `ignored` above with its first entry. E.g.
#   person:
#     - {from: SOURCE, birth: COLUMN, gender: {column: COLUMN, map: {M: 8507, F: 8532}}}
#   visit_occurrence:
#     - {from: SOURCE, person: COLUMN, code: {column: COLUMN, map: {O: 9202, I: 9201, E: 9203}}, start: COLUMN}
#   condition_occurrence:
#     - {from: SOURCE, person: COLUMN, visit: COLUMN, code: {column: COLUMN, vocabulary: KCD7}, start: COLUMN}
tables: {}
"""


def draft_spec(site_id: str, name: str, guesses: Sequence[Guess]) -> str:
    """The text of a `site.yaml` that declares every file that can be read and maps none."""
    readable = [guess for guess in guesses if guess.fields]
    usable = list(zip(_source_names(readable), readable, strict=True))
    dates = dict.fromkeys(date for _, guess in usable for date in guess.dates)
    lines = [
        "# Guessed from the files: look at every line, above all at encodings, headers and keys.",
        "spec_version: 1",
        f"site: {{id: {site_id}, name: {_text(name)}, holder: {_text(name)}, timezone: Asia/Seoul}}",
        "# extract_date: the day on which the extract was taken; without it each run needs --as-of",
    ]
    if dates:
        lines.append(f"defaults: {{formats: {_list(dates)}}}")
    lines.append("sources:")
    for source, guess in usable:
        lines += [f"  {source}:", *(f"    {line}" for line in _source(guess))]
    lines.append("ignored:")
    lines += [f"  {source}: {_NOT_YET}" for source, _ in usable]
    lines += [f"  {_text(guess.path)}: {_text(guess.unsure)}" for guess in guesses if not guess.fields]
    return "\n".join(lines) + "\n" + _TABLES


def _source(guess: Guess) -> Iterator[str]:
    if guess.unsure:
        yield f"# {guess.unsure}"
    yield f"path: {_text(guess.path)}"
    if guess.format == "fixed":
        yield "format: fixed"
    if guess.format != "parquet" and guess.encoding != "utf-8":
        yield f"encoding: {guess.encoding}"
    if guess.format == "fixed":
        if guess.unit == "bytes":
            yield "unit: bytes"
        yield f"columns: {{line: [1, {guess.fields}]}}"
    if guess.format == "csv" and guess.delimiter != ",":
        yield f"delimiter: {'tab' if guess.delimiter == chr(9) else _text(guess.delimiter)}"
    if guess.skip_lines:
        yield f"skip_lines: {guess.skip_lines}"
    if guess.format == "csv" and guess.header is None:
        yield f"header: {_list(f'column_{n}' for n in range(1, guess.fields + 1))}"
    if guess.optional:
        yield f"optional: {_list(guess.optional)}  # not every file has it"
    if guess.empty and guess.format != "parquet":
        yield f"may_be_empty: true  # {guess.empty} of {guess.files} files have no byte: is that right?"
    if guess.header:
        yield f"# columns: {_list(guess.header)}"
    if guess.unique:
        yield f"# key: {_list(guess.unique[:1])} tells the first rows apart"
    else:
        yield "# key: the columns that tell rows apart"


def _source_names(guesses: Iterable[Guess]) -> Iterator[str]:
    """A name of ASCII letters from the file's, where it has enough of them; all different."""
    taken: set[str] = set()
    for guess in guesses:
        stem = PurePosixPath(guess.path).name.split(".")[0].lower()
        name = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")
        base = name if re.match(r"[a-z][a-z0-9_]+$", name) and stem.isascii() else "file"
        number, name = 1, base
        while name in taken or name == "file":
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        yield name


def _text(value: str) -> str:
    return _list([value])[1:-1]


def _list(values: Iterable[str]) -> str:
    written: str = yaml.safe_dump(
        list(values), default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return written.strip()
