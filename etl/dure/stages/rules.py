"""The rules of a site in the order in which they run, and how its cells are read."""

from __future__ import annotations

from dure.cdm.roles import roles
from dure.site.fixed_maps import FixedMap, MapTarget
from dure.site.loaded import Site
from dure.site.spec import ViewSource
from dure.site.values import DateOf, FirstBirth, FirstMoment, MonthOf, YearOf
from dure.tables.cells import Reading
from dure.tables.rule import Rule
from dure.vocab import VocabularyStore, resolve_fixed

# A short map of our own: the unit of results such as 1:80.
TITER = FixedMap("1:N", 1, {("{titer}",): MapTarget(vocabulary_id="UCUM", concept_code="{titer}")})


def rules_of(site: Site) -> list[Rule]:
    """The entries of a spec in the order in which their tables are built."""
    return [
        Rule(
            table,
            index,
            entry,
            entry.from_,
            entry.default_label,
            source_key(site, entry.from_),
            _gives_many(site, entry.from_),
            root_source(site, entry.from_),
        )
        for table, index, entry in site.spec.entries()
    ]


def _gives_many(site: Site, name: str) -> bool:
    source = site.spec.sources[name]
    return isinstance(source, ViewSource) and (
        source.grain == "many" or (source.of is None) or _gives_many(site, source.of)
    )


def root_source(site: Site, name: str) -> str:
    """The source whose rows a source holds: itself, or for a view the one at the end of its `of`."""
    source = site.spec.sources[name]
    return root_source(site, source.of) if isinstance(source, ViewSource) and source.of else name


def source_key(site: Site, name: str) -> tuple[str, ...] | None:
    source = site.spec.sources[name]
    if source.key is None and isinstance(source, ViewSource) and source.of:
        return source_key(site, source.of)
    return tuple(source.key) if source.key else None


def reading_of(site: Site, rules: list[Rule], store: VocabularyStore) -> Reading:
    """How this site's cells are read."""
    dates = {
        column
        for rule in rules
        for role in roles(rule.table).values()
        if role.kind in ("moment", "end", "birth")
        for column in _date_columns(rule.entry.given(role.name))
    }
    return Reading(
        formats=tuple(site.defaults.formats),
        null_dates=tuple(site.defaults.null_dates),
        zone=site.spec.site.timezone,
        maps=site.maps,
        concepts=resolve_fixed({**site.maps, TITER.name: TITER}, store).concepts,
        dates=frozenset(dates),
    )


def _date_columns(value: object) -> list[str]:
    """The columns that a date value reads as dates; lengths of stay, times of day and age groups are none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, DateOf):
        return [value.date]
    if isinstance(value, MonthOf):
        return [value.month]
    if isinstance(value, YearOf):
        return [value.year]
    if isinstance(value, FirstMoment | FirstBirth):
        return [column for option in value.first_of for column in _date_columns(option)]
    return []
