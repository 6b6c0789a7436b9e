"""A project's request file: what it asks for, for what, and by whose approval. Strictly read, errors by file and line."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dure.cdm.schema import table, tables
from dure.center.extract.given import PERSON, given_tables, refusal
from dure.errors import ConfigurationError, Problem
from dure.publish.package_manifest import SMALL
from dure.site.yaml_text import Document, closest, read_yaml

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[0-9A-Za-z가-힣][0-9A-Za-z가-힣_-]{0,59}$")]
ConceptId = Annotated[int, Field(ge=1, lt=2**31)]
Year = Annotated[int, Field(ge=1800, le=2200)]
_FORM = "the guide's page on the center shows the form"


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requester(_Written):
    """Who asks."""

    name: Text
    organisation: Text
    contact: Text | None = None


class Approval(_Written):
    """A decision of a board: an institutional review board (IRB) or a data review board (DRB)."""

    board: Literal["IRB", "DRB"]
    name: Text
    number: Text
    approved: date
    until: date
    source_values: bool = False

    @property
    def reference(self) -> str:
        return f"{self.board} {self.name} {self.number}"


class Period(_Written):
    """Days, both included, on which a record begins."""

    start: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="until")]


class ConceptSet(_Written):
    """Standard concepts; those excluded, with their descendants where `descendants` says so, are not in it."""

    include: Annotated[tuple[ConceptId, ...], Field(min_length=1)]
    exclude: tuple[ConceptId, ...] = ()
    descendants: bool = True


class Born(_Written):
    """Years of birth, both included."""

    start: Annotated[Year, Field(alias="from")]
    end: Annotated[Year, Field(alias="until")]


class Persons(_Written):
    """Who is in it: persons with a record of each set of `having` in the period."""

    having: Annotated[tuple[str, ...], Field(min_length=1)]
    born: Born | None = None
    sex: tuple[ConceptId, ...] = ()
    at_most: Annotated[int, Field(ge=1)] | None = None


class Table(_Written):
    """One table: rows of any of the sets (of all, where none is named), and the columns in place of the usual ones."""

    concepts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class Request(_Written):
    """What a project asks for."""

    request_version: Literal["1"]
    project: Name
    title: Text
    purpose: Text
    requester: Requester
    approvals: Annotated[tuple[Approval, ...], Field(min_length=1)]
    valid_until: date
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    sites: Annotated[tuple[str, ...], Field(min_length=1)]
    period: Period
    concepts: Annotated[dict[Name, ConceptSet], Field(min_length=1)]
    persons: Persons
    tables: Annotated[dict[str, Table], Field(min_length=1)]
    dates: Literal["day", "month", "year"] = "day"
    source_values: Literal["dropped", "kept"] = "dropped"
    smallest: Annotated[int, Field(ge=SMALL)] = SMALL

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns of a table that is asked for, in the order of the CDM; always the person's among them."""
        asked = {PERSON, *self.tables[name].columns} if self.tables[name].columns else set(given_tables()[name].columns)
        return tuple(column for column in table(name).names if column in asked)


class RequestFile:
    """A request file as it lies there: its SHA-256 is known before anything in it is believed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.digest = self._digest()
        self._document = read_yaml(path)

    def problem(self, steps: tuple[str | int, ...], found: str, do: str = "") -> Problem:
        """A problem with the line of a part of the request."""
        return self._document.problem(steps, found, do)

    def read(self) -> Request:
        """The request; ConfigurationError with every fault and its line."""
        if self._digest() != self.digest:
            raise ConfigurationError(Problem(str(self._path), "changed while it was read", "run again"))
        if self._document.problems:
            raise ConfigurationError(self._document.problems)
        try:
            request = Request.model_validate(self._document.data)
        except ValidationError as error:
            raise ConfigurationError([_problem(self._document, item) for item in error.errors()]) from None
        problems = [self.problem(steps, found, do) for steps, found, do in _faults(request)]
        if problems:
            raise ConfigurationError(problems)
        return request

    def _digest(self) -> str:
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:
            do = "name a request file"
            raise ConfigurationError(Problem(str(self._path), f"cannot be read: {error.strerror}", do)) from None


_Fault = tuple[tuple[str | int, ...], str, str]


def _faults(request: Request) -> list[_Fault]:
    return [*_period_faults(request), *_set_faults(request), *_table_faults(request), *_repeated(request)]


def _period_faults(request: Request) -> list[_Fault]:
    found: list[_Fault] = []
    if request.period.start > request.period.end:
        found.append((("period", "from"), "begins after it ends", "swap the days"))
    born = request.persons.born
    if born and born.start > born.end:
        found.append((("persons", "born", "from"), "begins after it ends", "swap the years"))
    most = request.persons.at_most
    if most is not None and most < request.smallest:
        found.append((("persons", "at_most"), f"{most} persons are fewer than {request.smallest}", "ask for more"))
    for place, approval in enumerate(request.approvals):
        if approval.approved > approval.until:
            found.append((("approvals", place, "until"), "ends before it was given", "correct the days"))
    return found


def _set_faults(request: Request) -> list[_Fault]:
    used: set[str] = set()
    found: list[_Fault] = []
    places: list[tuple[tuple[str | int, ...], str]] = [
        (("persons", "having", place), name) for place, name in enumerate(request.persons.having)
    ]
    for table_name, asked in request.tables.items():
        places += [(("tables", table_name, "concepts", place), name) for place, name in enumerate(asked.concepts)]
    for steps, name in places:
        used.add(name)
        if name not in request.concepts:
            do = "name a set that `concepts` defines"
            found.append((steps, f"no concept set '{name}'{closest(name, request.concepts)}", do))
    found += [
        (("concepts", name), f"the set '{name}' is used nowhere", "use it, or remove it")
        for name in request.concepts
        if name not in used
    ]
    return found


def _table_faults(request: Request) -> list[_Fault]:
    known = given_tables()
    texts = request.source_values == "kept" and any(approval.source_values for approval in request.approvals)
    found: list[_Fault] = []
    for name, asked in request.tables.items():
        steps: tuple[str | int, ...] = ("tables", name)
        if name not in known:
            do = f"projects are given {', '.join(known)}"
            fault = (
                f"{name} is not given to projects" if name in tables() else f"no table '{name}'{closest(name, known)}"
            )
            found.append((steps, fault, do))
            continue
        if asked.concepts and not known[name].concept:
            do = "remove `concepts`: its rows are those of the persons chosen"
            found.append(((*steps, "concepts"), f"{name} has no concept of its own", do))
        for place, column in enumerate(asked.columns):
            here = (*steps, "columns", place)
            if column not in table(name).names:
                found.append(
                    (here, f"no column '{column}' in {name}{closest(column, table(name).names)}", "see the CDM")
                )
            elif why := refusal(name, column, request.dates, texts):
                found.append((here, *why))
    return found


def _repeated(request: Request) -> list[_Fault]:
    lists: list[tuple[tuple[str | int, ...], tuple[object, ...]]] = [
        (("sites",), request.sites),
        (("persons", "having"), request.persons.having),
        *((("tables", name, "columns"), asked.columns) for name, asked in request.tables.items()),
    ]
    return [
        ((*steps, place), f"'{each}' is listed twice", "remove one")
        for steps, those in lists
        for place, each in enumerate(those)
        if each in those[:place]
    ]


def _problem(document: Document, item: object) -> Problem:
    assert isinstance(item, dict)
    steps = [step for step in item["loc"] if step != "[key]"]
    kind = item["type"]
    if kind == "missing":
        found = f"'{steps[-1]}' is missing"
    elif kind == "extra_forbidden":
        found = f"'{steps[-1]}' is no part of a request"
    else:
        found = str(item["msg"])
    return document.problem(steps, found, _FORM)
