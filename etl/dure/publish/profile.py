"""The profile of a project: what leaves the hospital, and in which form. A YAML file; two are shipped."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pyspark.sql import types as T

from dure.cdm.schema import site_tables, table
from dure.errors import ConfigurationError, Problem
from dure.quality.catalogue import Check
from dure.site.yaml_text import Document, closest, read_yaml

SHIPPED = Path(__file__).parent / "profiles"
Text = Annotated[str, Field(min_length=1)]

# Texts that name a person or a place outright: no profile may let them through.
NEVER = frozenset(
    {
        "person.person_source_value",
        "provider.provider_name",
        "provider.npi",
        "provider.dea",
        "provider.provider_source_value",
        "location.address_1",
        "location.address_2",
        "location.city",
        "location.zip",
        "location.county",
        "location.location_source_value",
        "note.note_source_value",
    }
)


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Differs(_Written):
    """Checks, by id or type or a pattern of either, whose result may be another on the copy, and why."""

    check: Text
    why: Text

    def fits(self, check: Check) -> bool:
        return self.check == check.type.name or fnmatchcase(check.id, self.check)


class Profile(_Written):
    """What leaves; the comments of profiles/center.yaml say what each part means."""

    profile_version: Literal["1"]
    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z가-힣_-]{1,40}$")]
    dates: Literal["shifted", "unshifted"]
    oldest_age: Annotated[int, Field(ge=1, le=150)]
    place: Literal["province", "none"]
    persons_a_code: Annotated[int, Field(ge=1)]
    persons_alike: Annotated[int, Field(ge=1)]
    notes: Literal["dropped", "scrubbed"]
    texts: tuple[Text, ...]
    identifiers: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    identifier_files: tuple[Text, ...] = ()
    differs: tuple[Differs, ...] = ()

    @property
    def shifted(self) -> bool:
        return self.dates == "shifted"

    @property
    def digest(self) -> str:
        """SHA-256 of what the profile says, whatever its file's layout and comments."""
        said = self.model_dump(mode="json")
        # Where the lists lie is a matter of this machine.
        said["identifier_files"] = len(self.identifier_files)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_profile(name: str) -> Profile:
    """The shipped profile of that name, else the file of that path; ConfigurationError with file and line."""
    shipped = SHIPPED / f"{name}.yaml"
    file = shipped if shipped.is_file() else Path(name)
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
        raise ConfigurationError(
            Problem("--profile", f"no profile and no file '{name}'", f"shipped are {known}; or name a file")
        )
    document = read_yaml(file)
    if document.problems:
        raise ConfigurationError(document.problems)
    try:
        profile = Profile.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError([_problem(document, item) for item in error.errors()]) from None
    problems = [
        document.problem(("texts", place), found, do)
        for place, text in enumerate(profile.texts)
        for found, do in _faults(text)
    ]
    if problems:
        raise ConfigurationError(problems)
    beside = tuple(str(file.absolute().parent / name) for name in profile.identifier_files)
    return profile.model_copy(update={"identifier_files": beside})


def text_columns() -> frozenset[str]:
    """Every `table.column` of a site's tables that holds text."""
    return frozenset(
        f"{name}.{column.name}"
        for name in site_tables()
        for column in table(name).columns
        if isinstance(column.spark, T.StringType)
    )


def _faults(text: str) -> list[tuple[str, str]]:
    known = text_columns()
    if text not in known:
        return [(f"no text column '{text}'{closest(text, known)}", "write table.column as the CDM names them")]
    if text in NEVER:
        return [(f"{text} names a person or a place", "no profile may publish it: remove the line")]
    if text == "note.note_text" or text.startswith("note_nlp."):
        return [(f"{text} leaves only scrubbed", "remove the line and write `notes: scrubbed`")]
    return []


def _problem(document: Document, item: object) -> Problem:
    assert isinstance(item, dict)
    steps = [step for step in item["loc"] if step != "[key]"]
    found = f"'{steps[-1]}' is missing" if item["type"] == "missing" else str(item["msg"])
    return document.problem(steps, found, "profiles/center.yaml and the guide show the form")
