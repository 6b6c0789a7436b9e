"""One row of a map in Dure's own terms, whichever format it was read from.

A cell is *canonical* when it has no white space around it, is empty where the file holds a placeholder for nothing,
and spells status, equivalence, mapping type and moments as Dure does. Codes and descriptions keep their text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LARGEST_CONCEPT_ID = 2**31 - 1
# What exports write where they mean an empty cell.
PLACEHOLDERS = frozenset(
    {"", "NA", "N/A", "#N/A", "NULL", "(NULL)", "NONE", "NAN", "NIL", "-", "--", ".", "?", "\\N", "없음", "해당없음"}
)
_LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))
APPROVED = "approved"
MAPS_TO, MAPS_TO_VALUE, MAPS_TO_UNIT, MAPS_TO_OPERATOR = (
    "Maps to",
    "Maps to value",
    "Maps to unit",
    "Maps to operator",
)
MAPPING_TYPES = (MAPS_TO, MAPS_TO_VALUE, MAPS_TO_UNIT, MAPS_TO_OPERATOR)
STATUSES = ("approved", "unchecked", "auto_mapped", "auto_mapped_to_1", "flagged", "ignored", "invalid_target")
EQUIVALENCES = ("equal", "equivalent", "wider", "narrower", "inexact", "unmatched")
# Usagi's words of several releases, and SSSOM's for the same.
_SPELLED_TYPES = {name.upper().replace(" ", "_"): name for name in MAPPING_TYPES} | {
    "EVENT": MAPS_TO,
    "VALUE": MAPS_TO_VALUE,
    "UNIT": MAPS_TO_UNIT,
    "OPERATOR": MAPS_TO_OPERATOR,
}
_VERBATIM = frozenset({"source_code", "description", "description_en", "description_ko", "comment", "unit"})
_MOMENTS = frozenset({"authored_on", "reviewed_on"})
# Fields whose words have more than one spelling.
_SPELLED = _MOMENTS | {"status", "equivalence", "mapping_type", "match_score", "frequency"}
# What Usagi writes, and wants to read, where there is nothing to say.
_USAGI_NOTHING = {"match_score": "0", "frequency": "-1"}
_USAGI_EMPTY = {
    "match_score": "0.0", "frequency": "-1", "equivalence": "UNREVIEWED", "mapping_type": "MAPS_TO",
    "target_concept_id": "0", "reviewed_on": "0", "authored_on": "0",
}  # fmt: skip
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
_ISO = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{3})Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND = " \t\r\n\xa0\u200b\ufeff\u3000"
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One row of a map: every field as canonical text, empty where the file has nothing.

    `row` is the line on which it begins in the file, or its row in the sheet; `extra` are the file's own columns.
    """

    row: int
    source_vocabulary_id: str = ""
    source_code: str = ""
    code_type: str = ""
    specimen: str = ""
    unit: str = ""
    description: str = ""
    description_en: str = ""
    description_ko: str = ""
    source_concept_id: str = ""
    source_domain_id: str = ""
    frequency: str = ""
    target_concept_id: str = ""
    target_concept_name: str = ""
    target_vocabulary_id: str = ""
    target_domain_id: str = ""
    target_standard_concept: str = ""
    target_concept_class_id: str = ""
    target_concept_code: str = ""
    mapping_type: str = ""
    equivalence: str = ""
    status: str = ""
    match_score: str = ""
    auto_assigned_concept_ids: str = ""
    author: str = ""
    authored_on: str = ""
    reviewer: str = ""
    reviewed_on: str = ""
    assigned_reviewer: str = ""
    valid_start_date: str = ""
    valid_end_date: str = ""
    invalid_reason: str = ""
    comment: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    needs_status: bool = False

    @property
    def target(self) -> int | None:
        """The target's concept id; 0 says that there is none, None that the cell is no concept id."""
        return concept_id(self.target_concept_id)

    @property
    def approved(self) -> bool:
        """Whether the row may be applied: its status is `approved`, or its file has no column of statuses."""
        return not self.needs_status or self.status == APPROVED

    @property
    def kind(self) -> str:
        """The mapping type; a row without one says `Maps to`."""
        return self.mapping_type or MAPS_TO

    @property
    def english(self) -> str:
        """What the file says in English: its own column, else the parts of the description without Hangul."""
        return self.description_en or "; ".join(part for part in self._parts() if not _HANGUL.search(part))

    @property
    def korean(self) -> str:
        """What the file says in Korean: its own column, else the parts of the description with Hangul."""
        return self.description_ko or "; ".join(part for part in self._parts() if _HANGUL.search(part))

    def _parts(self) -> list[str]:
        parts = (part.strip() for part in self.description.split("; "))
        return [part for part in parts if not is_placeholder(part)]


def concept_id(text: str) -> int | None:
    """The concept id that a cell holds; None where it holds anything else, a float among them."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_CONCEPT_ID:
        return int(text)
    return None


def is_placeholder(text: str) -> bool:
    """Whether a cell is blank or holds what exports write for nothing."""
    return text.strip(_AROUND).upper() in PLACEHOLDERS


def canonical(name: str, cell: str) -> str:
    """The canonical text of one field's cell."""
    text = cell.strip(_AROUND)
    if name in _VERBATIM or not text:
        return text
    if len(text) <= _LONGEST_PLACEHOLDER and text.upper() in PLACEHOLDERS:
        return ""
    if name not in _SPELLED:
        return text
    if name in ("status", "equivalence"):
        return "" if text.upper() == "UNREVIEWED" else text.lower()
    if _USAGI_NOTHING.get(name) in (text, text.removesuffix(".0")):
        return ""
    if name == "mapping_type":
        return _SPELLED_TYPES.get(text.upper().replace(" ", "_"), text)
    if name in _MOMENTS:
        return _moment(text)
    return text


def usagi_cell(name: str, text: str) -> str:
    """Canonical text as Usagi writes it, the inverse of `canonical`; Usagi cannot read some empty cells."""
    if not text:
        return _USAGI_EMPTY.get(name, "")
    if name in ("status", "equivalence"):
        return text.upper()
    if name == "mapping_type":
        return text.upper().replace(" ", "_") if text in MAPPING_TYPES else text
    if name in _MOMENTS and (match := _ISO.fullmatch(text)):
        whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        return str(int((whole - _EPOCH).total_seconds()) * 1000 + int(match[2]))
    return text


def _moment(text: str) -> str:
    """Usagi's milliseconds since 1970 as ISO 8601; other text as it is, nothing for its 0."""
    if not (text.isascii() and _MILLISECONDS.fullmatch(text)):
        return text
    milliseconds = int(text)
    if not milliseconds:
        return ""
    try:
        whole = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return text
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
