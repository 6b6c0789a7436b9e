"""What a site says of how its extracts arrive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from dure.site.shapes import Closed, Decimal, Name, described, mistake

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Span:
    """A length of time, and the text that gave it."""

    span: timedelta
    text: str


def _span(value: Any) -> Any:
    if isinstance(value, Span):
        return value
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if match is None or match[1].strip("0") == "":
        raise mistake(f"{described(value)} is not a length of time", "a number with s, m, h or d, e.g. 36h")
    return Span(timedelta(**{_UNITS[match[2]]: int(match[1])}), match[0])


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise mistake(f"{value:g} is not a share", "0 to 1, e.g. 0.8")
    return value


Duration = Annotated[Span, BeforeValidator(_span)]
Share = Annotated[Decimal, AfterValidator(_share)]


class Arrival(Closed):
    """`extract` of the spec: when an extract is ready to be read."""

    ready: Name | None = None
    max_age: Duration | None = None
    settled: Duration | None = None
    at_least: Share = 0.5
