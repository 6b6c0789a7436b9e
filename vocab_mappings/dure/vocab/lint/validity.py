"""Rules on when a row applies, and on what else its file says of the same code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from dure.vocab.lint.finding import Edit, Found
from dure.vocab.lint.linted import LintedMap, Speaks
from dure.vocab.lint.registry import rule
from dure.vocab.map_files import map_date
from dure.vocab.maps.entry import MAPS_TO, is_placeholder
from dure.vocab.normalise import normaliser

_YEAR_FIRST = re.compile(r"([0-9]{4})[./]\s?([0-9]{1,2})[./]\s?([0-9]{1,2})\.?")
_ZERO_DATES = ("00000000", "0000-00-00")
_PUNCTUATION = re.compile(r"[\W_]+")
_HEADER = "source_vocabulary_id,source_code,target_concept_id"
_DATED = f"{_HEADER},valid_start_date,valid_end_date"
_MOST_ROWS = 10


@rule(
    "error",
    finds="a validity date that is neither `YYYY-MM-DD` nor `YYYYMMDD`, or no day of the calendar.",
    because="When the row applies is unknown, so the run gives its code concept 0.",
    passing=f"{_DATED}\nEDI,A1100,4154551,2020-01-31,20991231\n",
    failing=f"{_DATED}\nEDI,A1100,4154551,2020-02-30,20991231\n",
    fix="Rewrites a date of the year first (`2020.1.31`, `2020/01/31`).",
)
def date_unreadable(linted: LintedMap) -> Iterator[Found]:
    for line, _, column, cell in linted.cells("valid_start_date", "valid_end_date"):
        text = cell.strip()
        if is_placeholder(text) or text in _ZERO_DATES or map_date(text) != "bad":
            continue
        day = _year_first(text)
        edits = (Edit(line.row, column, day.isoformat()),) if day else ()
        yield Found(line.row, f"{linted.header(column)} is '{text}', no date as YYYY-MM-DD or YYYYMMDD", edits)


def _year_first(text: str) -> date | None:
    match = _YEAR_FIRST.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


@rule(
    "error",
    finds="a row that ends before it starts.",
    because="It applies on no day, which nobody meant.",
    passing=f"{_DATED}\nEDI,A1100,4154551,2020-01-01,2020-12-31\n",
    failing=f"{_DATED}\nEDI,A1100,4154551,2020-12-31,2020-01-01\n",
)
def validity_reversed(linted: LintedMap) -> Iterator[Found]:
    for line in linted.lines:
        start, end = map_date(line.entry.valid_start_date), map_date(line.entry.valid_end_date)
        if isinstance(start, date) and isinstance(end, date) and start > end:
            yield Found(line.row, f"valid from {start} to {end}")


@rule(
    "error",
    finds="an `invalid_reason` other than D (deleted), U (updated) or nothing.",
    because="Whether the row is in force is unknown.",
    passing=f"{_HEADER},invalid_reason\nEDI,A1100,4154551,D\n",
    failing=f"{_HEADER},invalid_reason\nEDI,A1100,4154551,X\n",
)
def invalid_reason_unknown(linted: LintedMap) -> Iterator[Found]:
    for line in linted.lines:
        reason = line.entry.invalid_reason
        if reason and reason.upper() not in ("D", "U"):
            yield Found(line.row, f"invalid_reason is '{reason}'; expected D, U or nothing")


@rule(
    "info",
    finds="a row that its `invalid_reason` retires.",
    because="A run does not apply it; the codes it speaks for need another row if records have them.",
    passing=f"{_HEADER},invalid_reason\nEDI,D3061,40758583,\n",
    failing=f"{_HEADER},invalid_reason\nEDI,D3061,40758583,U\n",
)
def retired(linted: LintedMap) -> Iterator[Found]:
    alive = {each.key for each in linted.speaking}
    for line in linted.lines:
        entry = line.entry
        if entry.invalid_reason.upper() in ("D", "U"):
            key = (entry.source_vocabulary_id, entry.source_code, entry.code_type, entry.specimen, entry.unit)
            others = (*key, entry.kind) in alive
            rest = "another row speaks for the code" if others else "no other row speaks for the code"
            yield Found(line.row, f"retired by invalid_reason {entry.invalid_reason}; {rest}")


@rule(
    "error",
    finds="rows of one code with different targets whose validities overlap without being the same.",
    because="On the days that both claim the run has two targets; unless several are declared it takes none.",
    passing=f"{_DATED}\nEDI,A1100,4154551,2019-01-01,2019-12-31\nEDI,A1100,4126495,2020-01-01,2099-12-31\n",
    failing=f"{_DATED}\nEDI,A1100,4154551,2019-01-01,2020-06-30\nEDI,A1100,4126495,2020-01-01,2099-12-31\n",
)
def validity_overlap(linted: LintedMap) -> Iterator[Found]:
    for key, group in linted.by_key.items():
        if key[0] in linted.many_targets or len(group) < 2:
            continue
        by_interval: dict[tuple[int, int], list[Speaks]] = {}
        for each in group:
            by_interval.setdefault((each.start, each.end), []).append(each)
        # Of the intervals so far, the one that ends last by set of targets: two suffice to find one with others.
        latest: list[tuple[int, frozenset[int | None], Speaks]] = []
        for (start, end), rows in sorted(by_interval.items()):
            targets = frozenset(each.target for each in rows)
            clash = next((before for until, other, before in latest if until >= start and other != targets), None)
            if clash is not None:
                yield Found(
                    rows[0].line.row, f"its validity overlaps that of row {clash.line.row}, with another target"
                )
            kept = [(end, targets, rows[0]), *latest]
            kept.sort(key=lambda each: each[0], reverse=True)
            latest = kept[:1] + [each for each in kept[1:] if each[1] != kept[0][1]][:1]


@rule(
    "error",
    finds="one code with several targets at one time, which nothing declares.",
    because="It is a choice somebody left open, or a panel whose parts need several records. The run gives such a code "
    "concept 0 unless the spec says `many_targets` (here: `--many-targets VOCABULARY`).",
    passing=f"{_HEADER}\nEDI,D0013,3027651\nEDI,D0012,3013869\n",
    failing=f"{_HEADER}\nEDI,D0013,3027651\nEDI,D0013,3013869\n",
)
def several_targets(linted: LintedMap) -> Iterator[Found]:
    for key, group in linted.by_key.items():
        if len(group) < 2 or (key[0] in linted.many_targets and not any(each.target == 0 for each in group)):
            continue
        by_interval: dict[tuple[int, int], list[Speaks]] = {}
        for each in group:
            by_interval.setdefault((each.start, each.end), []).append(each)
        for rows in by_interval.values():
            targets = {each.target for each in rows if each.target is not None}
            if len(targets) > 1:
                numbers = [str(each.line.row) for each in rows]
                more = f" and {len(numbers) - _MOST_ROWS} more" if len(numbers) > _MOST_ROWS else ""
                kind = "" if key[5] == MAPS_TO else f" of type {key[5]}"
                shown = ", ".join(numbers[:_MOST_ROWS]) + more
                yield Found(rows[0].line.row, f"{key[1]} has {len(targets)} targets{kind}: rows {shown}")


@rule(
    "warning",
    finds="a row that repeats another cell by cell.",
    because="Harmless, until one of the two is changed.",
    passing=f"{_HEADER}\nEDI,A1100,4154551\n",
    failing=f"{_HEADER}\nEDI,A1100,4154551\nEDI,A1100,4154551\n",
    fix="Removes the later row.",
)
def duplicate_row(linted: LintedMap) -> Iterator[Found]:
    first: dict[tuple[str, ...], int] = {}
    for line in linted.lines:
        at = first.setdefault(line.record.cells, line.row)
        if at != line.row:
            yield Found(line.row, f"the same as row {at}", (Edit(line.row, None),))


@rule(
    "warning",
    finds="two rows of one code with one target at one time that differ in other cells.",
    because="One of them has the older description, reviewer or comment.",
    passing=f"{_HEADER},comment\nEDI,A1100,4154551,초안\n",
    failing=f"{_HEADER},comment\nEDI,A1100,4154551,초안\nEDI,A1100,4154551,최종\n",
)
def duplicate_mapping(linted: LintedMap) -> Iterator[Found]:
    for group in linted.by_key.values():
        if len(group) < 2:
            continue
        first: dict[tuple[int | None, int, int], Speaks] = {}
        for each in group:
            before = first.setdefault((each.target, each.start, each.end), each)
            if before is not each and each.target is not None and before.line.record.cells != each.line.record.cells:
                yield Found(each.line.row, f"maps {each.key[1]} to {each.target} as row {before.line.row} does")


@rule(
    "warning",
    finds="codes that differ only in case, width, white space, leading zeros of a number or the dot of a KCD code, and "
    "have different targets.",
    because="They are likely one code, which a run may take for one; two spellings of one target do no harm.",
    passing=f"{_HEADER}\nLAB,k01,3023103\nLAB,K01,3023103\n",
    failing=f"{_HEADER}\nLAB,k01,3023103\nLAB,K01,3019550\n",
)
def near_duplicate_code(linted: LintedMap) -> Iterator[Found]:
    column = linted.column("source_code") or 0
    first: dict[tuple[str, ...], tuple[str, int]] = {}
    targets: dict[tuple[str, ...], set[int | None]] = {}
    for each in linted.speaking:
        written = each.line.record.cells[column]
        key = (each.key[0], _code_form(each.key[0], written), *each.key[2:])
        before, row = first.setdefault(key, (written, each.line.row))
        if before == written:
            targets.setdefault(key, set()).add(each.target)
    told: set[str] = set()
    for each in linted.speaking:
        written = each.line.record.cells[column]
        key = (each.key[0], _code_form(each.key[0], written), *each.key[2:])
        before, row = first[key]
        if before != written and written not in told and each.target not in targets[key]:
            told.add(written)
            yield Found(each.line.row, f"'{written}' is spelled '{before}' in row {row}, with another target")


def _code_form(vocabulary_id: str, code: str) -> str:
    form = normaliser(None, vocabulary_id).form("".join(unicodedata.normalize("NFKC", code).split())).casefold()
    return form.lstrip("0") if form.isascii() and form.isdigit() else form


@rule(
    "warning",
    finds="rows of one vocabulary with one description, up to case, white space and punctuation, and different targets: "
    "of two codes, or of one code whose other rows do differ in description.",
    because="What is called the same is mapped differently: one of the two is wrong, or the descriptions leave out what "
    "tells the rows apart.",
    passing="source_code,source_code_description,target_concept_id\nN1,Partial Maxillectomy,4154551\n"
    "N2,Partial maxillectomy,4154551\n",
    failing="source_code,source_code_description,target_concept_id\nN1,Partial Maxillectomy,4154551\n"
    "N2,Partial maxillectomy,4126495\n",
)
def near_duplicate_description(linted: LintedMap) -> Iterator[Found]:
    first: dict[tuple[str, ...], Speaks] = {}
    told_apart = _told_apart(linted)
    for each in linted.speaking:
        text = _description(each)
        if not text or not each.target:
            continue
        before = first.setdefault((each.key[0], text, *each.key[2:]), each)
        if before.target != each.target and (before.key != each.key or each.key in told_apart):
            message = f"described as {before.key[1]} of row {before.line.row}, which has another target"
            yield Found(each.line.row, message)


def _told_apart(linted: LintedMap) -> set[tuple[str, ...]]:
    """The keys whose rows have more than one description."""
    return {
        key
        for key, group in linted.by_key.items()
        if len(group) > 1 and len({_description(each) for each in group}) > 1
    }


def _description(each: Speaks) -> str:
    entry = each.line.entry
    return _text_form("; ".join((entry.description, entry.description_en, entry.description_ko)))


def _text_form(text: str) -> str:
    return _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text)).casefold()
