"""`hospitals.yaml` as people write it; what each key means stands in the guide of the center."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from dure.site.local_concepts import BLOCK, FIRST_LOCAL, LAST_LOCAL
from dure.site.shapes import Closed, Decimal, Name, Names, described, mistake


def _day(value: Any) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-01-01"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise mistake(f"{described(value)} is not a date", "write YYYY-MM-DD, such as 2026-03-31") from None


def _block(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        first = int(value)
        if FIRST_LOCAL <= first <= LAST_LOCAL and not (first - FIRST_LOCAL) % BLOCK:
            return first
    raise mistake(f"{described(value)} begins no block", f"from {FIRST_LOCAL} in steps of {BLOCK}, as in blocks.csv")


def _count(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < len("1000000"):
        return int(value)
    raise mistake(f"{described(value)} is no count", "a whole number, 0 or more")


def _share(value: Any) -> Any:
    if isinstance(value, str) and 0 <= _number(value) <= 1:
        return value
    raise mistake(f"{described(value)} is no share", "a number from 0 to 1, such as 0.95")


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return -1.0


Day = Annotated[date, BeforeValidator(_day)]
Block = Annotated[int, BeforeValidator(_block)]
Count = Annotated[int, BeforeValidator(_count)]


class WrittenKey(Closed):
    """One public key: valid on the days `from` to `until`, never from the day `revoked` on."""

    key: Name
    since: Day = Field(alias="from")
    until: Day | None = None
    revoked: Day | None = None
    signed_by: Name | None = None
    signature: Name | None = None


class WrittenHospital(Closed):
    """One hospital, in the order in which its keys followed each other."""

    name: Name
    consortium: Name | None = None
    local_concepts: Block | None = None
    signing_keys: list[WrittenKey] = Field(min_length=1, alias="keys")


class WrittenConsortium(Closed):
    """One consortium: the block of the concepts that its hospitals share."""

    name: Name | None = None
    local_concepts: Block | None = None


class WrittenPolicy(Closed):
    """What the center asks of a package besides being whole and signed; nothing where nothing is written."""

    profiles: Names | None = None
    vocabularies: Names | None = None
    oldest_days: Count | None = None
    lowest_score: Annotated[Decimal, BeforeValidator(_share)] | None = None
    recomputed_checks: Count = 60
    largest_gib: Count = 200


class WrittenRegistry(Closed):
    """The whole file."""

    hospitals_version: Literal["1"]
    policy: WrittenPolicy = WrittenPolicy()
    shared_blocks: dict[Name, Block] = Field(default_factory=dict)
    consortia: dict[Name, WrittenConsortium] = Field(default_factory=dict)
    hospitals: dict[Name, WrittenHospital] = Field(min_length=1)
