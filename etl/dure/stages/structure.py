"""Concepts that no code of a row asks for: what the vocabulary calls tables and relationships, types, classes, operators."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.parquet as pq

from dure.cdm.roles import roles
from dure.errors import ConfigurationError, Problem
from dure.site.values import Concept, RrnRace, RrnSex
from dure.site.walk import parts
from dure.site.yaml_text import closest
from dure.tables import codes
from dure.tables.cells import FEMALE, KOREAN, MALE, OPERATORS, Reading
from dure.tables.links import Linked, field_name
from dure.tables.links import domains as domain_names
from dure.tables.rule import Rule, Shared
from dure.tables.timing import STILL_PATIENT
from dure.vocab import VocabularyStore, structural_concepts_missing

# So many ids a warning names.
_SHOWN = 12


def linked_of(rules: list[Rule], store: VocabularyStore) -> Linked:
    """What the vocabulary calls tables and relationships; raises ConfigurationError for a relationship it does not know."""
    asked = {str(rule.entry.given("relationship")): rule for rule in rules if rule.table == "fact_relationship"}
    if not asked and not any(
        rule.entry.given(role.name) is not None
        for rule in rules
        for role in roles(rule.table).values()
        if role.kind == "event"
    ):
        return Linked()
    known = pq.read_table(store.path("RELATIONSHIP")).to_pylist()
    concepts = {row["relationship_id"]: row["relationship_concept_id"] for row in known}
    reverse = {row["relationship_id"]: row["reverse_relationship_id"] for row in known}
    missing = [name for name in asked if name not in concepts]
    if missing:
        raise ConfigurationError(
            [
                Problem(
                    asked[name].name,
                    f"no relationship '{name}' in the vocabulary{closest(name, concepts)}",
                    "use a relationship_id of RELATIONSHIP.csv",
                )
                for name in missing
            ]
        )
    domain_concepts = {
        row["domain_id"]: row["domain_concept_id"] for row in pq.read_table(store.path("DOMAIN")).to_pylist()
    }
    fields = pq.read_table(
        store.path("CONCEPT"), columns=["concept_id", "concept_name"], filters=[("vocabulary_id", "=", "CDM")]
    ).to_pylist()
    by_name = {row["concept_name"]: row["concept_id"] for row in fields}
    return Linked(
        domain_concepts={table: domain_concepts.get(domain, 0) for table, domain in domain_names().items()},
        field_concepts={table: by_name.get(field_name(table), 0) for table in domain_names()},
        relationships={name: (concepts[name], concepts.get(reverse[name], 0)) for name in asked},
    )


def vocabulary_incomplete(
    store: VocabularyStore, rules: list[Rule], reading: Reading, shared: Shared
) -> Iterator[Problem]:
    """One warning where the vocabulary lacks structural concepts of this run, however many."""
    missing = structural_concepts_missing(store, structural_concepts(rules, reading, shared))
    if missing:
        shown = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        yield Problem(
            f"vocabulary {store.release}",
            f"vocabulary incomplete: it lacks {len(missing)} concepts that the site or Dure writes: {shown}",
            "they are written all the same; load a complete vocabulary to have their names",
        )


def structural_concepts(rules: list[Rule], reading: Reading, shared: Shared) -> list[int]:
    """Concepts that come from the spec or from Dure itself, not from a code: types, visit classes, operators, …"""
    found = set(OPERATORS.values())
    for concepts in reading.concepts.values():
        found |= set(concepts.values())
    for rule in rules:
        for value in codes.coded_roles(rule.entry, rule.table).values():
            for _, part in parts(value, ()):
                found |= _written_by(part)
            found |= {value} if isinstance(value, int) else set()
        if "type_concept_id" in roles(rule.table) and rule.entry.given("type_concept_id") is None:
            default = codes.type_concept(None, shared.default_type, rule.table)
            found |= {default} if isinstance(default, int) else set()
    found |= {entry.becomes for entry in shared.merge_visits if entry.becomes}
    if shared.open_stay == "as_of":
        found |= {STILL_PATIENT for rule in rules if rule.table in ("visit_occurrence", "visit_detail")}
    return sorted(found - {0})


def _written_by(part: object) -> set[int]:
    """The concepts that one part of a value gives by itself."""
    if isinstance(part, Concept):
        return {part.concept_id}
    if isinstance(part, RrnSex):
        return {MALE, FEMALE}
    return {KOREAN} if isinstance(part, RrnRace) else set()
