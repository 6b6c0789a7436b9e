"""The first step of a rule: of each selected row only what the rule needs, so that joins work on few columns."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.cdm.roles import Role
from dure.site.spec import Entry
from dure.site.values import FirstMoment, KeyPart, LastsDays, RefTo
from dure.tables import cells, codes, values
from dure.tables.cells import Reading, cell
from dure.tables.keys import key_hash, key_text
from dure.tables.links import reference_of
from dure.tables.routing import part_column
from dure.tables.rule import Evaluation

# Days that a stay or a supply may last; a larger number is a mistake.
LONGEST = 36_500


def narrow(work: Evaluation, frame: DataFrame) -> DataFrame:
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
        elif role.kind == "event":
            reference = reference_of(value)
            if reference is not None:
                columns[f"{role.name}__hash"] = key_hash(_reference_key(reference[1]))
        elif role.kind in ("coded", "type"):
            _narrow_coded(columns, role.name, value, shared.reading)
        elif role.kind in ("moment", "end"):
            _narrow_moment(columns, role, value, shared.reading)
        elif role.kind == "birth":
            born = cells.birth(value, shared.reading)
            columns |= {
                "birth__year": born.year,
                "birth__month": born.month,
                "birth__day": born.day,
                "birth__at": born.at,
            }
        elif role.kind == "number":
            columns[part_column(role.name, "value")] = cells.number(value)
            text = cells.number_text(value)
            if text is not None:
                columns[f"{role.name}__given"] = text.isNotNull()
        elif role.name == "range":
            _narrow_range(columns, cells.text(value, shared.reading))
        elif role.kind == "text":
            columns[part_column(role.name, "value")] = cells.text(value, shared.reading)
        elif role.kind == "value":
            columns |= values.narrow(value, shared.reading)
    type_value = codes.type_concept(work.given("type_concept_id"), shared.default_type, work.rule.table)
    if "type_concept_id" in work.roles and work.given("type_concept_id") is None:
        _narrow_coded(columns, "type_concept_id", type_value, shared.reading)
    if "source_value" in work.roles and work.given("source_value") is None and "code" not in work.roles:
        columns[part_column("source_value", "value")] = _key_as_text(work)
    for n, name in enumerate(_keep_columns(entry)):
        columns[f"_keep_{n}"] = cells.dated(cell(name), shared.reading) if name in shared.reading.dates else cell(name)
    selected = frame.where(cells.condition(entry.where, shared.reading))
    always = [F.col(name) for name in ("_file", "_row", "_key", "_n")]
    return selected.select(*always, *[column.alias(name) for name, column in columns.items()])


def _record_key(work: Evaluation) -> Column:
    key: object = work.rule.entry.key
    if key is None and work.rule.table == "death":
        key = work.given("person")
    return F.col("_key") if key is None else _reference_key(key)


def _reference_key(value: object) -> Column:
    parts = value.key if isinstance(value, RefTo) else value
    return key_text([p.literal if isinstance(p, KeyPart) else cell(p) for p in parts])  # type: ignore[attr-defined]


def _key_as_text(work: Evaluation) -> Column:
    """What identifies the record in the source, as its source value: the cell itself, or several joined by `|`."""
    key = work.rule.entry.key or work.rule.source_key
    if key is None:
        return _record_key(work)
    parts = [F.lit(p.literal) if isinstance(p, KeyPart) else F.coalesce(cell(p), F.lit("")) for p in key]
    return cell(key[0]) if len(key) == 1 and isinstance(key[0], str) else F.concat_ws("|", *parts)


def _narrow_coded(columns: dict[str, Column], role: str, value: object, reading: Reading) -> None:
    columns |= codes.narrowed(role, codes.alternatives(value, reading))


def _narrow_range(columns: dict[str, Column], text: Column) -> None:
    """Both ends of a range in one text; an end with a column of its own keeps that where it is filled."""
    columns["range__given"] = text.isNotNull()
    for name, end in zip(("range_low", "range_high"), cells.reference_range(text), strict=True):
        own = columns.get(part_column(name, "value"))
        columns[part_column(name, "value")] = end if own is None else F.coalesce(own, end)


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
        bad_times = [m.bad_time for m in moments if m.bad_time is not None]
        if bad_times:
            columns[f"{role.name}__bad_time"] = reduce(lambda a, b: a | b, bad_times)
    if lasting:
        text = cell(lasting[0].lasts_days)
        columns[f"{role.name}__days"] = cells.whole(cells.parsed_number(text), 1, LONGEST)
        columns[f"{role.name}__days_given"] = text.isNotNull()


def _keep_columns(entry: Entry) -> list[str]:
    keep = entry.keep
    return list(keep.first or keep.last or keep.all or []) if keep else []
