"""The codes that one hospital gives to facts: a list a column, in the order of the facts, the unknown code at the end."""

from __future__ import annotations

from functools import cache

from dure.demo.generate.catalogue import facts, read


@cache
def coding(hospital: str, column: str, unknown: str = "") -> tuple[str, ...]:
    """The cell of each fact in one column of the hospital's codings; the last is that of a code nobody knows."""
    rows = {row["fact"]: row for row in read(hospital) if row["file"] != "GJ"}
    return (*(rows.get(name, {}).get(column, "") for name in facts().names), unknown)


@cache
def reference_ranges(hospital: str, between: str) -> tuple[str, ...]:
    """The reference range of each fact as text: `70-99`, `<5.0`, `>40` or empty."""
    lows, highs = coding(hospital, "range_low"), coding(hospital, "range_high")
    return tuple(
        f"{low}{between}{high}" if low and high else f"<{high}" if high else f">{low}" if low else ""
        for low, high in zip(lows, highs, strict=True)
    )


@cache
def answers(hospital: str) -> tuple[str, ...]:
    """The text of each categorical answer."""
    return tuple(row[hospital] for row in read("values"))
