"""Checks as Great Expectations sees them: a metric a pass, an expectation a check.

A metric counts all checks of one pass over one table; each check depends on the metric of its pass, which Great
Expectations computes once however many checks ask. Passes are found by a token, since a metric's arguments are text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from dure.quality.counting.outcome import Inapplicable, Outcome, Uncountable
from dure.quality.counting.passes import TablePasses

_METRIC = "table.dure_check_counts"
_PASSES: dict[str, TablePasses] = {}


@contextmanager
def registered(passes: Mapping[str, TablePasses]) -> Iterator[None]:
    """Makes the passes of tables known to the metric, by token, as long as they are checked."""
    _PASSES.update(passes)
    try:
        yield
    finally:
        for token in passes:
            _PASSES.pop(token, None)


class CheckCounts(TableMetricProvider):
    """The outcome of every check of one pass, by check id; `counted` is the token of the table's passes."""

    metric_name = _METRIC
    value_keys = ("counted", "counting")

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,
        execution_engine: SparkDFExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, Outcome]:
        return _PASSES[metric_value_kwargs["counted"]].count(metric_value_kwargs["counting"])


class ExpectViolationsWithinThreshold(BatchExpectation):
    """The violated rows of one check stay within a percentage of its denominator; 0 allows none."""

    counted: str
    counting: str
    check_id: str
    threshold_pct: float = 0.0
    metric_dependencies = (_METRIC,)
    success_keys = ("counted", "counting", "check_id", "threshold_pct")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent]:
        given = (configuration or result.expectation_config).kwargs
        template = "$check_id: at most $threshold_pct % of its rows may be violated."
        params = {"check_id": given["check_id"], "threshold_pct": f"{given.get('threshold_pct', 0.0):g}"}
        content = {"template": template, "params": params}
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template=content)]

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: Any = None
    ) -> ValidationDependencies:
        dependencies = ValidationDependencies(result_format={"result_format": "BASIC"})
        dependencies.set_metric_configuration(
            _METRIC,
            MetricConfiguration(
                _METRIC,
                metric_domain_kwargs={"batch_id": self.configuration.kwargs.get("batch_id")},
                metric_value_kwargs={"counted": self.counted, "counting": self.counting},
            ),
        )
        return dependencies

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        outcome = metrics[_METRIC][self.check_id]
        if isinstance(outcome, Uncountable):
            return {"success": False, "result": {"observed_value": None, "details": {"cause": outcome.cause}}}
        if isinstance(outcome, Inapplicable):
            return {"success": True, "result": {"observed_value": None, "details": {"not_applicable": outcome.reason}}}
        assert isinstance(outcome, tuple)
        violated, denominator = outcome
        return {
            "success": within(violated, denominator, self.threshold_pct),
            "result": {"observed_value": [violated, denominator]},
        }


def within(violated: int, denominator: int, threshold_pct: float) -> bool:
    """True where the share of violated rows is allowed; with a threshold of 0 one violated row is too many."""
    if threshold_pct == 0:
        return violated == 0
    return denominator == 0 or 100 * violated / denominator <= threshold_pct
