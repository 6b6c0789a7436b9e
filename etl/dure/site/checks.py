"""Checks across the pieces of a spec: names that must exist, keys that must fit, rows that must go somewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from dure.cdm.roles import roles, spec_tables
from dure.errors import Problem
from dure.site.entries import Entry
from dure.site.keys import check_labels, check_references
from dure.site.loaded import Draft
from dure.site.sources import LandedSource, ViewSource
from dure.site.values import DateOf, EventRow, RrnRace, RrnSex, YearOf
from dure.site.views import View
from dure.site.walk import Path, maps_named, parts, vocabularies_named
from dure.site.yaml_text import closest


@cache
def athena_vocabularies() -> frozenset[str]:
    """The vocabulary ids that Athena gives out."""
    text = (files("dure.site") / "athena.csv").read_text(encoding="utf-8")
    return frozenset(row["vocabulary_id"] for row in csv.DictReader(text.splitlines()))


def check_draft(draft: Draft, views: Mapping[str, View]) -> Iterator[Problem]:
    """Every mistake that shows only when the pieces are held against each other."""
    yield from _check_sources(draft, views)
    for table, index, entry in draft.spec.entries():
        at = draft.at(table, index)
        yield from _check_source_of_entry(draft, at, entry)
        yield from _check_names(draft, at, entry)
        yield from _check_event_rows(draft, at, table, entry)
    yield from _check_dates(draft)
    yield from _check_persons(draft)
    yield from check_references(draft)
    yield from check_labels(draft)
    yield from _check_reach(draft, views)
    yield from _check_vocabularies(draft)
    yield from _check_derive(draft)


# ------------------------------------------------------------------------------------------------ sources


def _no_source(draft: Draft, at: Path, name: str) -> Problem:
    names = draft.spec.sources
    found = f"no source '{name}'{closest(name, names)}"
    return draft.document.problem(at, found, "sources: " + ", ".join(names))


def _check_sources(draft: Draft, views: Mapping[str, View]) -> Iterator[Problem]:
    document, sources = draft.document, draft.spec.sources
    for name, source in sources.items():
        if not isinstance(source, ViewSource):
            continue
        at: Path = ("sources", name)
        for key, used in [("of", source.of), *((("folds"), folded) for folded in source.folds)]:
            if used is None:
                continue
            path = (*at, "of") if key == "of" else (*at, "folds", used)
            if not draft.knows("sources", used):
                yield _no_source(draft, path, used)
            elif name in views and used not in views[name].reads and used in sources:
                yield document.problem(
                    path, f"{source.view} does not select from {used}", "name the source that it reads"
                )
        for folded, fold in source.folded.items():
            parts_of_key = len(_key_of(draft, source.of))
            if fold.parent and source.of in sources and len(fold.parent) != parts_of_key:
                found = (
                    f"the parent has {len(fold.parent)} parts, but the key of {source.of} has {parts_of_key or 'none'}"
                )
                do = f"name the columns of {folded} that hold the key of {source.of}, in its order"
                yield document.problem((*at, "folds", folded, "parent"), found, do)
        view = views.get(name)
        if view and source.of in view.reads and source.of not in view.rows_of:
            carried = f"carries those of {', '.join(sorted(view.rows_of))}" if view.rows_of else "selects neither"
            found = f"the rows are those of {source.of}, but {source.view} {carried}"
            yield document.problem((*at, "of"), found, f"select _file and _row of {source.of}, e.g. by its star: a.*")
    yield from _check_cycles(draft, views)
    for name in draft.spec.ignored:
        readers = [reader for reader in _readers(draft) if reader[0] == name]
        for _, at in readers[:1]:
            where = document.where(at)
            do = "remove it from ignored, or remove the entry"
            yield document.problem(("ignored", name), f"'{name}' is ignored, but {where} reads it", do)


def _key_of(draft: Draft, name: str | None) -> list[str]:
    """The key of a source, for a view without one that of its `of`; empty where there is none."""
    seen = set[str]()
    while name and name not in seen:
        seen.add(name)
        source = draft.spec.sources.get(name)
        if source is None or source.key:
            return list(source.key or []) if source else []
        name = source.of if isinstance(source, ViewSource) else None
    return []


def _readers(draft: Draft) -> Iterator[tuple[str, Path]]:
    """(source, path) of everything in the spec that takes a source's rows."""
    for table, index, entry in draft.spec.entries():
        yield entry.from_, (*draft.at(table, index), "from")
    for name, source in draft.spec.sources.items():
        if isinstance(source, ViewSource) and name not in draft.spec.ignored:
            if source.of:
                yield source.of, ("sources", name, "of")
            for folded in source.folds:
                yield folded, ("sources", name, "folds", folded)


def _check_cycles(draft: Draft, views: Mapping[str, View]) -> Iterator[Problem]:
    reported: set[frozenset[str]] = set()
    for name in views:
        trail = [name]
        while True:
            following = next(
                (other for other in sorted(views[trail[-1]].reads) if other in views and _leads(views, other, name)),
                None,
            )
            if following is None:
                break
            if following == name or following in trail:
                if frozenset(trail) not in reported:
                    reported.add(frozenset(trail))
                    circle = " → ".join([*trail, following])
                    yield draft.document.problem(
                        ("sources", name, "view"), f"views select from each other: {circle}", "break the circle"
                    )
                break
            trail.append(following)


def _leads(views: Mapping[str, View], start: str, goal: str) -> bool:
    seen, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen and name in views:
            seen.add(name)
            todo += views[name].reads
    return False


def _check_reach(draft: Draft, views: Mapping[str, View]) -> Iterator[Problem]:
    """Sources of rows that reach no table, and lookups that no view reads."""
    sources, document = draft.spec.sources, draft.document
    unknown_of = any(isinstance(s, ViewSource) and s.of and s.of not in sources for s in sources.values())
    if draft.broken["sources"] or draft.broken["tables"] or unknown_of:
        return  # what is missing may be in the piece that could not be read
    reached = set[str]()
    todo = [entry.from_ for _, _, entry in draft.spec.entries()]
    while todo:
        name = todo.pop()
        source = sources.get(name)
        if name in reached or source is None:
            continue
        reached.add(name)
        if isinstance(source, ViewSource):
            todo += [source.of] if source.of else []
            todo += source.folds
    joined = {read for view in views.values() for read in view.reads}
    all_parsed = all(name in views for name, source in sources.items() if isinstance(source, ViewSource))
    for name, source in sources.items():
        if name in draft.spec.ignored:
            continue
        if isinstance(source, LandedSource) and source.role == "lookup":
            if name not in joined and all_parsed:
                do = f"remove it, or give the reason: ignored: {{{name}: …}}"
                yield document.problem(("sources", name), f"lookup '{name}' is read by no view", do)
        elif name not in reached:
            do = f"map it, say role: lookup, or give the reason: ignored: {{{name}: …}}"
            if isinstance(source, ViewSource):
                do = f"map it, or give the reason: ignored: {{{name}: …}}"
            yield document.problem(("sources", name), f"source '{name}' reaches no table", do)


# ------------------------------------------------------------------------------------------------ entries


def _check_source_of_entry(draft: Draft, at: Path, entry: Entry) -> Iterator[Problem]:
    source = draft.spec.sources.get(entry.from_)
    if source is None:
        if not draft.knows("sources", entry.from_):
            yield _no_source(draft, (*at, "from"), entry.from_)
    elif isinstance(source, LandedSource) and source.role == "lookup":
        do = "remove role: lookup; views may still join it"
        yield draft.document.problem((*at, "from"), f"'{entry.from_}' is a lookup, whose rows reach no table", do)


def _check_names(draft: Draft, at: Path, entry: Entry) -> Iterator[Problem]:
    """Maps and vocabularies that a value names, and facts of a resident number where they belong."""
    for role in roles(entry.TABLE).values():
        value = entry.given(role.name)
        if value is None:
            continue
        here = (*at, role.name)
        for path, name, use, arity in maps_named(value, here):
            yield from _check_map(draft, path, name, use, arity)
        for path, name in vocabularies_named(value, here):
            yield from _check_vocabulary(draft, path, name)
        for path, part in parts(value, here):
            says = "gender" if isinstance(part, RrnSex) else "race" if isinstance(part, RrnRace) else role.name
            if says != role.name:
                found = f"a resident number's {says} stands where {role.name} belongs"
                yield draft.document.problem(path, found, "rrn_sex gives gender, rrn_race gives race")


def _check_map(draft: Draft, path: Path, name: str, use: str, arity: int) -> Iterator[Problem]:
    fixed = draft.maps.get(name)
    document = draft.document
    shown = "this map" if "." in name else f"map '{name}'"
    if fixed is None:
        if not draft.knows("maps", name):
            named = [known for known in draft.maps if "." not in known]
            yield document.problem(path, f"no map '{name}'{closest(name, named)}", "maps: " + ", ".join(named))
        return
    if fixed.arity != arity:
        found = f"{shown} looks up {fixed.arity} column{'s' * (fixed.arity > 1)} together, {arity} given"
        yield document.problem(
            path, found, "columns: value_1, value_2, … of the map are the columns given, in their order"
        )
    targets = fixed.values.values()
    if use == "concept":
        wrong = next((target for target in targets if not target.is_concept), None)
        if wrong:
            found = f"{shown} gives a text where a concept is needed ({wrong.where})"
            yield document.problem(path, found, "give concept_id, or vocabulary_id and concept_code")
    else:
        wrong = next((target for target in targets if target.text is None), None)
        if wrong:
            found = f"{shown} gives a concept where a text is needed ({wrong.where})"
            yield document.problem(path, found, "give the text in a column text")
        for target in targets if use == "vocabulary" else ():
            if target.text is not None and not _vocabulary_known(draft, target.text):
                known = [*draft.vocabularies, *sorted(athena_vocabularies())]
                found = f"{shown} names no vocabulary: '{target.text}'{closest(target.text, known)} ({target.where})"
                yield document.problem(path, found, _VOCABULARY_HINT)


_VOCABULARY_HINT = "declare it under vocabularies, or use an Athena vocabulary_id"


def _vocabulary_known(draft: Draft, name: str) -> bool:
    return draft.knows("vocabularies", name) or name in athena_vocabularies()


def _check_vocabulary(draft: Draft, path: Path, name: str) -> Iterator[Problem]:
    if not _vocabulary_known(draft, name):
        known = [*draft.vocabularies, *sorted(athena_vocabularies())]
        yield draft.document.problem(path, f"no vocabulary '{name}'{closest(name, known)}", _VOCABULARY_HINT)


def _check_vocabularies(draft: Draft) -> Iterator[Problem]:
    for name, vocabulary in draft.vocabularies.items():
        at: Path = ("vocabularies", name)
        if vocabulary.same_as == name:
            yield draft.document.problem((*at, "same_as"), f"'{name}' is the same as itself", "remove same_as")
        elif vocabulary.same_as:
            yield from _check_vocabulary(draft, (*at, "same_as"), vocabulary.same_as)


def _check_dates(draft: Draft) -> Iterator[Problem]:
    without_format: list[Path] = []
    for table, index, entry in draft.spec.entries():
        for role in roles(table).values():
            if role.kind not in ("moment", "end", "birth") or entry.given(role.name) is None:
                continue
            at = (*draft.at(table, index), role.name)
            for path, part in parts(entry.given(role.name), at):
                if isinstance(part, YearOf) and part.day is None and role.kind != "birth":
                    do = f"{{year: {part.year}, day: first}}, middle or last"
                    yield draft.document.problem(path, "a year alone is no date", do)
                bare = isinstance(part, str) and (path == at or path[-2:-1] == ("first_of",))
                if bare or (isinstance(part, DateOf) and not part.formats):
                    without_format.append(path)
    if without_format and not draft.defaults.formats and not draft.formats_unknown:
        found = f"a date is read, but no date format is declared ({len(without_format)} places)"
        do = "e.g. defaults: {formats: [yyyyMMdd, yyyy-MM-dd HH:mm:ss]}"
        yield draft.document.problem(without_format[0], found, do)


def _check_event_rows(draft: Draft, at: Path, table: str, entry: Entry) -> Iterator[Problem]:
    for role in roles(table).values():
        event = entry.given(role.name) if role.kind == "event" else None
        if not isinstance(event, EventRow):
            continue
        path = (*at, role.name, "row")
        if event.row not in spec_tables():
            found = f"no table '{event.row}'{closest(event.row, spec_tables())}"
            yield draft.document.problem(path, found, "tables: " + ", ".join(spec_tables()))
            continue
        others = [other.from_ for name, _, other in draft.spec.entries() if name == event.row]
        if entry.from_ not in others and event.row not in draft.broken["tables"]:
            found = f"no entry of {event.row} reads {entry.from_}, so its rows become nothing there"
            do = f"entries of {event.row} read: {', '.join(dict.fromkeys(others)) or 'nothing'}"
            yield draft.document.problem(path, found, do)


def _check_persons(draft: Draft) -> Iterator[Problem]:
    for table, index, entry in draft.spec.entries():
        role = roles(table).get("person")
        if role and not role.required and entry.given("person") is None and entry.given("visit") is None:
            yield draft.document.problem(
                draft.at(table, index), "no person", "give person, or visit: the person is then the visit's"
            )


def _check_derive(draft: Draft) -> Iterator[Problem]:
    enrolment = draft.spec.derive.observation_period == "enrolment"
    filled = {table for table, _, _ in draft.spec.entries()} | draft.broken["tables"]
    if enrolment and "payer_plan_period" not in filled:
        at: Path = ("derive", "observation_period")
        do = "add entries for payer_plan_period, or write events"
        yield draft.document.problem(at, "nothing fills payer_plan_period, which enrolment is made of", do)
