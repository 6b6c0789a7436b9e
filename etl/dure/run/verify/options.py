"""What a verification is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dure.engine import EngineOptions

# The share of the persons that a verification takes where nobody says.
SAMPLE = 0.01


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify and how. `snapshot` is an id, or None for what readers get, or the newest with `latest`.

    An `engine` without a name is chosen: another one than the snapshot was made with, where there is one. `vocab`
    overrides where the vocabulary store is looked for.
    """

    site: str
    lake: Path
    sites: tuple[Path, ...]
    snapshot: str | None = None
    latest: bool = False
    sample: float = SAMPLE
    seed: int = 0
    engine: EngineOptions = field(default_factory=lambda: EngineOptions(name=""))
    vocab: Path | None = None
