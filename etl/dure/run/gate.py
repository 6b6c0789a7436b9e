"""The gate as a part of a run: its files are read before the extract, its verdict is asked for on the run's engine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING

from dure.run.options import Committed, Prove, RunOptions
from dure.site.names import folder_of

if TYPE_CHECKING:
    from dure.progress import Progress
    from dure.quality.command import Checked


def gate_read(options: RunOptions) -> AbstractContextManager[None]:
    """Reads the gate's files with the site: a mistake in them is told before the extract is, not after an hour."""
    from dure.quality.gate.site_files import gate_files_too

    return gate_files_too(folder_of(options.site, options.sites))


def proving(today: date, progress: Progress) -> Prove:
    """Checks the snapshot that a run committed, on the run's own engine, and opens or closes its gate."""
    from dure.quality.command import check_committed  # here, as Great Expectations takes seconds to load

    def prove(done: Committed) -> Checked:
        return check_committed(
            done.engine.session, done.lake, done.snapshot, done.site.folder, done.store, today, progress
        )

    return prove
