"""The manifest of the snapshot that a run made."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

from dure.cdm.schema import CDM_VERSION
from dure.landing import Landed
from dure.run.state import RunState
from dure.snapshot.manifest import (
    DeltaFrom,
    EngineUsed,
    Input,
    Manifest,
    VocabularyUsed,
    measure_tables,
    snapshot_digest,
)


def manifest_of(run: RunState, created: datetime) -> Manifest:
    assert run.reconciliation is not None
    content = measure_tables(run.staging.cdm)
    return Manifest(
        site=run.site.spec.site.id,
        snapshot=run.staging.snapshot,
        created=created,
        as_of=run.as_of,
        dure_version=version("dure"),
        cdm_version=CDM_VERSION,
        engine=EngineUsed(name=run.engine.name, version=run.engine.version),
        vocabulary=VocabularyUsed(release=run.store.release, digest=run.store.digest, folder=str(run.store.folder)),
        spec_digest=run.site.digest,
        map_digests=dict(run.site.file_digests),
        inputs={name: _input(landed) for name, landed in run.landed.items()},
        tables=content,
        digest=snapshot_digest(content),
        reconciliation={
            s.source: {"read": s.read, "landed": s.landed, "goes_on": s.goes_on, **s.outcomes}
            for s in run.reconciliation.sources
        },
        run=run.options.run_id,
        delta=_delta(run),
    )


def _delta(run: RunState) -> DeltaFrom | None:
    if run.delta is None or run.told.before is None:
        return None
    return DeltaFrom(snapshot=run.told.before, persons=run.told.persons, rows=sum(run.told.touched.values()))


def _input(landed: Landed) -> Input:
    return Input.model_validate(
        {
            "columns": landed.columns,
            "files": tuple(vars_of(file) for file in landed.files),
            "rows_read": landed.rows_read,
            "rows_landed": landed.rows_landed,
            "rejected": dict(landed.rejected),
            "opted_out": landed.opted_out,
            "rows_before": landed.rows_before,
            "by_changes": dict(landed.by_changes),
            "base": landed.base,
            "database": vars_of(landed.database) if landed.database else None,
        }
    )


def vars_of(record: object) -> dict[str, object]:
    """The fields of a frozen record as a dictionary."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}  # type: ignore[attr-defined]
