"""Several engine actions at a time: while one waits for the engine, Python plans the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

# More would only queue up: actions are parallel inside the engine already.
WORKERS = 3


def each(
    make: Callable[[Item], Made], items: Iterable[Item], stop: Callable[[], object] | None = None
) -> Iterator[Made]:
    """What `make` gives for each item, in the order of the items; the first error ends it, and what waits is dropped.

    `stop` is called when it ends, so that what runs on for long may end too.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = [pool.submit(make, item) for item in items]
        try:
            for future in waiting:
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()
            if stop is not None:
                stop()
