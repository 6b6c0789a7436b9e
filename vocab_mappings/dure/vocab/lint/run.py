"""Lint of files: every rule on every map, and what a file that cannot be read gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

# Each of these modules registers its rules, in the order of the guide.
from dure.vocab.lint import cells, characters, identifiers, known, meaning, targets, validity  # noqa: F401
from dure.vocab.lint.finding import Edit, Finding, Found
from dure.vocab.lint.linted import Concept, Concepts, LintedMap
from dure.vocab.lint.registry import RULES, Rule
from dure.vocab.maps.read import MapTable

if TYPE_CHECKING:
    from dure.vocab.store import VocabularyStore


def lint(
    table: MapTable,
    concepts: Concepts | None = None,
    *,
    own: Iterable[str] = (),
    many_targets: Iterable[str] = (),
    file: str = "",
) -> list[Finding]:
    """The findings of one map by row, then in the order of the rules; `file` is its name in them.

    Without `concepts`, rules that need a vocabulary do not run.
    """
    linted = LintedMap(table, concepts, frozenset(own), frozenset(many_targets))
    found = [
        _finding(file or table.name, table, rule, each)
        for rule in RULES.values()
        if concepts is not None or not rule.vocabulary
        for each in rule.check(linted)
    ]
    return sorted(found, key=lambda finding: finding.row or 0)


def _finding(file: str, table: MapTable, rule: Rule, found: Found) -> Finding:
    severity = found.severity or rule.severity
    fix = _said(table, found.edits) if found.edits else None
    return Finding(file, found.row, rule.name, severity, found.message, fix, found.edits)


def _said(table: MapTable, edits: Sequence[Edit]) -> str:
    header = table.grid.header
    return "; ".join(
        "remove the row"
        if edit.column is None
        else f"{header[edit.column].strip()} becomes '{edit.text}'"
        if edit.text
        else f"{header[edit.column].strip()} becomes empty"
        for edit in edits
    )


def concepts_of(store: VocabularyStore, tables: Iterable[MapTable]) -> Concepts:
    """What a vocabulary store has of the targets of maps."""
    ids = {entry.target for table in tables for entry in table.entries() if entry.target}
    columns = [
        "concept_name", "domain_id", "vocabulary_id", "concept_code", "standard_concept", "invalid_reason",
    ]  # fmt: skip
    frame = store.concepts(ids, columns).astype(object)
    frame = frame.where(frame.notna(), "")
    fallen = frame.loc[(frame["standard_concept"] != "S") | (frame["invalid_reason"] != ""), "concept_id"]
    successors: dict[int, list[int]] = {}
    for row in store.successors(fallen).to_pylist():
        successors.setdefault(row["concept_id"], []).append(row["target_concept_id"])
    by_id = {
        int(number): Concept(
            int(number),
            str(name),
            str(domain),
            str(vocabulary),
            str(code),
            str(standard),
            str(invalid_reason),
            tuple(sorted(successors.get(int(number), ()))),
        )
        for number, name, domain, vocabulary, code, standard, invalid_reason in frame[
            ["concept_id", *columns]
        ].itertuples(index=False, name=None)
    }
    complete = not any(store.counts.get("dangling", {}).values())
    return Concepts(by_id, complete, store.vocabulary_ids())


def by_rule(findings: Iterable[Finding]) -> Iterator[tuple[str, str, str, int]]:
    """(file, rule, severity, count), in the order in which they first occur."""
    counts: dict[tuple[str, str, str], int] = {}
    for finding in findings:
        key = (finding.file, finding.rule, finding.severity)
        counts[key] = counts.get(key, 0) + 1
    order = {name: number for number, name in enumerate(RULES)}
    for (file, rule, severity), count in sorted(
        counts.items(), key=lambda item: (item[0][0], order[item[0][1]], item[0][2])
    ):
        yield file, rule, severity, count
