"""Where rows come from: files of the extract, and views over them."""

from __future__ import annotations

import codecs
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dure.site.shapes import Closed, Headed, Name, Names, Shape, Whole, YesNo, described, mistake, one_or_many
from dure.site.values import Keep, Where
from dure.site.yaml_text import closest

# ------------------------------------------------------------------------------------------------ small checked texts


def _identifier(value: str) -> str:
    head, rest = value[:1], value[1:]
    if not (
        head.isascii()
        and head.islower()
        and all(c.isascii() and (c.islower() or c.isdigit() or c == "_") for c in rest)
    ):
        raise mistake(f"'{value}' is not a name", "small letters a to z, digits and _, a letter first")
    return value


def _encoding(value: str) -> str:
    try:
        "x".encode(codecs.lookup(value).name)
    except LookupError:
        common = ["utf-8", "utf-8-sig", "cp949", "euc-kr", "utf-16", "latin-1"]
        raise mistake(f"no encoding '{value}'{closest(value, common)}", "e.g. " + ", ".join(common)) from None
    return value


def _delimiter(value: str) -> str:
    value = {"\\t": "\t", "tab": "\t"}.get(value, value)
    if len(value) != 1:
        raise mistake(f"{described(value)} is not a delimiter", "one character, or tab")
    return value


def _quote(value: str) -> str:
    if len(value) > 1:
        raise mistake(f"{described(value)} is not a quote", "one character, or '' for files without quotes")
    return value


def _extract_path(value: str) -> str:
    path = PurePosixPath(value.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or value[1:2] == ":":
        raise mistake(f"'{value}' leaves the extract", "paths are relative to the extract's folder")
    return value


Identifier = Annotated[Name, AfterValidator(_identifier)]
Encoding = Annotated[Name, AfterValidator(_encoding)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
Quote = Annotated[str, AfterValidator(_quote)]
ExtractPaths = Annotated[
    list[Annotated[Name, AfterValidator(_extract_path)]],
    BeforeValidator(one_or_many),
    Field(min_length=1),
]

# ------------------------------------------------------------------------------------------------ sources


class Exclude(Closed):
    """Rows that leave on purpose, counted under the rule's name."""

    rule: Identifier
    where: Where
    reason: Name


def _span(value: Any) -> Any:
    if not isinstance(value, list) or len(value) != 2:
        raise mistake(f"{described(value)} is not a place in a line", "[start, length]; the first place is 1")
    return tuple(value)


def _inside(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] < 1 or value[1] < 1:
        raise mistake(f"[{value[0]}, {value[1]}] is not a place in a line", "[start, length]; the first place is 1")
    return value


Span = Annotated[tuple[Whole, Whole], BeforeValidator(_span), AfterValidator(_inside)]


class FileSource(Headed):
    """Files of the extract with one layout; `nfkc` adds `COL_nfkc` beside each column that it names."""

    HEAD: ClassVar[str] = "path"
    path: ExtractPaths
    format: Literal["csv", "parquet", "fixed"] = "csv"
    unit: Literal["characters", "bytes"] = "characters"
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    quote: Quote | None = None
    header: Names | None = None
    columns: Annotated[dict[str, Span], Field(min_length=1)] | None = None
    skip_lines: Whole = 0
    footer: Annotated[list[Name], BeforeValidator(one_or_many)] = Field(default_factory=list)
    optional: Names | None = None
    may_be_empty: YesNo = False
    key: Names | None = None
    keep: Keep | None = None
    exclude: list[Exclude] = Field(default_factory=list)
    null_values: list[str] | None = None
    role: Literal["rows", "lookup"] = "rows"
    left_out: dict[str, Names] = Field(default_factory=dict)
    nfkc: Names | None = None

    @model_validator(mode="before")
    @classmethod
    def _format_of_name(cls, data: Any) -> Any:
        """`format` may be left out where the file names end in .parquet."""
        if isinstance(data, dict) and "format" not in data:
            paths = data.get("path")
            names = [paths] if isinstance(paths, str) else paths
            if isinstance(names, list) and names and all(isinstance(n, str) and n.endswith(".parquet") for n in names):
                return {**data, "format": "parquet"}
        return data

    @model_validator(mode="after")
    def _fits_its_format(self) -> FileSource:
        if (self.format == "fixed") != (self.columns is not None):
            if self.columns is None:
                raise mistake("format: fixed without columns", "columns: {NAME: [start, length], …}")
            raise mistake(
                "columns without format: fixed", "columns are places in a line; names of a CSV are header: […]"
            )
        if self.unit == "bytes" and self.format != "fixed":
            raise mistake("unit: bytes without format: fixed", "only places in a line are counted in bytes")
        for name in ("delimiter", "quote", "header"):
            if self.format != "csv" and getattr(self, name) is not None:
                raise mistake(f"{name} with format: {self.format}", f"remove {name}; only CSV has it")
        if self.format == "parquet" and (self.encoding or self.skip_lines):
            raise mistake("encoding or skip_lines with format: parquet", "remove it; Parquet carries its own")
        if self.skip_lines < 0:
            raise mistake(f"skip_lines: {self.skip_lines}", "lines to skip before the header, 0 or more")
        if self.footer and self.format != "csv":
            raise mistake(f"footer with format: {self.format}", "leave such lines out by a rule under exclude")
        if self.optional and (self.format == "fixed" or self.header):
            raise mistake("optional in files that do not name their columns", "declare a source for each layout")
        if self.may_be_empty and self.format == "parquet":
            raise mistake("may_be_empty with format: parquet", "Parquet without rows still has its columns; remove it")
        if self.header and len(set(self.header)) < len(self.header):
            twice = sorted({name for name in self.header if self.header.count(name) > 1})
            raise mistake(f"header names {', '.join(twice)} twice", "each column needs its own name")
        rules = [rule.rule for rule in self.exclude]
        if len(set(rules)) < len(rules):
            raise mistake("two exclude rules have one name", "rows are counted by rule: give each its own")
        return self


class Fold(Headed):
    """How a view tells of the rows of another source that it folds.

    `rows` is the view's column that counts them.  `parent` are the columns of the folded source that name, by its key,
    the row of the view's `of` to which a row belongs: one that belongs to none is counted instead of stopping the run.
    """

    HEAD: ClassVar[str] = "rows"
    rows: Name
    parent: Names | None = None


Folded = Annotated[
    Name | Fold, Shape("what a view folds", "the column that counts the rows, or {rows: COL, parent: KEY}")
]


class ViewSource(Headed):
    """A view: one SELECT over sources, whose rows are those of `of`."""

    HEAD: ClassVar[str] = "view"
    view: Name
    of: Name | None = None
    grain: Literal["one", "many"] = "one"
    key: Names | None = None
    folds: dict[str, Folded] = Field(default_factory=dict)
    drops: Name | None = None

    @model_validator(mode="after")
    def _accountable(self) -> ViewSource:
        if not self.of and not self.folds:
            do = "of: the source whose _file and _row it selects, or folds: {source: column that counts its rows}"
            raise mistake("a view must say whose rows it holds", do)
        if self.grain == "many" and not self.key:
            raise mistake("a view of grain many needs its own key", "e.g. key: [PERSON_ID, YEAR, ITEM]")
        if not self.of and any(fold.parent for fold in self.folded.values()):
            raise mistake("folded rows have a parent, but the view has no of", "of: the source of the parents")
        return self

    @property
    def folded(self) -> dict[str, Fold]:
        """The folds, each with all that may be said of it."""
        return {name: Fold(rows=fold) if isinstance(fold, str) else fold for name, fold in self.folds.items()}


Source = Annotated[FileSource | ViewSource, Shape("a source", "{path: …} for files or {view: views/….sql, of: …}")]
