"""Date formats in the letters that both engines read alike, checked when the spec is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from dure.site.shapes import described, mistake

_LETTERS = "letters: y M d H h m s S a X; other text in '…'"
_MISTAKEN = {
    "Y": "write yyyy (YYYY is the week-based year)",
    "D": "write dd (DD is the day of the year)",
    "n": "write mm for minutes (n means nothing here)",
    "Z": "write X for an offset such as Z or +09:00, or 'Z' in quotes for the bare letter",
    "T": "write 'T' in quotes",
}


def checked_format(value: object) -> str:
    """The format itself, where it says a year, a month and a day in known letters."""
    if not isinstance(value, str) or not value:
        raise mistake(f"{described(value)} is not a date format", "e.g. yyyyMMdd or yyyy-MM-dd HH:mm:ss")
    name = f"date format '{value}'"
    if "%" in value:
        raise mistake(f"{name} is Python's", "write Spark's letters: %Y%m%d is yyyyMMdd")
    bare = re.sub(r"'[^']*'", "", value)
    if "'" in bare:
        raise mistake(f"{name}: a quote is not closed", _LETTERS)
    for letter, words in _MISTAKEN.items():
        if letter in bare:
            raise mistake(f"{name}: {words}", _LETTERS)
    strange = sorted(set(re.findall(r"[^yMdHhmsSaX \-./:,_]", bare)))
    if strange:
        raise mistake(f"{name} holds {', '.join(strange)}, which means nothing", _LETTERS)
    if "y" not in bare:
        raise mistake(f"{name} has no year (y)", _LETTERS)
    if "M" not in bare:
        hint = "months are MM, minutes are mm" if "mm" in bare else "for a year alone write {year: COL, day: first}"
        raise mistake(f"{name} has no month (M)", hint)
    if "d" not in bare:
        raise mistake(f"{name} has no day (d)", "for a month write {month: COL, day: first}, middle or last")
    if "h" in bare and "a" not in bare:
        raise mistake(f"{name}: hh is the hour of a 12-hour clock without its half (a)", "write HH for 0 to 23")
    return value


Format = Annotated[str, BeforeValidator(checked_format)]
