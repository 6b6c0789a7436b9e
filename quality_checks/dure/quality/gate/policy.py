"""The policy of the gate and its waivers, as files: what closes it, and what is let through, why and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dure.cdm.schema import tables
from dure.errors import ConfigurationError, Problem
from dure.quality.catalogue import Severity, dqd_types, suites_folder
from dure.quality.own_catalogue import own_types
from dure.site.yaml_text import Document, closest, read_yaml

POLICY, WAIVERS = "policy.yaml", "waivers.yaml"
Text = Annotated[str, Field(min_length=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Rule = Literal["closes", "floors", "warns"]
_Model = TypeVar("_Model", bound="_Written")


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Policy(_Written):
    """What closes the gate; the comments of suites/policy.yaml say what each part means."""

    policy_version: Literal["1"]
    severities: dict[Severity, Rule]
    floors: dict[str, Percent]
    required_tables: tuple[Text, ...]
    outside: dict[str, Text] = Field(default_factory=dict)

    def floor(self, check_type: str) -> float:
        """The percentage that must be right for a type of check."""
        return self.floors.get(check_type, self.floors.get("default", 100.0))


class Waiver(_Written):
    """One check of one site that may fail until the end of the day `expires`; somebody's role answers for it."""

    check: Text
    site: Text
    reason: Text
    owner_role: Text
    expires: date


class _Waivers(_Written):
    waivers: tuple[Waiver, ...]


def read_policy(site_folder: Path | None) -> Policy:
    """The policy of a site's folder, else the one that is shipped; raises ConfigurationError with file and line."""
    own = site_folder / POLICY if site_folder else None
    document, policy = _read(own if own and own.is_file() else suites_folder() / POLICY, Policy)
    if problems := list(_unknown(document, policy)):
        raise ConfigurationError(problems)
    return policy


def read_waivers(site_folder: Path | None) -> tuple[Waiver, ...]:
    """The waivers of a site's folder; none where it has no such file. Raises ConfigurationError with file and line."""
    file = site_folder / WAIVERS if site_folder else None
    return _read(file, _Waivers)[1].waivers if file and file.is_file() else ()


def _unknown(document: Document, policy: Policy) -> Iterator[Problem]:
    """Names that a policy says something of and that nothing has: a floor under them would hold nothing."""
    types = {"default", *dqd_types(), *own_types()}
    for name in policy.floors:
        if name not in types and not name.startswith("expect_"):
            do = "write a check type, as results.json and --explain name it"
            yield document.problem(("floors", name), f"no check type '{name}'{closest(name, types)}", do)
    for place, name in enumerate(policy.required_tables):
        if name not in tables():
            found = f"no table '{name}'{closest(name, tables())}"
            yield document.problem(("required_tables", place), found, "write a table of the CDM in small letters")


def _read(file: Path, model: type[_Model]) -> tuple[Document, _Model]:
    document = read_yaml(file)
    if document.problems:
        raise ConfigurationError(document.problems)
    try:
        return document, model.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError([_problem(document, item) for item in error.errors()]) from error


def _problem(document: Document, item: object) -> Problem:
    assert isinstance(item, dict)
    steps = [step for step in item["loc"] if step != "[key]"]
    found = f"'{steps[-1]}' is missing" if item["type"] == "missing" else str(item["msg"])
    return document.problem(steps, found, f"the shipped {POLICY} and the guide show the form")
