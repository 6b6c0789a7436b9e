"""A site after reading: the spec with its consortium's share, every map, view and vocabulary that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dure.errors import Problem
from dure.site.fixed_maps import FixedMap
from dure.site.local_concepts import LocalConcept
from dure.site.spec import Defaults, Entry, Normalise, Spec, VisitPolicy
from dure.site.yaml_text import Document, Step


@dataclass(frozen=True)
class VocabularySpec:
    """How the codes of one vocabulary find concepts; `maps` are absolute paths, the site's before the consortium's."""

    id: str
    site_maps: tuple[Path, ...] = ()
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: Normalise = "none"
    fallback: Literal["parent"] | None = None
    many_targets: bool = False
    reuses_codes: bool = False

    @property
    def maps(self) -> tuple[Path, ...]:
        return self.site_maps + self.consortium_maps


@dataclass(frozen=True)
class Site:
    """A hospital, read and checked.

    `spec` is what the hospital wrote; `defaults`, `maps`, `vocabularies` and `visit_policy` hold the consortium's share
    too. `views` are in an order in which each stands after those that it reads, `view_reads` what the SQL of each selects
    from. `headers` are the columns of the file sources where an extract was given. `digest` is over every file read,
    `file_digests` one by one.
    """

    spec: Spec
    folder: Path
    consortium_folder: Path | None
    defaults: Defaults
    maps: dict[str, FixedMap]
    vocabularies: dict[str, VocabularySpec]
    visit_policy: VisitPolicy
    views: dict[str, str]
    view_reads: dict[str, frozenset[str]]
    headers: dict[str, tuple[str, ...]]
    warnings: tuple[Problem, ...]
    digest: str
    file_digests: dict[str, str]
    document: Document = field(repr=False, compare=False)
    positions: dict[str, list[int]] = field(repr=False, compare=False)
    local_concepts: tuple[LocalConcept, ...] = ()

    def entries(self) -> Iterator[tuple[tuple[Step, ...], Entry]]:
        """(path in the file, entry) of every rule, in the order in which tables are built."""
        for table, index, entry in self.spec.entries():
            yield ("tables", table, self.positions[table][index]), entry

    def where(self, *steps: Step) -> str:
        """File, line and path of a place in the spec, for messages: `site.where("tables", "person", 0, "birth")`."""
        return self.document.where(steps)

    def located(self, problem: Problem) -> Problem:
        """A problem of landing, which knows `sources.NAME` alone, with the file and the line of that place."""
        place, _, file = problem.where.partition(" ")
        if not place.startswith(("sources.", "extract.")):
            return problem
        where = self.where(*place.split("."))
        return replace(problem, where=f"{where} {file}".rstrip())


@dataclass
class Draft:
    """What a site's files gave, before the checks across them.

    Pieces that could not be read are left out of `spec` and named in `broken` (`sources`, `maps`, `vocabularies`,
    `defaults`, `tables`), so that one mistake is not reported a second time as something missing elsewhere. `positions` are the
    places that the entries of a table have in the file; `shared_unknown` says that there is a consortium whose file
    could not be read.
    """

    document: Document
    spec: Spec
    positions: dict[str, list[int]]
    broken: dict[str, set[str]]
    defaults: Defaults
    visit_policy: VisitPolicy
    maps: dict[str, FixedMap]
    vocabularies: dict[str, VocabularySpec]
    views: dict[str, str]
    shared_unknown: bool = False

    @property
    def formats_unknown(self) -> bool:
        """Whether date formats may be declared in a piece that could not be read."""
        return self.shared_unknown or "formats" in self.broken["defaults"]

    def at(self, table: str, index: int) -> tuple[Step, ...]:
        """The path of an entry in the file."""
        return ("tables", table, self.positions[table][index])

    def knows(self, section: str, name: str) -> bool:
        """Whether a name is declared, even where what it declares is broken."""
        declared: dict[str, Collection[str]] = {
            "sources": self.spec.sources,
            "maps": self.maps,
            "vocabularies": self.vocabularies,
        }
        in_consortium = self.shared_unknown and section != "sources"
        return name in declared[section] or name in self.broken[section] or in_consortium
