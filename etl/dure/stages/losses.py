"""Entries and sources that lose most of their rows: dirt is seldom that thick, a mistake in the spec often is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dure.accounting.reasons import Reason
from dure.accounting.reconciliation import Reconciliation, RuleCount
from dure.errors import Problem
from dure.site.loaded import Site

_READ_ON = "reconciliation.csv counts them, rejects.parquet names them by file and row"
# reason -> (the key of the entry at which to look, what to do there)
_HINTS = {
    Reason.BAD_DATE: ("start", "write the format of these dates under defaults.formats; declared are {formats}"),
    Reason.NO_DATE: ("start", "is this the column of the date? a second choice is {{first_of: [COL, COL]}}"),
    Reason.NO_BIRTH_YEAR: ("birth", "is this the column of the birth, and is its format declared? formats: {formats}"),
    Reason.NO_PERSON: ("person", "is this the column of the person?"),
    Reason.PERSON_UNKNOWN: (
        "person",
        "is the person written alike in both files, zeros in front included? a view makes it so: lpad(COL, 8, '0')",
    ),
    Reason.VISIT_UNKNOWN: ("visit", "are the parts of the visit's key the same here, in the same order and spelling?"),
    Reason.END_BEFORE_START: ("end", "are start and end the right way round, and null_dates declared?"),
    Reason.NO_KEY: ("key", "are these the columns that name the record?"),
}


def large_losses(site: Site, reconciliation: Reconciliation) -> Iterator[Problem]:
    """A warning for each entry, and each key of a source, that rejects more than half of its rows for one reason."""
    for source in reconciliation.sources:
        lost = source.rejected.get(Reason.DUPLICATE_KEY, 0)
        if 2 * lost > source.landed:
            found = (
                f"{lost:,} of {source.landed:,} rows share a key with rows that say something else, and are rejected"
            )
            do = "add the columns that tell them apart, or say which row counts: keep: {last: [COL]}"
            yield Problem(site.where("sources", source.source, "key"), found, do)
    for rule in reconciliation.rules:
        for reason, lost in rule.rejected.items():
            if 2 * lost > rule.selected:
                yield _of_entry(site, rule, Reason(reason), lost)


def _of_entry(site: Site, rule: RuleCount, reason: Reason, lost: int) -> Problem:
    key, do = _HINTS.get(reason, ("", _READ_ON))
    index = re.search(r"\[([0-9]+)\]", rule.rule)
    entry: tuple[str | int, ...] = ("tables", rule.table, int(index[1])) if index else ("tables", rule.table)
    formats = ", ".join(site.defaults.formats or ()) or "none"
    found = f"{lost:,} of {rule.selected:,} rows are rejected as {reason}: {reason.meaning}"
    return Problem(site.where(*entry, key), found, do.format(formats=formats))
