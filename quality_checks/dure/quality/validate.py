"""Runs checks on a snapshot through Great Expectations, on the session of the run.

A suite and a validation definition a table; a checkpoint a table too, because what it is given, the frame of the table,
is an argument of the checkpoint's run. Nothing is fetched, and no progress bar is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import great_expectations as gx
from great_expectations.checkpoint import Checkpoint
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation

from dure.quality.catalogue import Check
from dure.quality.counting.passes import Outcome, TablePasses, Uncountable
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.expectations import ExpectViolationsWithinThreshold, registered
from dure.quality.results import Result, results_of

Checked = Callable[[str, int], None]


def validate(snapshot: CheckedSnapshot, checks: Iterable[Check], checked: Checked | None = None) -> list[Result]:
    """One result a check, by table; `checked` is told each table and how many checks it had."""
    ordered = sorted(checks, key=lambda check: check.table)
    tables = {
        table: TablePasses(snapshot, table, list(of_table))
        for table, of_table in groupby(ordered, key=lambda check: check.table)
    }
    outcomes: dict[str, Outcome] = {}
    context = data_context()
    with registered(tables):
        for table, passes in tables.items():
            outcomes |= _validated(context, passes)
            if checked:
                checked(table, len(passes.checks))
    return results_of(ordered, outcomes)


def data_context() -> AbstractDataContext:
    """A context in memory: it leaves no file behind."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.data_sources.add_spark("snapshot", persist=False)
    return context


def suite_of(passes: TablePasses) -> ExpectationSuite:
    """The expectations of one table, one a check, with what the check is in their `meta`."""
    expectations: list[Expectation] = [
        ExpectViolationsWithinThreshold(
            counted=passes.table,
            counting=name,
            check_id=check.id,
            threshold_pct=check.threshold,
            meta=_meta(check),
        )
        for name, checks in passes.by_pass.items()
        for check in checks
    ]
    return ExpectationSuite(passes.table, expectations=expectations)


def _meta(check: Check) -> Mapping[str, str]:
    kind = check.type
    return {
        "check": kind.name,
        "severity": kind.severity.value,
        "kahn_context": kind.context,
        "kahn_category": kind.category,
        "kahn_subcategory": kind.subcategory,
    }


def _validated(context: AbstractDataContext, passes: TablePasses) -> dict[str, Outcome]:
    snapshot, table = passes.snapshot, passes.table
    asset = context.data_sources.get("snapshot").add_dataframe_asset(table)  # type: ignore[union-attr]
    definition = context.validation_definitions.add(
        ValidationDefinition(
            name=table,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(suite_of(passes)),
        )
    )
    checkpoint = context.checkpoints.add(Checkpoint(name=table, validation_definitions=[definition], actions=[]))
    # A table that is absent still has checks, which look at no row.
    frame = snapshot.frame(table) if snapshot.path(table) else snapshot.session.range(0)
    run = checkpoint.run(batch_parameters={"dataframe": frame})
    return {
        item.expectation_config.kwargs["check_id"]: _outcome(item)
        for result in run.run_results.values()
        for item in _items(result.results)
    }


def _items(results: Sequence[Any]) -> Sequence[Any]:
    return [item for item in results if "check_id" in item.expectation_config.kwargs]


def _outcome(item: Any) -> Outcome:
    observed = item.result.get("observed_value")
    if observed is not None:
        return observed[0], observed[1]
    cause = item.result.get("details", {}).get("cause")
    return Uncountable(cause or "Great Expectations stopped on the check")
