"""What a run found out about its night before it mapped anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Changed:
    """Rows of one source: how many are new (`added`), say something else under a key that was there (`changed`), or are there no more (`gone`)."""

    rows: int
    added: int
    changed: int
    gone: int


@dataclass
class Told:
    """Rows by source, and either why the run is a full one (`why`) or what the delta is about.

    `before` is the snapshot that a delta starts from; `touched` are the rows by source that are mapped anew, `persons` whose
    they are, `tables` the rows that those persons have in the snapshot before, `remapped` how many codes mean something else.
    """

    sources: dict[str, Changed] = field(default_factory=dict)
    why: str = ""
    before: str | None = None
    persons: int = 0
    touched: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    remapped: int = 0

    def lines(self) -> list[str]:
        """What `--dry-run` prints: rows by source, whether the night is a delta, persons and tables."""
        names = ("rows", "added", "changed", "gone", "map anew")
        lines = [f"{'source':22}" + "".join(f"{name:>12}" for name in names)] if self.sources else []
        for name, found in self.sources.items():
            anew = found.rows if self.why else self.touched.get(name, 0)
            numbers = (found.rows, found.added, found.changed, found.gone, anew)
            lines.append(f"{name:22}" + "".join(f"{number:>12,}" for number in numbers))
        if self.why:
            return [*lines, "", f"a full run: {self.why}"]
        lines += ["", f"a delta from {self.before}: {self.persons:,} persons, {self.remapped:,} codes remapped"]
        if self.tables:
            lines += ["", f"{'table':28}{'their rows':>12}"]
            lines += [f"{table:28}{rows:>12,}" for table, rows in self.tables.items()]
        return lines
