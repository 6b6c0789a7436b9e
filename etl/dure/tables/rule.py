"""What a rule is, what all rules of a run share, and the working state of one rule's evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note, Reason
from dure.cdm.roles import roles
from dure.site.spec import Entry, Merge
from dure.tables.cells import Reading
from dure.tables.codes import ResolvedMap
from dure.tables.keys import id_bits
from dure.tables.links import Linked


@dataclass(frozen=True)
class Rule:
    """One entry of a site's spec: the table it declares, the source it reads and what tells it from its neighbours."""

    table: str
    index: int
    entry: Entry
    source: str
    label: str
    source_key: tuple[str, ...] | None = None
    many: bool = False  # a row of the driving source may come out of its view several times
    root: str = ""  # the file source whose rows drive it: the source itself, or what its view is of

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
    `person_id` and `visit_detail_id` (the detail that has the visit's own key, where one source fills both).  `made`
    holds, by CDM table, what the rows of the rule's own source became there (`links.rows_made`).
    """

    frames: Mapping[str, DataFrame] = field(default_factory=dict)
    detail_with_visit: bool = False
    made: Mapping[str, DataFrame] = field(default_factory=dict)

    def with_frame(self, role: str, frame: DataFrame, detail_with_visit: bool = False) -> Lookups:
        return replace(
            self,
            frames={**self.frames, role: frame},
            detail_with_visit=self.detail_with_visit or detail_with_visit,
        )


@dataclass(frozen=True)
class Shared:
    """What all rules of a run share: the site's id, how cells are read, the resolved map, dates and policies."""

    site: str
    reading: Reading
    resolved: ResolvedMap
    as_of: date
    default_type: object = None
    open_stay: str = "as_of"
    merge_visits: tuple[Merge, ...] = ()
    domains: Mapping[int, str] = field(default_factory=dict)
    titer_unit: int = 0
    linked: Linked = field(default_factory=Linked)
    salts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reveal: bool = False  # add `_sha`, the SHA-256 of each record's identity: asked only after a collision

    def bits(self, table: str) -> int:
        return id_bits(table)


class Evaluation:
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
