"""Conditions of our own checks that one row decides: (violated, denominator), as SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dure.quality.catalogue import Check

# Year, month and day that exist (29 February in any year), at most one separator, seven digits, and no digit beside
# them. Without a separator no Latin letter either, as in keys such as NT1602291234567. The old check digit is not asked
# for: numbers issued since October 2020 have none.
_DAY = "(0[13578]|1[02])(0[1-9]|[12][0-9]|3[01])|(0[469]|11)(0[1-9]|[12][0-9]|30)|02(0[1-9]|[12][0-9])"
_BIRTH = f"[0-9]{{2}}({_DAY})"
RESIDENT_NUMBER = (
    f"((^|[^0-9]){_BIRTH}[-–—‐_./ ][0-9]{{7}}([^0-9]|$)|(^|[^0-9A-Za-z]){_BIRTH}[0-9]{{7}}([^0-9A-Za-z]|$))"
)
# Korean products carry a 13-digit bar code that begins with 880, which reads as a birth in 1988 as well.
BAR_CODE = "^880[0-9]{10}$"
FULL_WIDTH, ASCII = "０１２３４５６７８９－", "0123456789-"


def bar_code_sum(text: str) -> str:
    """SQL: the weighted sum of a 13-digit bar code, a multiple of 10 where its check digit is right."""
    return " + ".join(f"cast(substring({text}, {i}, 1) as int) * {3 if i % 2 == 0 else 1}" for i in range(1, 14))


def own_row_condition(check: Check) -> tuple[str, str] | None:
    """The condition of a check of ours that one row of its table decides, else None."""
    made = _ROWS.get(check.type.name)
    return made(check) if made else None


def _bigint(check: Check) -> tuple[str, str]:
    at = f"`{check.field}`"
    return f"{at} is not null and not cast({at} as string) rlike '^[-+]?[0-9]+$'", "true"


def _id_range(check: Check) -> tuple[str, str]:
    at = f"`{check.field}`"
    return f"{at} < 1 or {at} > {check['highest']}", f"{at} is not null"


def _resident_number(check: Check) -> tuple[str, str]:
    at = f"`{check.field}`"
    text = f"translate({at}, '{FULL_WIDTH}', '{ASCII}')"
    bar_code = f"case when {text} rlike '{BAR_CODE}' then ({bar_code_sum(text).replace('cast(', 'try_cast(')}) % 10 = 0 else false end"
    return f"length({at}) >= 13 and {text} rlike '{RESIDENT_NUMBER}' and not {bar_code}", f"{at} is not null"


_ROWS: Mapping[str, Callable[[Check], tuple[str, str]]] = {
    "bigintDatatype": _bigint,
    "idRange": _id_range,
    "residentNumber": _resident_number,
}
