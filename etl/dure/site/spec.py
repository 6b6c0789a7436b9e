"""The spec as written: one model for `site.yaml`, one for `consortium.yaml`."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dure.cdm.roles import spec_tables
from dure.site.arrival import Arrival
from dure.site.entries import Entry, Tables
from dure.site.formats import Format
from dure.site.shapes import Closed, ConceptId, Name, Shape, Whole, YesNo, described, mistake, one_or_many
from dure.site.sources import (
    ChangeFiles,
    DatabaseSource,
    Delimiter,
    Encoding,
    FileSource,
    Identifier,
    LandedSource,
    Source,
    ViewSource,
)
from dure.site.yaml_text import closest

__all__ = [
    "USUAL_NORMALISE",
    "Arrival",
    "ChangeFiles",
    "ConsortiumSpec",
    "DatabaseSource",
    "Defaults",
    "Derive",
    "Entry",
    "FileSource",
    "LandedSource",
    "Merge",
    "Normalise",
    "SiteInfo",
    "Spec",
    "ViewSource",
    "VisitPolicy",
    "Vocabulary",
]

Normalise = Literal["kcd", "edi", "none"]
# How the codes of Athena's Korean vocabularies are written where a spec does not say it.
USUAL_NORMALISE: dict[str, Normalise] = {"KCD7": "kcd", "EDI": "edi"}


def _timezone(value: str) -> str:
    known = zoneinfo.available_timezones()
    if value not in known:
        raise mistake(f"no time zone '{value}'{closest(value, known)}", "a name of the tz database, e.g. Asia/Seoul")
    return value


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.date):
        return value
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day has no zone
    except (TypeError, ValueError):
        raise mistake(f"{described(value)} is not a date", "write YYYY-MM-DD, e.g. 2026-03-31") from None


def _older_words(**words: str) -> BeforeValidator:
    """Accepts a word of the grammar's draft for today's."""
    return BeforeValidator(lambda value: words.get(value, value) if isinstance(value, str) else value)


# ------------------------------------------------------------------------------------------------ shared sections


class Defaults(Closed):
    """What holds for every source and entry that does not say otherwise."""

    encoding: Encoding = "utf-8"
    delimiter: Delimiter = ","
    formats: list[Format] = Field(default_factory=list)
    null_dates: list[str] = Field(default_factory=list)
    null_values: list[str] = Field(default_factory=lambda: [""])
    type_concept_id: ConceptId = 32817  # EHR


class Vocabulary(Closed):
    """How the codes of one vocabulary find their concepts."""

    maps: Annotated[list[Name], BeforeValidator(one_or_many)] = Field(default_factory=list)
    same_as: Name | None = None
    normalise: Normalise | None = None
    fallback: Literal["parent"] | None = None
    many_targets: YesNo = False
    reuses_codes: YesNo = False


class Merge(Closed):
    """Visits of the classes `when` and `followed_by` that are one stay when the second follows soon enough."""

    when: Annotated[list[ConceptId], Field(min_length=1)]
    followed_by: Annotated[list[ConceptId], Field(min_length=1)]
    within_hours: Whole | None = None
    within_days: Whole | None = None
    same_day: YesNo | None = None
    same: list[Literal["care_site", "provider"]] = Field(default_factory=list)
    becomes: ConceptId | None = None

    @model_validator(mode="after")
    def _one_gap(self) -> Merge:
        gaps = [gap for gap in (self.within_hours, self.within_days, self.same_day) if gap is not None]
        if len(gaps) != 1 or gaps[0] is False or (gaps[0] is not True and gaps[0] < 0):
            raise mistake("a merge needs one of within_hours, within_days, same_day", "e.g. within_hours: 24")
        return self


class VisitPolicy(Closed):
    """Which visits are one stay, and what ends a stay that has no end."""

    merge: list[Merge] = Field(default_factory=list)
    open_stay: Annotated[Literal["as_of", "start", "reject"], _older_words(extract_date="as_of")] = "as_of"


class Derive(Closed):
    """What a person's observation periods are made of."""

    observation_period: Annotated[Literal["events", "enrolment"], _older_words(payer_plan_period="enrolment")] = (
        "events"
    )


MapAsWritten = Annotated[
    Annotated[dict[str, str], Field(min_length=1)] | Name, Shape("a map", "{value: target, …} or a CSV file")
]


class ConsortiumSpec(Closed):
    """`consortium.yaml`: what its hospitals share."""

    spec_version: Literal["1"]
    defaults: Defaults = Defaults()
    maps: dict[Identifier, MapAsWritten] = Field(default_factory=dict)
    vocabularies: dict[Name, Vocabulary] = Field(default_factory=dict)
    visit_policy: VisitPolicy = VisitPolicy()


# ------------------------------------------------------------------------------------------------ the whole file


class SiteInfo(Closed):
    """Who the hospital is."""

    id: Identifier
    name: Name
    abbreviation: Name | None = None
    holder: Name
    consortium: Identifier | None = None
    timezone: Annotated[Name, AfterValidator(_timezone)]
    extract_date: Annotated[dt.date, BeforeValidator(_date)] | None = None
    description: Name | None = None


class Spec(ConsortiumSpec):
    """`site.yaml` as written, before the consortium's keys are added."""

    site: SiteInfo
    extract: Arrival = Arrival()
    sources: Annotated[dict[Identifier, Source], Field(min_length=1)]
    derive: Derive = Derive()
    ignored: dict[Name, Name] = Field(default_factory=dict)
    tables: Tables  # type: ignore[valid-type]

    def entries(self) -> Iterator[tuple[str, int, Entry]]:
        """(CDM table, position below the table, entry), in the order in which tables are built."""
        for name in spec_tables():
            for index, entry in enumerate(getattr(self.tables, name)):
                yield name, index, entry
