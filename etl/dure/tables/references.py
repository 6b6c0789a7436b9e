"""References of a rule: joins to the records they name, and what follows where there is none."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Reason
from dure.cdm.roles import Role
from dure.site.values import EventRow, RefTo
from dure.tables import links
from dure.tables.routing import part_column
from dure.tables.rule import Evaluation

_LOOKUP_NOTES = {
    "visit": Note.VISIT_UNKNOWN,
    "visit_detail": Note.VISIT_DETAIL_UNKNOWN,
    "provider": Note.PROVIDER_UNKNOWN,
    "care_site": Note.CARE_SITE_UNKNOWN,
    "location": Note.LOCATION_UNKNOWN,
    "parent": Note.PARENT_UNKNOWN,
    "note": Note.NOTE_UNKNOWN,
    "episode": Note.EPISODE_UNKNOWN,
}

# What a lookup gives beside the record's id.
_EXTRA = {
    "person": ("opted_out",),
    "visit": ("person_id", "visit_detail_id", "opted_out"),
    "note": ("opted_out",),
    "episode": ("opted_out",),
}


def resolve_references(work: Evaluation, frame: DataFrame) -> DataFrame:
    for role in work.roles.values():
        if role.kind != "ref" or work.given(role.name) is None:
            continue
        lookup = work.lookups.frames.get(role.name)
        if lookup is None:
            frame = frame.withColumns(_nothing_found(role.name))
            continue
        extra = _EXTRA.get(role.name, ())
        renamed = lookup.select(
            F.col("key_hash").alias(f"{role.name}__found"),
            F.col("id").alias(f"{role.name}__id"),
            *[F.col(name).alias(f"{role.name}__{name}") for name in extra],
        )
        frame = frame.join(renamed, F.col(f"{role.name}__hash") == F.col(f"{role.name}__found"), "left")
    if "person" in work.roles:
        _decide_person(work)
    if "visit" in work.roles and work.given("visit") is not None:
        _decide_visit(work)
    if "visit_detail" in work.roles:
        _decide_visit_detail(work)
    for name in ("provider", "care_site", "location", "parent", "note", "episode"):
        if name in work.roles and work.given(name) is not None:
            _decide_plain(work, name)
    for role in work.roles.values():
        if role.kind == "event" and work.given(role.name) is not None:
            frame = _link(work, role, frame)
    work.reasons.insert(0, (F.col("_record_key").isNull(), Reason.NO_KEY))
    return frame


def _link(work: Evaluation, role: Role, frame: DataFrame) -> DataFrame:
    value = work.given(role.name)
    reference = links.reference_of(value)
    made = work.lookups.made[value.row] if isinstance(value, EventRow) else None
    lookup = work.lookups.frames.get(reference[0]) if reference else None
    frame = links.joined(frame, role.name, value, made, lookup)
    parts, reasons, notes = links.decided(role, work.rule.table, work.shared.linked)
    work.parts |= parts
    work.reasons += reasons
    for note, when in notes.items():
        work.note(note, when)
    return frame


def _nothing_found(role: str) -> dict[str, Column]:
    nothing = F.lit(None).cast("bigint")
    found = {f"{role}__found": nothing, f"{role}__id": nothing}
    return found | {
        f"{role}__{name}": F.lit(False) if name == "opted_out" else nothing for name in _EXTRA.get(role, ())
    }


def _decide_person(work: Evaluation) -> None:
    if work.given("person") is not None:
        work.reasons += [
            (F.col("person__hash").isNull(), Reason.NO_PERSON),
            (F.col("person__opted_out"), Reason.OPT_OUT),
            (F.col("person__found").isNull(), Reason.PERSON_UNKNOWN),
            (F.col("person__id").isNull(), Reason.PERSON_REJECTED),
        ]
        work.parts[part_column("person", "id")] = F.col("person__id")
    else:
        work.reasons += [
            (F.col("visit__opted_out"), Reason.OPT_OUT),
            (F.col("visit__found").isNull(), Reason.VISIT_UNKNOWN),
            (F.col("visit__person_id").isNull(), Reason.VISIT_REJECTED),
        ]
        work.parts[part_column("person", "id")] = F.col("visit__person_id")


def _decide_visit(work: Evaluation) -> None:
    found = F.col("visit__id")
    if work.given("person") is not None:
        own = F.col("visit__person_id") == F.col("person__id")
        work.note(Note.VISIT_OF_ANOTHER_PERSON, found.isNotNull() & ~own)
        found = F.when(own, found)
    asked = F.col("visit__hash").isNotNull()
    if work.rule.table == "visit_detail" or _must_be_found(work.given("visit")):
        work.reasons.append((found.isNull(), Reason.VISIT_UNKNOWN))
    else:
        work.note(Note.VISIT_UNKNOWN, asked & F.col("visit__id").isNull())
    work.parts[part_column("visit", "id")] = found


def _decide_visit_detail(work: Evaluation) -> None:
    if work.given("visit_detail") is not None:
        _decide_plain(work, "visit_detail")
    elif work.given("visit") is not None and work.lookups.detail_with_visit:
        work.parts[part_column("visit_detail", "id")] = F.when(
            work.parts[part_column("visit", "id")].isNotNull(), F.col("visit__visit_detail_id")
        )


def _decide_plain(work: Evaluation, role: str) -> None:
    missing = F.col(f"{role}__hash").isNotNull() & F.col(f"{role}__id").isNull()
    if _must_be_found(work.given(role)) or work.roles[role].required:
        if "opted_out" in _EXTRA.get(role, ()):
            work.reasons.append((F.col(f"{role}__opted_out"), Reason.OPT_OUT))
        work.reasons.append((F.col(f"{role}__id").isNull(), Reason.REFERENCE_UNKNOWN))
    else:
        work.note(_LOOKUP_NOTES[role], missing)
    work.parts[part_column(role, "id")] = F.col(f"{role}__id")


def _must_be_found(value: object) -> bool:
    return isinstance(value, RefTo) and value.missing == "reject"
