"""How each site of a lake stands: its snapshots, its last run, what runs now, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from dure.errors import ConfigurationError, DureError, ExitCode, Problem
from dure.ledger.facts import Outcome, RunFacts
from dure.ledger.history import History
from dure.snapshot.holder import Holder, holder_of
from dure.snapshot.lake import POINTERS, Lake, Pointer, SiteLake
from dure.snapshot.manifest import read_manifest

State = Literal["idle", "running", "died"]


@dataclass(frozen=True)
class Pointed:
    """A snapshot that a pointer names; `created` None where its manifest cannot be read."""

    snapshot: str
    created: datetime | None = None
    as_of: str | None = None
    persons: int | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Standing:
    """One site. `last` is its last `dure run`; `holder` the process that holds it, or held it when it died."""

    site: str
    names: Sequence[str]
    pointers: dict[Pointer, Pointed]
    last: RunFacts | None
    state: State
    holder: Holder | None
    next: str


def standings(lake: Path, history: History, wanted: Sequence[str] = ()) -> list[Standing]:
    """Each site of the lake, or the wanted ones, by name; ConfigurationError for one that the lake does not know."""
    root = Lake(lake.resolve())
    last = history.last_runs()
    known = sorted({*root.sites(), *last})
    sites = [root.called(name).site for name in wanted]
    if unknown := [name for name, site in zip(wanted, sites, strict=True) if site not in known]:
        raise ConfigurationError([Problem(f"site {name}", "never ran in this lake", _known(known)) for name in unknown])
    return [_standing(root.site(site), last.get(site)) for site in sites or known]


def _known(sites: Sequence[str]) -> str:
    return f"it knows {', '.join(sites)}" if sites else "it knows no site yet"


def _standing(own: SiteLake, last: RunFacts | None) -> Standing:
    pointers = {name: found for name in POINTERS if (found := _pointed(own, name)) is not None}
    holder = holder_of(own.folder)
    state: State = "idle"
    if holder is not None:
        state = "died" if holder.holds is False else "running"
    elif last is not None and last.outcome is Outcome.DIED:
        state = "died"
    return Standing(own.site, own.names(), pointers, last, state, holder, _next(own.site, state, pointers, last))


def _pointed(own: SiteLake, name: Pointer) -> Pointed | None:
    try:
        folder = own.pointer(name)
        if folder is None:
            return None
        manifest = read_manifest(folder)
    except DureError as error:
        return Pointed("?", trouble=str(error.problems[0].found))
    persons = manifest.tables["person"].rows if "person" in manifest.tables else None
    return Pointed(manifest.snapshot, manifest.created, str(manifest.as_of), persons)


def _next(site: str, state: State, pointers: dict[Pointer, Pointed], last: RunFacts | None) -> str:
    """One line: what a person would do now."""
    if state == "running":
        return "wait until it ends"
    if state == "died":
        return f"dure run {site}: nothing that stands was harmed"
    if any(found.trouble for found in pointers.values()):
        return f"dure path {site}: a pointer names a snapshot that cannot be read"
    if last is not None and last.outcome in _BY_OUTCOME:
        return _BY_OUTCOME[last.outcome].format(site=site, run=last.id)
    if last is not None and last.exit_code == ExitCode.SITE_LOCKED:
        return "nothing: another run had the site"
    latest, passed, published = (pointers.get(name) for name in POINTERS)
    if latest is None:
        return f"dure run {site}"
    if passed is None or passed.snapshot != latest.snapshot:
        return f"dure check {site}: the latest snapshot has not passed"
    if published is None or published.snapshot != passed.snapshot:
        return f"dure publish {site}, where it is to leave"
    return "nothing"


_BY_OUTCOME = {
    Outcome.FAILED: "dure show {run}: it says what to do",
    Outcome.INTERRUPTED: "dure run {site}: it was stopped",
    Outcome.STOPPED: "dure run {site}: its time was up",
    Outcome.CLOSED: "dure path {site} --latest --reports: why the gate is closed",
}
