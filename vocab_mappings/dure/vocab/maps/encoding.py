"""The encoding of a file from its bytes: a byte order mark, UTF-8, UTF-16 without a mark, or CP949 (EUC-KR within it).

CP949 has no mark, and text of another code page can look like it. So it is believed only where nothing else fits and
what it gives is Korean: mostly syllables, and mostly ones that EUC-KR already had.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from dure.errors import ConfigurationError, Problem

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SYLLABLES = ("가", "힣")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's text became bytes: the codec, and the mark before it."""

    codec: str
    mark: bytes = b""

    def encode(self, text: str) -> bytes:
        return self.mark + text.encode(self.codec)


def decoded(where: str, content: bytes) -> tuple[str, Encoding]:
    """The text and its encoding; raises ConfigurationError where it is none of those known here."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return _strictly(where, content[len(mark) :], codec), Encoding(codec, mark)
    if content.count(0) * 5 > len(content):
        codec = _utf_16(content)
        return _strictly(where, content, codec), Encoding(codec)
    try:
        return content.decode("utf-8"), Encoding("utf-8")
    except UnicodeDecodeError as error:
        korean = _korean(content)
        if korean is not None:
            return korean, Encoding("cp949")
        line = content[: error.start].count(b"\n") + 1
        found = "not UTF-8, nor Korean text in CP949"
        raise ConfigurationError(Problem(f"{where}:{line}", found, "save the map as CSV UTF-8")) from error


def _strictly(where: str, content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        found = f"begins as {codec.upper()} but is not"
        raise ConfigurationError(Problem(where, found, "save the map as CSV UTF-8")) from error


def _utf_16(content: bytes) -> str:
    """Latin letters and commas have their zero byte second in the little-endian form."""
    return "utf-16-le" if content[1::2].count(0) >= content[::2].count(0) else "utf-16-be"


def _korean(content: bytes) -> str | None:
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return None
    syllables = [letter for letter in text if _SYLLABLES[0] <= letter <= _SYLLABLES[1]]
    foreign = sum(letter > "\x7f" for letter in text) - len(syllables)
    common = sum(1 for letter in syllables if _in_euc_kr(letter))
    return text if syllables and len(syllables) >= foreign and common * 2 > len(syllables) else None


def _in_euc_kr(syllable: str) -> bool:
    """Whether EUC-KR has the syllable itself; Python's codec spells the others with eight bytes."""
    return len(syllable.encode("euc_kr")) == 2
