"""One stay out of several visits: which visits of a person a site's merge policy makes one (docs/adr/0010-visits.md).

Plain Python over one person's visits, without engine or files, so that it can be sent to wherever an engine runs it.
Moments are microseconds since 1970 on the hospital's wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby

import pyarrow as pa

DAY = 24 * 3600 * 1_000_000
HOUR = 3600 * 1_000_000

# What `merged_visits` reads of each visit beside what it carries along.
PERSON, ID, CONCEPT, START, END, KNOWN, CARE_SITE, PROVIDER = (
    "person_id",
    "id",
    "concept_id",
    "start",
    "end",
    "known",
    "care_site_id",
    "provider_id",
)


@dataclass(frozen=True)
class Joining:
    """One entry of the policy: after which classes a visit of which classes goes on with the same stay.

    `hours` or `days` is the longest gap; `same` names what both must have and share.  `becomes` is the class of the
    stay that they make, None for that of its earliest visit.
    """

    when: frozenset[int]
    followed_by: frozenset[int]
    hours: int | None = None
    days: int | None = None
    same: tuple[str, ...] = ()
    becomes: int | None = None

    def order(self, stay: Stay) -> tuple[int, bool, int, int]:
        """The place of a stay among those of its person.

        A visit that can only follow and has no time of day comes at the end of its day: a ward that writes dates alone
        follows the emergency of that day.  Of two that start at one moment the one that can only be followed is first.
        """
        leads, follows = stay.concept in self.when, stay.concept in self.followed_by
        late = DAY - 1 if follows and not leads and _no_time(stay.start) else 0
        return stay.start + late, follows or not leads, stay.end, stay.id

    def near(self, end: int, start: int) -> bool:
        """Whether a visit that starts so long after an end goes on with that stay; overlapping ones always do.

        Where one of the two has no time of day, as many whole days as the hours hold are near enough too.
        """
        between = start // DAY - end // DAY
        if self.hours is None:
            return between <= (self.days or 0)
        untimed = _no_time(end) or _no_time(start)
        return start - end <= self.hours * HOUR or (untimed and between <= self.hours // 24)


@dataclass(slots=True)
class Stay:
    """One or more visits of a person that are one; `first` gives its id and start, `last` is the one it ends with.

    `known` is the last moment for which the source says that the stay went on: the latest end that it gives, or start of
    a visit that is still open.  `rows` are the positions of its visits, `first` and `last` two of them.
    """

    id: int
    concept: int
    start: int
    end: int
    known: int
    first: int
    last: int
    rows: list[int]
    place: dict[str, int]

    def shared(self, same: Sequence[str]) -> tuple[int, ...] | None:
        """What a visit that goes on with this stay must share with it; None where that is not known of the stay."""
        found = tuple(self.place[name] for name in same)
        return found if all(found) else None

    def take(self, other: Stay, becomes: int | None) -> None:
        """Makes another stay, which follows this one, a part of it."""
        self.rows += other.rows
        # An end without time of day, on the day on which the stay so far ended, is not the earlier of the two.
        if other.end >= self.end or (_no_time(other.end) and other.end // DAY == self.end // DAY):
            self.last, self.place = other.last, other.place
        self.end, self.known = max(self.end, other.end), max(self.known, other.known)
        if becomes is not None:
            self.concept = becomes


def _no_time(moment: int) -> bool:
    return moment % DAY == 0


def joined(stays: Iterable[Stay], policy: Sequence[Joining]) -> list[Stay]:
    """The stays of one person after every entry of the policy in turn; each takes what the one before it left."""
    found = list(stays)
    for entry in policy:
        found = _joined_once(found, entry)
    return found


def _joined_once(stays: list[Stay], entry: Joining) -> list[Stay]:
    """One pass over a person's stays by their start.

    A stay follows, of those before it that can be followed and share what must be shared, the one that is known to go on
    longest.  What has merged is a stay of its new class: it goes on only where the entry lets that class be followed.
    """
    kept: list[Stay] = []
    waiting: dict[tuple[int, ...], list[tuple[int, int, int, Stay]]] = {}
    for stay in sorted(stays, key=entry.order):
        into = None
        if stay.concept in entry.followed_by and (shared := stay.shared(entry.same)) is not None:
            before = waiting.get(shared)
            if before and entry.near(before[0][-1].known, stay.start):
                into = heappop(before)[-1]
                into.take(stay, entry.becomes)
        if into is None:
            kept.append(stay)
            into = stay
        if into.concept in entry.when and (shared := into.shared(entry.same)) is not None:
            heappush(waiting.setdefault(shared, []), (-into.known, -into.start, -into.id, into))
    return kept


def merged_visits(
    batches: Iterable[pa.RecordBatch], policy: Sequence[Joining], carried: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """One row a visit that became part of a stay of several: `person_id`, `id`, `concept_id` (its own) and the stay's
    `into` (the id of the earliest visit), `becomes` (class), `end` and the carried columns of the visit it ends with.

    The batches hold all visits of each of their persons, in any order and cut anywhere.  A person two of whose visits
    share an id is passed over: the run gives one of them another id and asks again.
    """
    parts = list(batches)
    if not parts:
        return
    visits = pa.Table.from_batches(parts).sort_by(PERSON)
    columns = [
        visits[PERSON].to_pylist(),
        visits[ID].to_pylist(),
        visits[CONCEPT].to_pylist(),
        _microseconds(visits[START]),
        _microseconds(visits[END]),
        _microseconds(visits[KNOWN]),
        [site or 0 for site in visits[CARE_SITE].to_pylist()],
        [provider or 0 for provider in visits[PROVIDER].to_pylist()],
    ]
    rows: list[int] = []
    firsts: list[int] = []
    lasts: list[int] = []
    classes: list[int] = []
    ends: list[int] = []
    for _, own in groupby(enumerate(zip(*columns, strict=True)), key=lambda visit: visit[1][0]):
        stays = [
            Stay(id, concept, start, end, known, row, row, [row], {"care_site": site, "provider": provider})
            for row, (_, id, concept, start, end, known, site, provider) in own
        ]
        if len(stays) == 1 or len({stay.id for stay in stays}) < len(stays):
            continue
        for stay in joined(stays, policy):
            if len(stay.rows) > 1:
                n = len(stay.rows)
                rows += stay.rows
                firsts += [stay.first] * n
                lasts += [stay.last] * n
                classes += [stay.concept] * n
                ends += [stay.end] * n
    members, last = visits.take(pa.array(rows, pa.int64())), visits.take(pa.array(lasts, pa.int64()))
    made = {
        PERSON: members[PERSON],
        ID: members[ID],
        CONCEPT: members[CONCEPT],
        "into": visits[ID].take(pa.array(firsts, pa.int64())),
        "becomes": pa.array(classes, pa.int32()),
        END: pa.array(ends, pa.int64()).cast(pa.timestamp("us")),
    }
    yield from pa.table(made | {name: last[name] for name in carried}).to_batches()


def _microseconds(moments: pa.ChunkedArray) -> list[int]:
    found: list[int] = moments.cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
    return found
