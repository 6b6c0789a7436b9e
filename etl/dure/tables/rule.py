"""One spec entry applied to one source: what each row becomes, or why it does not.

The result is a *mapped frame*: one row a (source row, target), with the outcome, the table it goes to, the record id
and the parts of every role under names that do not depend on the table (`start__date`, `unit__concept_id`, …).
Rows that the entry's `where` does not select are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Outcome, Reason
from dure.cdm.roles import Role, roles
from dure.cdm.schema import table as cdm_table
from dure.site.spec import Entry
from dure.site.values import FirstMoment, KeyPart, LastsDays, RefTo
from dure.tables import cells, codes, values
from dure.tables.cells import Reading, cell
from dure.tables.keys import id_bits, key_hash, key_text, record_id
from dure.tables.routing import EVENT_TABLES, part_column, routed_table

INPATIENT = (9201, 262, 8717, 8971, 581383, 32037)  # stays that may still be open: inpatient, ER and inpatient, ICU, …

_LOOKUP_NOTES = {
    "visit": Note.VISIT_UNKNOWN,
    "visit_detail": Note.VISIT_DETAIL_UNKNOWN,
    "provider": Note.PROVIDER_UNKNOWN,
    "care_site": Note.CARE_SITE_UNKNOWN,
    "location": Note.LOCATION_UNKNOWN,
    "parent": Note.PARENT_UNKNOWN,
}


@dataclass(frozen=True)
class Rule:
    """One entry of a site's spec: the table it declares, the source it reads and what tells it from its neighbours."""

    table: str
    index: int
    entry: Entry
    source: str
    label: str
    source_key: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """How people see it: `measurement[0] lab`."""
        return f"{self.table}[{self.index}] {self.source}"

    @property
    def folder(self) -> str:
        return f"{self.table}-{self.index}"


@dataclass(frozen=True)
class Lookups:
    """The records that references resolve to, by reference role.

    Each frame has one row a key: `key_hash`, `id` (NULL where the record itself was rejected); visits also
    `person_id` and `visit_detail_id` (the detail that has the visit's own key, where one source fills both).
    """

    frames: Mapping[str, DataFrame] = field(default_factory=dict)
    detail_with_visit: bool = False

    def with_frame(self, role: str, frame: DataFrame, detail_with_visit: bool = False) -> Lookups:
        return Lookups({**self.frames, role: frame}, self.detail_with_visit or detail_with_visit)


@dataclass(frozen=True)
class Shared:
    """What all rules of a run share: the site's id, how cells are read, the resolved map, dates and policies."""

    site: str
    reading: Reading
    resolved: codes.ResolvedMap
    as_of: date
    default_type: object = None
    open_stay: str = "as_of"
    domains: Mapping[int, str] = field(default_factory=dict)
    titer_unit: int = 0
    salts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    id_bits: int | None = None  # narrower ids make collisions, for tests

    def bits(self, table: str) -> int:
        return self.id_bits or id_bits(table)


class _Evaluation:
    """The columns of one mapped frame as they are worked out; `frame` grows by joins, `parts` by expressions."""

    def __init__(self, rule: Rule, shared: Shared, lookups: Lookups) -> None:
        self.rule, self.shared, self.lookups = rule, shared, lookups
        self.roles = roles(rule.table)
        self.start_columns: dict[str, Column] = {}
        self.reasons: list[tuple[Column, Reason]] = []
        self.notes: dict[Note, Column] = {}
        self.parts: dict[str, Column] = {}

    def given(self, role: str) -> object:
        return self.rule.entry.given(role)

    def note(self, note: Note, when: Column) -> None:
        held = F.coalesce(when, F.lit(False))
        self.notes[note] = self.notes[note] | held if note in self.notes else held


def evaluate(rule: Rule, frame: DataFrame, shared: Shared, lookups: Lookups) -> DataFrame:
    """The mapped frame of one rule; `frame` is the source as `sources.clean` leaves it."""
    work = _Evaluation(rule, shared, lookups)
    narrow = _narrow(work, frame)
    joined = _resolve_references(work, narrow)
    joined = _resolve_codes(work, joined)
    return _finished(work, joined)


# ---------------------------------------------------------------- the cells, before any join


def _narrow(work: _Evaluation, frame: DataFrame) -> DataFrame:
    """Only what the rule needs of each selected row: every later step works on these columns."""
    entry, shared = work.rule.entry, work.shared
    columns = work.start_columns
    columns["_record_key"] = _record_key(work)
    for role in work.roles.values():
        value = work.given(role.name)
        if value is None:
            continue
        if role.kind == "ref":
            columns[f"{role.name}__hash"] = key_hash(_reference_key(value))
        elif role.kind in ("coded", "type"):
            _narrow_coded(columns, role.name, value, shared.reading)
        elif role.kind in ("moment", "end"):
            _narrow_moment(columns, role, value, shared.reading)
        elif role.kind == "birth":
            born = cells.birth(value, shared.reading)
            columns |= {"birth__year": born.year, "birth__month": born.month, "birth__day": born.day, "birth__at": born.at}
        elif role.kind == "number":
            columns[part_column(role.name, "value")] = cells.number(value)
            text = cells.number_text(value)
            if text is not None:
                columns[f"{role.name}__given"] = text.isNotNull()
        elif role.kind == "text":
            columns[part_column(role.name, "value")] = cells.text(value, shared.reading)
        elif role.kind == "value":
            columns |= values.narrow(value, shared.reading)
    type_value = codes.type_concept(work.given("type_concept_id"), shared.default_type, work.rule.table)
    if "type_concept_id" in work.roles and work.given("type_concept_id") is None:
        _narrow_coded(columns, "type_concept_id", type_value, shared.reading)
    if "source_value" in work.roles and work.given("source_value") is None and "code" not in work.roles:
        columns[part_column("source_value", "value")] = _key_as_text(work)
    for name in _keep_columns(entry):
        columns[f"_keep_{name}"] = cell(name)
    selected = frame.where(cells.condition(entry.where, shared.reading))
    always = [F.col(name) for name in ("_file", "_row", "_key", "_n")]
    return selected.select(*always, *[column.alias(name) for name, column in columns.items()])


def _record_key(work: _Evaluation) -> Column:
    key = work.rule.entry.key
    if key is None and work.rule.table == "death":
        key = work.given("person")
    return F.col("_key") if key is None else _reference_key(key)


def _reference_key(value: object) -> Column:
    parts = value.key if isinstance(value, RefTo) else value
    return key_text([F.lit(p.literal) if isinstance(p, KeyPart) else cell(p) for p in parts])  # type: ignore[attr-defined]


def _key_as_text(work: _Evaluation) -> Column:
    """What identifies the record in the source, as its source value: the cell itself where the key is one column."""
    key = work.rule.entry.key or work.rule.source_key
    if key is not None and len(key) == 1 and isinstance(key[0], str):
        return cell(key[0])
    return _record_key(work)


def _narrow_coded(columns: dict[str, Column], role: str, value: object, reading: Reading) -> None:
    for n, one in enumerate(codes.alternatives(value, reading)):
        columns[f"{role}__{n}_text"] = one.source
        if one.request is not None:
            columns[f"{role}__{n}_key"] = codes.request_key(one.request)
        if one.concept is not None:
            columns[f"{role}__{n}_concept"] = one.concept
        if role == "code":
            columns[f"code__{n}_description"] = (
                one.description if one.description is not None else F.lit(None).cast("string")
            )
            columns[f"code__{n}_vocabulary"] = one.request[0] if one.request is not None else F.lit(None).cast("string")


def _narrow_moment(columns: dict[str, Column], role: Role, value: object, reading: Reading) -> None:
    options = value.first_of if isinstance(value, FirstMoment) else [value]
    lasting = [option for option in options if isinstance(option, LastsDays)]
    said = [option for option in options if not isinstance(option, LastsDays)]
    if said:
        moments = [cells.moment(option, reading) for option in said]
        columns[f"{role.name}__at"] = F.coalesce(*[m.at for m in moments])
        given = moments[0].given
        for other in moments[1:]:
            given = given | other.given
        columns[f"{role.name}__given"] = given
    if lasting:
        columns[f"{role.name}__days"] = cells.parsed_number(cell(lasting[0].lasts_days)).cast("int")


def _keep_columns(entry: Entry) -> list[str]:
    keep = entry.keep
    return list(keep.first or keep.last or keep.all or []) if keep else []


# ---------------------------------------------------------------- references


def _resolve_references(work: _Evaluation, frame: DataFrame) -> DataFrame:
    for role in work.roles.values():
        if role.kind != "ref" or work.given(role.name) is None:
            continue
        lookup = work.lookups.frames.get(role.name)
        if lookup is None:
            frame = frame.withColumns(_nothing_found(role.name))
            continue
        extra = ["person_id", "visit_detail_id"] if role.name == "visit" else []
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
    for name in ("provider", "care_site", "location", "parent"):
        if name in work.roles and work.given(name) is not None:
            _decide_plain(work, name)
    work.reasons.insert(0, (F.col("_record_key").isNull(), Reason.NO_KEY))
    return frame


def _nothing_found(role: str) -> dict[str, Column]:
    nothing = F.lit(None).cast("bigint")
    found = {f"{role}__found": nothing, f"{role}__id": nothing}
    return found | ({"visit__person_id": nothing, "visit__visit_detail_id": nothing} if role == "visit" else {})


def _decide_person(work: _Evaluation) -> None:
    if work.given("person") is not None:
        work.reasons += [
            (F.col("person__hash").isNull(), Reason.NO_PERSON),
            (F.col("person__found").isNull(), Reason.PERSON_UNKNOWN),
            (F.col("person__id").isNull(), Reason.PERSON_REJECTED),
        ]
        work.parts[part_column("person", "id")] = F.col("person__id")
    else:
        work.reasons += [
            (F.col("visit__found").isNull(), Reason.VISIT_UNKNOWN),
            (F.col("visit__person_id").isNull(), Reason.PERSON_REJECTED),
        ]
        work.parts[part_column("person", "id")] = F.col("visit__person_id")


def _decide_visit(work: _Evaluation) -> None:
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


def _decide_visit_detail(work: _Evaluation) -> None:
    if work.given("visit_detail") is not None:
        _decide_plain(work, "visit_detail")
    elif work.given("visit") is not None and work.lookups.detail_with_visit:
        work.parts[part_column("visit_detail", "id")] = F.when(
            work.parts[part_column("visit", "id")].isNotNull(), F.col("visit__visit_detail_id")
        )


def _decide_plain(work: _Evaluation, role: str) -> None:
    missing = F.col(f"{role}__hash").isNotNull() & F.col(f"{role}__id").isNull()
    if _must_be_found(work.given(role)):
        work.reasons.append((F.col(f"{role}__id").isNull(), Reason.REFERENCE_UNKNOWN))
    else:
        work.note(_LOOKUP_NOTES[role], missing)
    work.parts[part_column(role, "id")] = F.col(f"{role}__id")


def _must_be_found(value: object) -> bool:
    return isinstance(value, RefTo) and value.missing == "reject"


# ---------------------------------------------------------------- codes


def _resolve_codes(work: _Evaluation, frame: DataFrame) -> DataFrame:
    """Joins the resolved map for each alternative that asks it; a later one asks only where the earlier found nothing."""
    frame = _dates(work, frame)
    for name, value in _coded_values(work).items():
        found = F.lit(False)
        for n, one in enumerate(codes.alternatives(value, work.shared.reading)):
            prefix = f"{name}__{n}"
            if one.request is not None:
                if n:
                    frame = frame.withColumn(f"{prefix}_key", F.when(~found, F.col(f"{prefix}_key")))
                single = name != "code" or work.rule.table not in EVENT_TABLES
                frame = work.shared.resolved.join(frame, f"{prefix}_key", "_date", prefix, single)
                concept = F.col(f"{prefix}_target")
            else:
                concept = F.col(f"{prefix}_concept")
            found = found | F.coalesce(concept > 0, F.lit(False))
    return frame


def _coded_values(work: _Evaluation) -> dict[str, object]:
    found = codes.coded_roles(work.rule.entry, work.rule.table)
    if "type_concept_id" in work.roles and "type_concept_id" not in found:
        found["type_concept_id"] = codes.type_concept(None, work.shared.default_type, work.rule.table)
    return found


def _dates(work: _Evaluation, frame: DataFrame) -> DataFrame:
    """`_date`, the day on which a map must be valid: the start, else the as-of date."""
    start = F.col("start__at").cast("date") if work.given("start") is not None else F.lit(work.shared.as_of)
    return frame.withColumn("_date", start)


def _coded_parts(work: _Evaluation) -> None:
    """Concept, source value and source concept of every coded role."""
    for name, value in _coded_values(work).items():
        options = codes.alternatives(value, work.shared.reading)
        columns = roles(work.rule.table)[name].columns
        chosen = _chosen(work, name, options)
        required = name in ("code", "type_concept_id") or (
            "concept_id" in columns and cdm_table(work.rule.table)[columns["concept_id"]].required
        )
        concept = F.coalesce(chosen["concept"], F.lit(0)) if required else chosen["optional"]
        if name == "value":
            work.parts[part_column("value", "value_as_concept_id")] = concept
            work.parts[part_column("value", "value_source_value")] = chosen["text"]
            continue
        work.parts[part_column(name, "concept_id")] = concept
        if name == "type_concept_id":
            continue
        if name == "code":
            work.parts[part_column("code", "source_concept_id")] = chosen["source"]
            work.parts["_domain"] = chosen["domain"]
            work.parts["_rank"] = chosen["rank"]
            work.parts["_mapped_value"] = chosen["value"]
            work.parts["_description"] = chosen["description"]
            work.parts["_vocabulary"] = chosen["vocabulary"]
            work.note(Note.WIDER, chosen["equivalence"] == "wider")
            if work.given("source_value") is None:
                work.parts[part_column("source_value", "value")] = chosen["text"]
        else:
            work.parts[part_column(name, "source_value")] = chosen["text"]
            work.parts[part_column(name, "source_concept_id")] = chosen["source"]
            work.note(Note.TEXT_WITHOUT_CONCEPT, chosen["text"].isNotNull() & (concept == 0))


def _chosen(work: _Evaluation, name: str, options: list[codes.Alternative]) -> dict[str, Column]:
    """The parts of the alternative that wins: the first with a concept, else the first that is not empty."""
    nothing, no_text = F.lit(None).cast("int"), F.lit(None).cast("string")
    rows = []
    for n, one in enumerate(options):
        prefix, asked = f"{name}__{n}", one.request is not None
        text = F.col(f"{prefix}_text")
        concept = F.col(f"{prefix}_target") if asked else F.col(f"{prefix}_concept")
        rows.append(
            {
                "text": text,
                "concept": concept,
                "optional": F.when(text.isNotNull(), F.coalesce(concept, F.lit(0))).otherwise(concept),
                "source": F.when(text.isNotNull(), F.coalesce(F.col(f"{prefix}_source"), F.lit(0)) if asked else F.lit(0)),
                "domain": F.col(f"{prefix}_domain") if asked else _fixed_domain(work, concept),
                "rank": F.coalesce(F.col(f"{prefix}_rank"), F.lit(0)) if asked else F.lit(0),
                "value": F.col(f"{prefix}_value") if asked else nothing,
                "equivalence": F.col(f"{prefix}_equivalence") if asked else no_text,
                "description": F.col(f"code__{n}_description") if name == "code" else no_text,
                "vocabulary": F.col(f"code__{n}_vocabulary") if name == "code" else no_text,
            }
        )
    if len(rows) == 1:
        return rows[0]
    chosen = {}
    for part in rows[0]:
        with_text = rows[-1][part]
        for row in reversed(rows[:-1]):
            with_text = F.when(row["text"].isNotNull(), row[part]).otherwise(with_text)
        best = with_text
        for row in reversed(rows):
            best = F.when(row["concept"] > 0, row[part]).otherwise(best)
        chosen[part] = best
    return chosen


def _fixed_domain(work: _Evaluation, concept: Column) -> Column:
    domain = F.lit(None).cast("string")
    for concept_id, name in work.shared.domains.items():
        domain = F.when(concept == concept_id, F.lit(name)).otherwise(domain)
    return domain


# ---------------------------------------------------------------- dates, values, outcome


def _start_and_end(work: _Evaluation) -> None:
    if work.given("birth") is not None:
        work.reasons.append((F.col("birth__year").isNull(), Reason.NO_BIRTH_YEAR))
        names = ("year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
        for part, column in zip(names, ("birth__year", "birth__month", "birth__day", "birth__at"), strict=True):
            work.parts[part_column("birth", part)] = F.col(column)
    if work.given("start") is not None:
        start = F.col("start__at")
        work.reasons += [(~F.col("start__given"), Reason.NO_DATE), (start.isNull(), Reason.BAD_DATE)]
        work.parts[part_column("start", "date")] = start.cast("date")
        work.parts[part_column("start", "datetime")] = start
    for role in work.roles.values():
        if role.kind == "moment" and role.name != "start" and work.given(role.name) is not None:
            work.parts[part_column(role.name, "date")] = F.col(f"{role.name}__at").cast("date")
    if work.given("end") is not None or work.rule.table in ("visit_occurrence", "visit_detail"):
        _end(work)


def _end(work: _Evaluation) -> None:
    start = F.col("start__at")
    end = F.lit(None).cast("timestamp_ntz")
    if "end__at" in work.start_columns:
        end = F.col("end__at")
        work.parts[part_column("end", "said")] = end.cast("date")
        work.note(Note.BAD_END_DATE, F.col("end__given") & end.isNull())
    if "end__days" in work.start_columns:
        days = F.col("end__days")
        lasting = F.when(days >= 1, F.date_add(start.cast("date"), days - 1)).cast("timestamp_ntz")
        end = F.coalesce(end, lasting)
    midnight = (start == start.cast("date").cast("timestamp_ntz")) | (end == end.cast("date").cast("timestamp_ntz"))
    early = F.when(midnight, end.cast("date") < start.cast("date")).otherwise(end < start)
    work.reasons.append((F.coalesce(early, F.lit(False)), Reason.END_BEFORE_START))
    if work.rule.table in ("visit_occurrence", "visit_detail"):
        stay = work.parts[part_column("code", "concept_id")].isin(list(INPATIENT))
        if work.shared.open_stay == "reject":
            work.reasons.append((end.isNull() & stay, Reason.OPEN_STAY))
        as_of = F.lit(work.shared.as_of).cast("timestamp_ntz")
        still = F.greatest(as_of, start) if work.shared.open_stay == "as_of" else start
        work.note(Note.END_ASSUMED, end.isNull())
        end = F.coalesce(end, F.when(stay, still).otherwise(start))
    work.parts[part_column("end", "date")] = end.cast("date")
    work.parts[part_column("end", "datetime")] = end


def _numbers_and_texts(work: _Evaluation) -> None:
    for role in work.roles.values():
        name = part_column(role.name, "value")
        if role.kind in ("number", "text") and name in work.start_columns:
            work.parts[name] = F.col(name)
            if role.kind == "number" and f"{role.name}__given" in work.start_columns:
                work.note(Note.NOT_A_NUMBER, F.col(f"{role.name}__given") & F.col(name).isNull())
    if work.rule.table == "note":
        work.reasons.append((F.col("note_text__value").isNull(), Reason.REQUIRED_EMPTY))


def _finished(work: _Evaluation, frame: DataFrame) -> DataFrame:
    _coded_parts(work)
    _start_and_end(work)
    _numbers_and_texts(work)
    if "value" in work.roles:
        values.parts(work.parts, work.start_columns, work.shared.titer_unit, work.note)
    rule, parts = work.rule, work.parts
    rank = parts.pop("_rank", F.lit(0))
    mapped_value = parts.pop("_mapped_value", F.lit(None).cast("int"))
    domain = parts.pop("_domain", F.lit(None).cast("string"))
    if rule.table in EVENT_TABLES:
        goes_to = routed_table(rule.table, parts[part_column("code", "concept_id")], domain)
        takes_value = goes_to.isin("measurement", "observation")
        measured = parts.get(part_column("value", "value_as_concept_id"), F.lit(None).cast("int"))
        measured = F.when(measured != 0, measured)
        number = parts.get(part_column("value", "value_as_number"), F.lit(None).cast("double"))
        parts[part_column("value", "value_as_concept_id")] = F.when(
            takes_value & mapped_value.isNotNull() & number.isNull(), F.coalesce(measured, mapped_value)
        ).otherwise(parts.get(part_column("value", "value_as_concept_id"), F.lit(None).cast("int")))
        work.note(Note.MAPPED_VALUE_LEFT_OUT, mapped_value.isNotNull() & ~takes_value)
    else:
        goes_to = F.lit(rule.table)
    reason = F.lit(None).cast("string")
    for failed, why in reversed(work.reasons):
        reason = F.when(F.coalesce(failed, F.lit(False)), F.lit(why.value)).otherwise(reason)
    occurrence = F.when(rank > 0, F.concat(F.col("_n"), F.lit("."), rank.cast("string"))).otherwise(F.col("_n"))
    identity = record_id(
        work.shared.site, rule.source, rule.table, rule.label, F.coalesce(F.col("_record_key"), F.lit("")), occurrence,
        work.shared.bits(rule.table), work.shared.salts.get(rule.table),
    )
    kept = [F.col(name) for name in work.start_columns if name.startswith("_keep_")]
    out = frame.select(
        "_file", "_row", "_key", "_n",
        key_hash(F.col("_record_key")).alias("_key_hash"),
        rank.cast("int").alias("_rank"),
        reason.alias("_reason"),
        goes_to.alias("_table"),
        identity.alias("_id"),
        *[column.alias(name) for name, column in parts.items()],
        *[flag.alias(f"_note_{note.value}") for note, flag in work.notes.items()],
        *kept,
    )
    # A row that is rejected is one row, whatever the number of its targets.
    out = out.where(F.col("_reason").isNull() | (F.col("_rank") == 0))
    return out.withColumn(
        "_outcome", F.when(F.col("_reason").isNull(), F.lit(Outcome.WRITTEN.value)).otherwise(F.lit(Outcome.REJECTED.value))
    )


# ---------------------------------------------------------------- one record from many rows


def merged(rule: Rule, frame: DataFrame, taken: DataFrame | None) -> DataFrame:
    """The mapped frame of an entity in which every key has one written row; the others are `merged` into it.

    Of several rows the entry's `keep` decides (`last` by the text of its columns, so dates as YYYYMMDD); without it
    death keeps the latest date, anything else the smallest natural key.  `taken` holds the `key_hash` of records that
    earlier entries already wrote.
    """
    keep = rule.entry.keep
    order = []
    if keep and keep.last:
        order = [F.col(f"_keep_{name}").desc_nulls_last() for name in keep.last]
    elif keep and keep.first:
        order = [F.col(f"_keep_{name}").asc_nulls_last() for name in keep.first]
    elif rule.table == "death":
        order = [F.col(part_column("start", "datetime")).desc_nulls_last()]
    window = Window.partitionBy("_outcome", "_key_hash").orderBy(*order, F.col("_key"), F.col("_n"))
    again = (F.col("_outcome") == Outcome.WRITTEN.value) & (F.row_number().over(window) > 1)
    if taken is not None:
        earlier = taken.select(F.col("key_hash").alias("_taken")).distinct()
        frame = frame.join(earlier, F.col("_key_hash") == F.col("_taken"), "left")
        again = again | ((F.col("_outcome") == Outcome.WRITTEN.value) & F.col("_taken").isNotNull())
    marked = frame.withColumn("_again", again)
    columns = [name for name in frame.columns if name not in ("_outcome", "_taken") and not name.startswith("_keep_")]
    return marked.select(
        *columns,
        F.when(F.col("_again"), F.lit(Outcome.MERGED.value)).otherwise(F.col("_outcome")).alias("_outcome"),
    )
