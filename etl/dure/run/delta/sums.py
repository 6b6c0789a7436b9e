"""The reconciliation of a whole run out of that of the run before and those of the rows that were taken and given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from dure.accounting.reasons import Note
from dure.accounting.reconciliation import Reconciliation, RuleCount, SourceCount, ViewCount
from dure.landing import Landed
from dure.run.delta.basis import Mismatch
from dure.run.delta.subset import Mapped
from dure.site.loaded import Site
from dure.site.spec import LandedSource
from dure.stages import account, prepare
from dure.stages.derive import Derived
from dure.stages.mapping import Mapped as Frames
from dure.tables.rule import Rule

Count = TypeVar("Count", bound=BaseModel)
# Counts of reading, which a landing tells of its sources whole.
_OF_LANDING = ("read", "before", "by_changes", "unreadable", "opted_out")


def reconciled(mapped: Mapped) -> Reconciliation:
    """The reconciliation of chosen rows, as if they were all; common entries are counted whole. Tables are left out."""
    around = mapped.subset.around
    beside: Frames = mapped.beside()
    rows = account.RuleRows({**mapped.common.rows.by_rule, **mapped.rows.by_rule}, mapped.given)
    prepared: prepare.Prepared = mapped.subset.prepared
    landed = {
        name: Landed(name, (), (), counted.rows, counted.rows, {}, 0, (), ())
        for name, counted in prepared.counted.items()
    }
    counted = account.count_rows(around.site, landed, prepared, beside, rows)
    made = account.reconcile(around.site, prepared, mapped.own, rows, counted, {}, frozenset(), Derived())
    common = [
        account.rule_count(rule, mapped.common.prepared, mapped.common.rows.by_rule.get(rule.folder, []), {})
        for rule, _ in mapped.common.mapped
    ]
    by_name = {count.rule: count for count in (*common, *made.rules)}
    made.rules = [by_name[rule.name] for rule in _in_order(mapped)]
    return made


def _in_order(mapped: Mapped) -> list[Rule]:
    """The rules in the order in which a whole run maps them: those of common tables are the first."""
    return [rule for rule, _ in (*mapped.common.mapped, *mapped.own)]


def added(
    site: Site, before: Reconciliation, taken: Reconciliation, given: Reconciliation, landed: Mapping[str, Landed]
) -> Reconciliation:
    """before - taken + given, count by count; what landing counts comes from this night's landing.

    Raises Mismatch where more was taken than was there.
    """
    sources = _each(before.sources, taken.sources, given.sources, "source", lambda *three: _source(site, *three))
    for source in sources:
        of_landing = landed[source.source]
        source.read = of_landing.rows_read
        source.before = of_landing.rows_before
        source.by_changes = dict(of_landing.by_changes)
        source.unreadable = dict(of_landing.rejected)
        source.opted_out = of_landing.opted_out
    return Reconciliation(
        site=given.site,
        ignored=given.ignored,
        sources=sources,
        views=_each(before.views, taken.views, given.views, "view", _view),
        rules=_each(before.rules, taken.rules, given.rules, "rule", _rule),
        persons_without_period=_number(before, taken, given, "persons_without_period"),
        exposures_without_era=_counts(before, taken, given, "exposures_without_era", sorted),
        exposures_without_dose=_counts(before, taken, given, "exposures_without_dose", sorted),
    )


def _each(
    before: Sequence[Count], taken: Sequence[Count], given: Sequence[Count], name: str, make: Callable[..., Count]
) -> list[Count]:
    known = {getattr(count, name): count for count in before}
    gone = {getattr(count, name): count for count in taken}
    if set(known) != set(gone) or len(given) != len(known):
        raise Mismatch(f"other {name}s are counted than before")
    return [make(known[getattr(count, name)], gone[getattr(count, name)], count) for count in given]


def _number(before: BaseModel, taken: BaseModel, given: BaseModel, name: str) -> int:
    left = int(getattr(before, name)) - int(getattr(taken, name))
    if left < 0:
        raise Mismatch(f"{name} was fewer than what was taken away")
    return left + int(getattr(given, name))


def _counts(
    before: BaseModel,
    taken: BaseModel,
    given: BaseModel,
    name: str,
    order: Callable[[Iterable[str]], Iterable[str]],
    keep: Iterable[str] = (),
) -> dict[str, int]:
    one, two, three = (dict(getattr(count, name)) for count in (before, taken, given))
    left = {key: one.get(key, 0) - two.get(key, 0) for key in {**one, **two}}
    if any(n < 0 for n in left.values()):
        raise Mismatch(f"{name} was fewer than what was taken away")
    made = {key: left.get(key, 0) + three.get(key, 0) for key in {**left, **three}}
    kept = set(keep)
    return {key: made[key] for key in order(made) if made[key] or key in kept}


def _source(site: Site, before: SourceCount, taken: SourceCount, given: SourceCount) -> SourceCount:
    three = (before, taken, given)
    source = site.spec.sources[given.source]
    rules = [rule.rule for rule in source.exclude] if isinstance(source, LandedSource) else []
    made = given.model_copy(deep=True)
    for name, field in SourceCount.model_fields.items():
        if name in _OF_LANDING:
            continue
        if field.annotation is int:
            setattr(made, name, _number(*three, name))
        elif isinstance(getattr(given, name), dict):
            order = (lambda keys: [rule for rule in rules if rule in set(keys)]) if name == "excluded" else sorted
            setattr(made, name, _counts(*three, name, order))
    return made


def _view(before: ViewCount, taken: ViewCount, given: ViewCount) -> ViewCount:
    three = (before, taken, given)
    return given.model_copy(
        update={name: _number(*three, name) for name in ("of_rows", "reached", "rows")}
        | {"folds": _counts(*three, "folds", lambda _: given.folds, given.folds)}
    )


def _rule(before: RuleCount, taken: RuleCount, given: RuleCount) -> RuleCount:
    three = (before, taken, given)
    numbers = ("rows_in", "not_selected", "selected", "written", "merged")
    out = _counts(*three, "rows_out", sorted)
    notes = [note.value for note in Note]
    return given.model_copy(
        update={name: _number(*three, name) for name in numbers}
        | {name: _counts(*three, name, sorted) for name in ("rejected", "excluded")}
        | {
            "rows_out": out,
            "zero": {table: n for table, n in _counts(*three, "zero", sorted, out).items() if table in out},
            "notes": _counts(*three, "notes", lambda keys: [note for note in notes if note in set(keys)]),
            "lost_by_moving": _counts(*three, "lost_by_moving", lambda keys: sorted(keys, key=_place_lost)),
        }
    )


def _place_lost(name: str) -> tuple[str, str]:
    role, _, table = name.partition(" -> ")
    return table, role


def refuse_others(before: Reconciliation, taken: Reconciliation, rules: Iterable[str]) -> None:
    """Raises Mismatch where entries that are mapped whole do not count the same as in the run before."""
    known = {count.rule: count for count in before.rules}
    for count in taken.rules:
        if count.rule in set(rules) and count != known.get(count.rule):
            raise Mismatch(f"{count.rule} counts otherwise than in the run before")
