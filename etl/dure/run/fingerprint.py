"""What the outcome of a run depends on, so that a run that was cut off goes on only where all of it is the same.

What only decides how fast a run is, or how far it goes, is left out on purpose: who gives an engine more memory after it
ran out of it wants to go on, not to begin again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import dure
from dure.run.extract import extract_files
from dure.run.options import RunOptions
from dure.site.loaded import Site
from dure.site.spec import DatabaseSource
from dure.snapshot.forgotten import forgotten
from dure.snapshot.lake import SiteLake
from dure.stages.land import opted_out_of
from dure.vocab import VocabularyStore

# Options that other parts stand for, and those that change nothing of what a whole run makes.
_NOT_OF_THE_OUTCOME = frozenset(
    {
        "site",
        "sites",
        "source",
        "vocab",
        "lake",
        "engine",
        "as_of",
        "until",
        "restart",
        "deadline",
        "check_disk",
        "keep",
        "run_id",
        "accept_small",
    }
)
SALTS, LATEST = "the salts of ids", "the latest snapshot"
# What the run itself changes on its way; a snapshot that stands and waits for its gate does not depend on them.
MOVING = frozenset({SALTS, LATEST})


def inputs_of(
    options: RunOptions, site: Site, as_of: date, store: VocabularyStore, own: SiteLake, now: datetime
) -> dict[str, str]:
    """Everything that the outcome depends on, by what people call it."""
    latest = own.pointer("latest")
    chosen = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in _NOT_OF_THE_OUTCOME}
    return {
        "the options": _digest(f"{name}={value!r}" for name, value in sorted(chosen.items())),
        "the site's files": site.digest,
        "the persons left out": _digest(sorted(opted_out_of(site) | forgotten(own.folder))),
        "the vocabulary": store.digest,
        "the day of the extract (as of)": as_of.isoformat(),
        "the version of Dure": f"{version('dure')} {code_digest()}",
        "the engine": _engine(options),
        LATEST: latest.name if latest else "",
        SALTS: salts_digest(own),
        "the extract": _extract(options.source, site),
        **_night(site, now),
    }


def _night(site: Site, now: datetime) -> dict[str, str]:
    """From noon to noon where the hospital is, for a site that reads databases: nothing else tells of their rows."""
    if not any(isinstance(source, DatabaseSource) for source in site.spec.sources.values()):
        return {}
    noon = now.astimezone(ZoneInfo(site.spec.site.timezone)) - timedelta(hours=12)
    return {"the night in which databases are read": noon.date().isoformat()}


def salts_digest(own: SiteLake) -> str:
    """One hash over the salts that the lake remembers; a run may add some."""
    return _digest(f"{table} {sorted(salts.items())}" for table, salts in sorted(own.salts().items()))


def different(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what is not the same."""
    return tuple(name for name in {**one, **other} if one.get(name) != other.get(name))


@cache
def code_digest() -> str:
    """One hash over the code and the data that this version of Dure is made of."""
    content = hashlib.sha256()
    for root in sorted(map(Path, set(dure.__path__))):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
                content.update(path.read_bytes())
    return content.hexdigest()[:16]


def _engine(options: RunOptions) -> str:
    package = "pysail" if options.engine.name == "sail" else "pyspark"
    master = options.engine.master if options.engine.name == "spark" else ""
    return f"{options.engine.name} {master} {version(package)}"


def _extract(extract: Path, site: Site) -> str:
    """The files that the sources name as the file system tells them: a file written anew differs in more than a name.

    The change time, which nobody can set back, tells a copy over the old file that kept its date. The device is left
    out: its number may be another one after the machine has started again.
    """
    told = []
    for path in extract_files(extract, site):
        stat = path.stat()
        told.append(f"{path.resolve()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}")
    return _digest(sorted(told))


def _digest(texts: Iterable[str]) -> str:
    content = hashlib.sha256()
    for text in texts:
        content.update(f"{len(text)} {text}\n".encode())
    return content.hexdigest()
