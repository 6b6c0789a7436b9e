"""The gate's files in a site's folder, read together and early: a mistake in one must not wait for the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dure.errors import ConfigurationError, ExtractNotReadyError, Problem, SourceError
from dure.quality.gate.policy import Policy, Waiver, read_policy, read_waivers

if TYPE_CHECKING:
    from dure.quality.site_expectations import SiteExpectation

EXPECTATIONS = "expectations.yaml"


@dataclass(frozen=True)
class GateFiles:
    """What a site's folder says of the gate; the shipped policy where it has none of its own."""

    policy: Policy
    waivers: tuple[Waiver, ...]
    expectations: tuple[SiteExpectation, ...]


def read_gate_files(site_folder: Path | None) -> GateFiles:
    """The policy, the waivers and the expectations that count for a site; raises ConfigurationError of the first file
    that is wrong."""
    return GateFiles(read_policy(site_folder), read_waivers(site_folder), _expectations(site_folder))


@contextmanager
def gate_files_too(site_folder: Path) -> Iterator[None]:
    """Reports what is wrong with the gate's files together with what the block finds wrong with the rest of the site.

    Raises ConfigurationError where a file of the gate is wrong, else what the block raises.
    """
    problems: list[Problem] = []
    for read in (read_policy, read_waivers, _expectations):
        try:
            read(site_folder)
        except ConfigurationError as error:
            problems += error.problems
    try:
        yield
    except (ConfigurationError, SourceError, ExtractNotReadyError) as error:
        if not problems:
            raise
        raise ConfigurationError([*error.problems, *problems]) from error
    if problems:
        raise ConfigurationError(problems)


def _expectations(site_folder: Path | None) -> tuple[SiteExpectation, ...]:
    if site_folder is None or not (site_folder / EXPECTATIONS).is_file():
        return ()
    # Here, as it asks Great Expectations, which takes seconds to load.
    from dure.quality.site_expectations import read_expectations

    return read_expectations(site_folder)
