"""Runs checks on a snapshot through Great Expectations, on the session of the run.

A suite and a validation definition a table; a checkpoint a table too, because what it is given, the frame of the table,
is an argument of the checkpoint's run. Nothing is fetched, and no progress bar is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import great_expectations as gx
from great_expectations.checkpoint.checkpoint import Checkpoint
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.spark_datasource import SparkDatasource
from great_expectations.expectations.expectation import Expectation

from dure.quality.catalogue import Check
from dure.quality.counting.outcome import Inapplicable, Outcome, Uncountable
from dure.quality.counting.passes import TablePasses
from dure.quality.counting.snapshot import CheckedSnapshot
from dure.quality.expectations import ExpectViolationsWithinThreshold, registered
from dure.quality.results import Result, results_of
from dure.quality.site_expectations import ID, SiteExpectation, outcome_of

Checked = Callable[[str, int], None]
# Values of rows stay in the engine.
_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
Validated = Callable[[AbstractDataContext], None]


def validate(
    snapshot: CheckedSnapshot,
    checks: Iterable[Check],
    checked: Checked | None = None,
    validated: Validated | None = None,
    expectations: Iterable[SiteExpectation] = (),
) -> list[Result]:
    """One result a check, by table; `checked` is told each table and how many checks it had.

    `validated` is given the context at the end, with every suite and result in it. Checks that the hospital wrote are
    among `expectations`, by their id.
    """
    ordered = sorted(checks, key=lambda check: check.table)
    of_the_site = {each.check.id: each for each in expectations}
    tables = {
        table: TablePasses(snapshot, table, list(of_table))
        for table, of_table in groupby(ordered, key=lambda check: check.table)
    }
    outcomes: dict[str, Outcome] = {}
    context = data_context()
    # It looks for a session, and would start one of its own where none is up.
    context.data_sources.add_spark("snapshot", persist=False)
    with registered(tables):
        for table, passes in tables.items():
            outcomes |= _validated(context, passes, of_the_site)
            if checked:
                checked(table, len(passes.checks))
    if validated:
        validated(context)
    return results_of(ordered, outcomes)


def data_context() -> AbstractDataContext:
    """A context in memory: it leaves no file behind."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def suite_of(passes: TablePasses, of_the_site: Mapping[str, SiteExpectation]) -> ExpectationSuite:
    """The expectations of one table, one a check, with what the check is in their `meta`."""
    own = [check for check in passes.checks if check.id not in of_the_site]
    expectations: list[Expectation] = [
        ExpectViolationsWithinThreshold(
            counted=passes.table,
            counting=name,
            check_id=check.id,
            threshold_pct=check.threshold,
            meta=_meta(check),
        )
        for name, checks in replace(passes, checks=own).by_pass.items()
        for check in checks
    ]
    expectations += [of_the_site[check.id].expectation() for check in passes.checks if check.id in of_the_site]
    return ExpectationSuite(passes.table, expectations=expectations)


def _meta(check: Check) -> dict[str, str]:
    kind = check.type
    return {
        "check": kind.name,
        "severity": kind.severity.value,
        "kahn_context": kind.context,
        "kahn_category": kind.category,
        "kahn_subcategory": kind.subcategory,
    }


def _validated(
    context: AbstractDataContext, passes: TablePasses, of_the_site: Mapping[str, SiteExpectation]
) -> dict[str, Outcome]:
    snapshot, table = passes.snapshot, passes.table
    source = context.data_sources.get("snapshot")
    assert isinstance(source, SparkDatasource)
    asset = source.add_dataframe_asset(table)
    definition = context.validation_definitions.add(
        ValidationDefinition(
            name=table,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(suite_of(passes, of_the_site)),
        )
    )
    checkpoint = context.checkpoints.add(
        Checkpoint(name=table, validation_definitions=[definition], actions=[], result_format=_COUNTS_ONLY)
    )
    # A table that is absent still has checks, which look at no row.
    frame = snapshot.frame(table) if snapshot.path(table) else snapshot.session.range(0)
    run = checkpoint.run(batch_parameters={"dataframe": frame})
    outcomes: dict[str, Outcome] = {}
    for result in run.run_results.values():
        for item in result.results:
            expected = item.expectation_config
            assert expected is not None
            if expected.meta and ID in expected.meta:
                outcomes[expected.meta[ID]] = outcome_of(item, snapshot.rows(table))
            else:
                outcomes[expected.kwargs["check_id"]] = _outcome(item)
    return outcomes


def _outcome(item: Any) -> Outcome:
    observed = item.result.get("observed_value")
    if observed is not None:
        return observed[0], observed[1]
    details = item.result.get("details", {})
    if reason := details.get("not_applicable"):
        return Inapplicable(reason)
    cause = details.get("cause")
    return Uncountable(cause or "Great Expectations stopped on the check")
