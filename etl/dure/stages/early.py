"""Work begun before its stage comes: what a later stage will ask for, started as soon as what it reads is there.

So the processors are busy while one stage waits for its last source or writes its last table; what a stage gives, and
whether it fails, is the same as without.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

Made = TypeVar("Made")

# Two at a time beside the stage that is under way.
WORKERS = 2


class Early:
    """A context for such work; leaving it waits for what is under way and drops what has not begun."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="early")
        self._begun: dict[str, Future[Any]] = {}
        self._writes: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, name: str, make: Callable[[], object], writes: str = "") -> None:
        """Starts `make` in the background; what it gives, or its error, is kept for `result`.

        `writes` is the area of the run's folders in which it makes files (work, reports), if in any.
        """
        self._begun[name] = self._pool.submit(make)
        self._writes[name] = writes

    @property
    def busy(self) -> frozenset[str]:
        """The areas in which work that nobody has asked for yet may still make files."""
        return frozenset(self._writes[name] for name in self._begun)

    def result(self, name: str, make: Callable[[], Made]) -> Made:
        """What the work of this name gave; done here and now if nobody began it."""
        begun: Future[Made] | None = self._begun.get(name)
        if begun is None:
            return make()
        made = begun.result()
        del self._begun[name]
        return made
