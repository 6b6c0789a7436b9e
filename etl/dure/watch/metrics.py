"""A site's figures as a text file that node_exporter's textfile collector reads: one file a site, replaced whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from dure.errors import ConfigurationError, DureError, Problem
from dure.ledger.facts import RunFacts
from dure.snapshot.lake import POINTERS, Lake
from dure.snapshot.manifest import Manifest, read_manifest

SUFFIX = ".prom"
# The collector runs as another user; the file holds counts of a whole site and nothing of a person.
_MODE = 0o644

_HELP = {
    "dure_run_info": "The last run of the site by its versions and its engine; always 1.",
    "dure_run_start_timestamp_seconds": "When the last run of the site began.",
    "dure_run_end_timestamp_seconds": "When the last run of the site ended.",
    "dure_run_success": "Whether the last run of the site ended with exit code 0.",
    "dure_run_exit_code": "Exit code of the last run of the site.",
    "dure_run_duration_seconds": "How long the last run of the site took.",
    "dure_run_stage_duration_seconds": "How long each stage of the last run took, as far as it went.",
    "dure_run_warnings": "Warnings of the last run of the site.",
    "dure_run_rows": "Rows of the extract by what became of them, and all that were read.",
    "dure_run_mapped_ratio": "Mapped rows of all that were mapped or had no standard concept.",
    "dure_gate_open": "Whether the gate opened for the snapshot of the last run.",
    "dure_quality_score_ratio": "Checks passed of those that passed, failed or erred, in the last run.",
    "dure_snapshot_created_timestamp_seconds": "When the snapshot that a pointer names was built.",
    "dure_snapshot_as_of_timestamp_seconds": "The day of the extract of the snapshot that a pointer names, at 0 h UTC.",
    "dure_snapshot_table_rows": "Rows of each table of the latest snapshot.",
    "dure_snapshot_persons": "Persons of the latest snapshot.",
}


@dataclass(frozen=True)
class _Sample:
    name: str
    labels: Mapping[str, str]
    value: float


def metrics_file(given: Path, site: str) -> Path:
    """The file of a site: the one that --metrics names, or dure-SITE.prom in the folder that it names."""
    return given if given.suffix == SUFFIX else given / f"dure-{site}{SUFFIX}"


def write_metrics(given: Path, facts: RunFacts) -> None:
    """Replaces the site's file by the figures of a run that has ended and of the snapshots that stand."""
    path = metrics_file(given, facts.site)
    beside = path.with_name(f".{path.name}.{os.getpid()}")  # a name that the collector does not read
    try:
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), _MODE)
                file.write(metrics_text(facts, _standing(facts)).encode())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            Problem(
                f"--metrics {path}",
                f"cannot be written: {error.strerror or type(error).__name__}",
                "make the folder writable for this user; until then monitoring sees the run before",
            )
        ) from error


def metrics_text(facts: RunFacts, standing: Mapping[str, Manifest]) -> str:
    """The file's text; `standing` are the manifests of the snapshots that pointers name."""
    samples: dict[str, list[_Sample]] = {}
    for sample in _samples(facts, standing):
        samples.setdefault(sample.name, []).append(sample)
    lines = []
    for name, help_text in _HELP.items():
        if name in samples:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
            lines += [f"{name}{{{_labels(s.labels)}}} {_number(s.value)}" for s in samples[name]]
    return "\n".join(lines) + "\n"


def _samples(facts: RunFacts, standing: Mapping[str, Manifest]) -> Iterator[_Sample]:
    site = {"site": facts.site}

    def one(name: str, value: float | None, **labels: str) -> Iterator[_Sample]:
        if value is not None:
            yield _Sample(f"dure_{name}", site | labels, value)

    versions = {"version": facts.dure_version, "engine": facts.engine, "vocabulary": facts.vocabulary}
    yield from one("run_info", 1, **{name: text for name, text in versions.items() if text})
    yield from one("run_start_timestamp_seconds", facts.started.timestamp())
    yield from one("run_end_timestamp_seconds", facts.ended.timestamp() if facts.ended else None)
    yield from one("run_success", float(facts.exit_code == 0))
    yield from one("run_exit_code", facts.exit_code)
    yield from one("run_duration_seconds", facts.seconds)
    seconds: dict[str, float] = {}
    for stage in facts.stages:
        seconds[stage.name] = seconds.get(stage.name, 0.0) + (stage.seconds or 0.0)
    for name, took in seconds.items():
        yield from one("run_stage_duration_seconds", took, stage=name)
    yield from one("run_warnings", len(facts.warnings))
    for outcome in ("read", "mapped", "unmapped", "rejected", "excluded"):
        yield from one("run_rows", getattr(facts, f"rows_{outcome}"), outcome=outcome)
    coded = (facts.rows_mapped or 0) + (facts.rows_unmapped or 0)
    yield from one("run_mapped_ratio", (facts.rows_mapped or 0) / coded if coded else None)
    yield from one("gate_open", float(facts.gate == "open") if facts.gate else None)
    yield from one("quality_score_ratio", facts.score)
    for pointer, manifest in standing.items():
        day = datetime.combine(manifest.as_of, time(), UTC)
        yield from one("snapshot_created_timestamp_seconds", manifest.created.timestamp(), pointer=pointer)
        yield from one("snapshot_as_of_timestamp_seconds", day.timestamp(), pointer=pointer)
    if (latest := standing.get("latest")) is not None:
        for name, content in latest.tables.items():
            yield from one("snapshot_table_rows", content.rows, table=name)
        if (person := latest.tables.get("person")) is not None:
            yield from one("snapshot_persons", person.rows)


def _standing(facts: RunFacts) -> dict[str, Manifest]:
    """By pointer; without those that cannot be read, which the run has told of in its own words."""
    own = Lake(Path(facts.lake)).site(facts.site)
    found: dict[str, Manifest] = {}
    for pointer in POINTERS:
        try:
            folder = own.pointer(pointer)
            if folder is not None:
                found[pointer] = read_manifest(folder)
        except DureError:
            continue
    return found


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
