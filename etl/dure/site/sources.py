"""Where rows come from: files of the extract, queries to databases, and views over them."""

from __future__ import annotations

import codecs
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dure.site.arrival import Duration, Share
from dure.site.arrival import Span as LengthOfTime
from dure.site.database_text import dialect_named, wrong_connection, wrong_query
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


Words = Annotated[list[str], BeforeValidator(one_or_many)]

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


class ChangeFiles(Closed):
    """Files of changes: records with a marker that says what becomes of the row of their key; the last one counts.

    They are read as the full files are; `header` and `columns` where those need them, with the marker among them.
    """

    path: ExtractPaths
    marker: Name
    insert: Words = Field(default_factory=list)
    update: Words = Field(default_factory=list)
    delete: Words = Field(default_factory=list)
    header: Names | None = None
    columns: Annotated[dict[str, Span], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _told_apart(self) -> ChangeFiles:
        if not self.insert and not self.update:
            raise mistake("no value of the marker brings a row", "e.g. insert: [I], update: [U], delete: [D]")
        words = [*self.insert, *self.update, *self.delete]
        if twice := sorted({described(word) for word in words if words.count(word) > 1}):
            raise mistake(f"{', '.join(twice)} of the marker means two things", "give each value once")
        return self


class LandedSource(Headed):
    """Rows that landing brings into the lake; `nfkc` adds `COL_nfkc` beside each column that it names."""

    key: Names | None = None
    keep: Keep | None = None
    exclude: list[Exclude] = Field(default_factory=list)
    null_values: list[str] | None = None
    role: Literal["rows", "lookup"] = "rows"
    left_out: dict[str, Names] = Field(default_factory=dict)
    nfkc: Names | None = None
    at_least: Share | None = None

    @model_validator(mode="after")
    def _rules_told_apart(self) -> LandedSource:
        rules = [rule.rule for rule in self.exclude]
        if len(set(rules)) < len(rules):
            raise mistake("two exclude rules have one name", "rows are counted by rule: give each its own")
        return self


class FileSource(LandedSource):
    """Files of the extract with one layout."""

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
    changes: ChangeFiles | None = None
    max_age: Duration | None = None

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
        if self.changes is not None:
            self._changes_fit(self.changes)
        return self

    def _changes_fit(self, changes: ChangeFiles) -> None:
        if not self.key:
            raise mistake("changes of a source without a key", "key: the columns that say of which row a change is")
        for name in ("header", "columns"):
            if (getattr(self, name) is None) != (getattr(changes, name) is None):
                do = f"give {name} to both: that of the changes has the marker too"
                raise mistake(f"{name} is given to the full files or to the changes alone", do)
        if self.optional and changes.marker in self.optional:
            raise mistake(f"the marker {changes.marker} is among the optional columns", "take it out of optional")


def _connection(value: str) -> str:
    if wrong := wrong_connection(value):
        raise mistake(*wrong)
    return value


def _more_than_none(value: int) -> int:
    if value < 1:
        raise mistake(f"{value} is too few", "1 or more")
    return value


Positive = Annotated[Whole, AfterValidator(_more_than_none)]


class DatabaseSource(LandedSource):
    """The rows of one SELECT in a database, read in ranges of `partition_on` where that is given."""

    HEAD: ClassVar[str] = "connection"
    connection: Annotated[Name, AfterValidator(_connection)]
    query: Name
    partition_on: Name | None = None
    partitions: Positive | None = None
    batch: Positive = 50_000
    timeout: Duration = LengthOfTime(timedelta(hours=1), "1h")
    retries: Whole = 3

    @model_validator(mode="after")
    def _can_be_asked(self) -> DatabaseSource:
        if wrong := wrong_query(self.query, dialect_named(self.connection)):
            raise mistake(*wrong)
        if self.partitions is not None and self.partition_on is None:
            raise mistake("partitions without partition_on", "partition_on: the column whose ranges they are")
        if not 0 <= self.retries <= 100:
            raise mistake(f"retries: {self.retries}", "how often a lost connection is made again, 0 to 100")
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


Source = Annotated[
    FileSource | DatabaseSource | ViewSource,
    Shape("a source", "{path: …} for files, {connection: …, query: …} for a database or {view: views/….sql, of: …}"),
]
