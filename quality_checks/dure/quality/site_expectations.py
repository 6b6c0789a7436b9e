"""What a hospital adds: expectations of Great Expectations, written in `expectations.yaml` of the site's folder.

    measurement:
      - type: expect_column_values_to_be_between
        kwargs: {column: value_as_number, min_value: 0, max_value: 100000, mostly: 0.999}
        severity: convention
        meta: {owner: 진단검사의학과}

They run in the suite of their table, after Dure's own, by Great Expectations' own metrics: one engine action or more
each. Only counts are taken from what they find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from great_expectations.exceptions.exceptions import ExpectationNotFoundError
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.registry import list_registered_expectation_implementations
from pydantic.v1 import ValidationError

from dure.cdm.schema import CdmTable, site_tables, tables
from dure.errors import ConfigurationError, Problem
from dure.quality.catalogue import Check, CheckType, Severity
from dure.quality.counting.outcome import Inapplicable, Judged, Outcome, Uncountable
from dure.quality.gate.site_files import EXPECTATIONS
from dure.quality.own_catalogue import no_needs
from dure.site.yaml_text import Document, Step, closest, read_yaml

LEVEL = "site"
ID = "dure_check_id"
_KEYS = ("type", "kwargs", "severity", "id", "meta")
# Arguments of expectations that name one column or several.
_COLUMNS = ("column", "column_A", "column_B", "column_list", "column_set")
_KAHN = {"kahn_context": "Validation", "kahn_category": "Plausibility", "kahn_subcategory": ""}


@dataclass(frozen=True)
class SiteExpectation:
    """One expectation of a hospital: the check that it is reported as, and what Great Expectations is told."""

    check: Check
    kwargs: Mapping[str, Any]
    meta: Mapping[str, Any]

    def expectation(self) -> Expectation:
        """The expectation as a suite holds it."""
        meta = {**self.meta, ID: self.check.id, "severity": self.check.type.severity.value}
        made: Expectation = ExpectationConfiguration(
            type=self.check.type.name, kwargs=dict(self.kwargs), meta=meta
        ).to_domain_obj()
        return made


def read_expectations(site_folder: Path | None) -> tuple[SiteExpectation, ...]:
    """The expectations of a site's folder, none where it has no such file.

    Raises ConfigurationError that names every mistake with file and line.
    """
    file = site_folder / EXPECTATIONS if site_folder else None
    if file is None or not file.is_file():
        return ()
    document = read_yaml(file)
    if document.problems:
        raise ConfigurationError(document.problems)
    reader = _Reader(document)
    # The document knows the lines; what stands there is typed as YAML types it, since it becomes arguments.
    typed = _Typed(file.read_text("utf-8-sig"))
    found = list(reader.expectations(typed.get_single_data()))
    reader.problems += [Problem(f"{document.file}:{line}", found, do) for line, found, do in typed.wrong]
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return tuple(found)


def outcome_of(item: Any, rows: int) -> Outcome:
    """What a result of Great Expectations says, in counts; a table without rows is no pass."""
    if rows == 0:
        return Inapplicable("the table is empty")
    result = item.result or {}
    if error := _error(item.exception_info):
        return Uncountable(f"Great Expectations could not compute it: {error}")
    if "element_count" in result and "unexpected_count" in result:
        looked_at = result["element_count"] - result.get("missing_count", 0)
        if looked_at == 0:
            return Inapplicable("every row is empty there")
        return Judged(bool(item.success), int(result["unexpected_count"]), int(looked_at))
    return Judged(bool(item.success), 0 if item.success else 1, 1)


def _error(information: Any) -> str:
    """The class of the error that stopped an expectation, '' where none did; its message may show a value."""
    if not isinstance(information, Mapping):
        return ""
    if "raised_exception" in information:
        each: Sequence[Any] = [information] if information["raised_exception"] else []
    else:
        each = list(information.values())
    for one in each:
        lines = [line for line in str(one.get("exception_traceback") or "").splitlines() if line[:1].strip()]
        kind = lines[-1].split(":")[0] if lines else ""
        return kind.rsplit(".", 1)[-1] if kind.replace(".", "").replace("_", "").isalnum() else "an error"
    return ""


class _Typed(yaml.SafeLoader):
    """Values as YAML types them; `wrong` are those that it cannot make, each as (line, what was found, what to do)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.wrong: list[tuple[int, str, str]] = []

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """The value of a node; a day such as 2026-02-30 has none."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, yaml.constructor.ConstructorError):
            kind = node.tag.rpartition(":")[2]
            self.wrong.append((node.start_mark.line + 1, f"reads as a {kind}, but is none", "correct it, or quote it"))
            return None


class _Reader:
    """Turns the file's content into expectations and collects what is wrong with it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._ids: set[str] = set()

    def expectations(self, content: Any) -> Iterator[SiteExpectation]:
        if not isinstance(content, dict):
            self._wrong((), "not a mapping", "write the name of a table, and below it a list of expectations")
            return
        for name, entries in content.items():
            if name not in site_tables():
                self._wrong((str(name),), f"no table '{name}' in a snapshot{closest(str(name), site_tables())}")
            elif not isinstance(entries, list):
                self._wrong((name,), "not a list", "begin each expectation with '- type:'")
            else:
                for place, entry in enumerate(entries):
                    yield from self._entry(tables()[name], (name, place), entry)

    def _entry(self, table: CdmTable, at: tuple[Step, ...], entry: Any) -> Iterator[SiteExpectation]:
        before = len(self.problems)
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            self._wrong(at, "no type", "write type: expect_... and kwargs: {...}")
            return
        for key in entry.keys() - set(_KEYS):
            self._wrong((*at, key), f"unknown key '{key}'{closest(str(key), _KEYS)}")
        kwargs, meta = entry.get("kwargs") or {}, entry.get("meta") or {}
        for key, value in (("kwargs", kwargs), ("meta", meta)):
            if not isinstance(value, dict):
                self._wrong((*at, key), "not a mapping", f"write {key}: {{name: value}}")
        severity = entry.get("severity", Severity.CHARACTERIZATION.value)
        if severity not in [each.value for each in Severity]:
            known = ", ".join(each.value for each in Severity)
            self._wrong((*at, "severity"), f"no severity '{severity}'", f"write one of {known}")
        if len(self.problems) > before:
            return
        self._columns(table, at, kwargs)
        check = self._check(table, at, entry, Severity(severity), kwargs, meta)
        made = SiteExpectation(check, {name: _plain(value) for name, value in kwargs.items()}, meta)
        self._try(at, made)
        yield made

    def _check(
        self,
        table: CdmTable,
        at: tuple[Step, ...],
        entry: Mapping[str, Any],
        severity: Severity,
        kwargs: Mapping[str, Any],
        meta: Mapping[str, Any],
    ) -> Check:
        name = entry.get("id", f"{int(at[-1]) + 1}")
        check_id = f"site_{table.name}_{name}".lower()
        if check_id in self._ids:
            self._wrong((*at, "id"), f"the id '{name}' is given twice for this table")
        self._ids.add(check_id)
        kahn = {key: str(meta.get(key, default)) for key, default in _KAHN.items()}
        column, mostly = kwargs.get("column"), kwargs.get("mostly", 1)
        return Check(
            id=check_id,
            type=CheckType(
                name=entry["type"],
                level=LEVEL,
                severity=severity,
                context=kahn["kahn_context"],
                category=kahn["kahn_category"],
                subcategory=kahn["kahn_subcategory"],
                deprecated=False,
                description=f"An expectation of the hospital: {entry['type']}.",
            ),
            table=table.name,
            field=column if isinstance(column, str) else None,
            concept_ids=(),
            threshold=round(100 * (1 - mostly), 6) if isinstance(mostly, int | float) else 0.0,
            given=no_needs(),
        )

    def _columns(self, table: CdmTable, at: tuple[Step, ...], kwargs: Mapping[str, Any]) -> None:
        for key in _COLUMNS:
            value = kwargs.get(key, [])
            for name in [value] if isinstance(value, str) else value:
                if name not in table.names:
                    hint = closest(str(name), table.names)
                    self._wrong((*at, "kwargs", key), f"{table.name} has no column '{name}'{hint}")

    def _try(self, at: tuple[Step, ...], made: SiteExpectation) -> None:
        """Lets Great Expectations say what is wrong with the type and its arguments."""
        name = made.check.type.name
        if not name.startswith("expect_"):
            # Such as a query of the user's: it would bring rows of patients out of the engine.
            self._wrong((*at, "type"), f"'{name}' does not count", "write a type that begins with expect_")
            return
        try:
            made.expectation()
        except ExpectationNotFoundError:
            hint = closest(name, list_registered_expectation_implementations())
            self._wrong((*at, "type"), f"Great Expectations has no '{name}'{hint}")
        except ValidationError as error:
            for mistake in error.errors():
                argument = next((str(step) for step in mistake["loc"] if step != "__root__"), "")
                self._wrong((*at, "kwargs", argument), f"{argument or name}: {mistake['msg']}")

    def _wrong(self, at: Sequence[Step], found: str, do: str = "the guide's page on quality shows the form") -> None:
        self.problems.append(self.document.problem(at, found, do))


def _plain(value: Any) -> Any:
    """A value as JSON has it: YAML reads 2020-01-01 as a date, which Great Expectations takes as text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value
