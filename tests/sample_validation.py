"""A context of Great Expectations whose results quote a value that was not expected, made without an engine."""

from __future__ import annotations

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.checkpoint import Checkpoint
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.data_context import AbstractDataContext

from dure.quality.expectations import ExpectViolationsWithinThreshold
from dure.quality.validate import data_context

VALUE = "SECRET-7781"


def validated() -> AbstractDataContext:
    """Core expectations on a frame of pandas, of which some stop, and one of ours, which has no engine here."""
    context = data_context()
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("person")
    expectations = [
        gxe.ExpectColumnValuesToBeInSet(column="sex", value_set=["M", "F"]),
        gxe.ExpectColumnDistinctValuesToBeInSet(column="sex", value_set=["M"]),
        gxe.ExpectColumnMeanToBeBetween(column="sex", min_value=1, max_value=2),
        ExpectViolationsWithinThreshold(counted="person", counting="rows", check_id="field_a", threshold_pct=5.0),
    ]
    suite = context.suites.add(ExpectationSuite("person", expectations=expectations))
    batches = asset.add_batch_definition_whole_dataframe("all")
    definition = context.validation_definitions.add(ValidationDefinition(name="person", data=batches, suite=suite))
    checkpoint = context.checkpoints.add(Checkpoint(name="person", validation_definitions=[definition], actions=[]))
    run = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame({"sex": ["M", VALUE, None]})})
    assert VALUE in str(run.run_results), "the results quote the value, or the tests prove nothing"
    return context
