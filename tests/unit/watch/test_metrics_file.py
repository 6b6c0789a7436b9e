"""The text file for node_exporter, read back as a collector reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dure.errors import ConfigurationError
from dure.ledger.facts import Outcome, ProblemFacts
from dure.watch.metrics import metrics_file, metrics_text, write_metrics
from sample_run import sample_run


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values other than the site's -> value."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            labels = dict(sample.labels)
            labels.pop("site")
            key = (sample.name, *labels.values())
            assert key not in found
            found[key] = sample.value
    return found


def test_a_collector_reads_the_figures_of_the_run() -> None:
    found = samples(metrics_text(sample_run(), {}))
    assert found == {
        ("dure_run_info", "0.1.0", "sail", "v5.0 29-FEB-24"): 1.0,
        ("dure_run_start_timestamp_seconds",): sample_run().started.timestamp(),
        ("dure_run_end_timestamp_seconds",): sample_run().started.timestamp() + 90,
        ("dure_run_success",): 1.0,
        ("dure_run_exit_code",): 0.0,
        ("dure_run_duration_seconds",): 90.25,
        ("dure_run_stage_duration_seconds", "land"): 6.5,
        ("dure_run_stage_duration_seconds", "map"): 3.0,
        ("dure_run_warnings",): 1.0,
        ("dure_run_rows", "read"): 1e10,
        ("dure_run_rows", "mapped"): 9e9,
        ("dure_run_rows", "unmapped"): 5e8,
        ("dure_run_rows", "rejected"): 1.0,
        ("dure_run_rows", "excluded"): 2.0,
        ("dure_run_mapped_ratio",): 9e9 / 9.5e9,
        ("dure_gate_open",): 1.0,
        ("dure_quality_score_ratio",): 0.991,
    }


def test_what_a_failed_run_does_not_know_is_absent_and_not_zero() -> None:
    failed = sample_run(
        outcome=Outcome.FAILED, exit_code=3, gate=None, score=None, rows_mapped=None, rows_read=None, snapshot=None,
        problems=[ProblemFacts(level="error", where="환자.csv", found="is empty", do="")],
    )  # fmt: skip
    found = samples(metrics_text(failed, {}))
    assert (found[("dure_run_success",)], found[("dure_run_exit_code",)]) == (0.0, 3.0)
    assert not {"dure_gate_open", "dure_quality_score_ratio"} & {key[0] for key in found}
    assert ("dure_run_rows", "read") not in found


@pytest.mark.parametrize("site", ["바다병원", 'a"b', "a\\b", "a\nb", "a{b}"])
def test_any_name_of_a_site_is_read_back(site: str) -> None:
    (family, *_) = text_string_to_metric_families(metrics_text(sample_run(site=site), {}))
    assert family.samples[0].labels["site"] == site


def test_each_site_has_a_file_that_is_replaced_whole_and_others_may_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_metrics(tmp_path, sample_run(lake=str(tmp_path / "lake")))
        write_metrics(tmp_path, sample_run(2, lake=str(tmp_path / "lake"), exit_code=1))
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["dure-바다병원.prom"]
    assert (tmp_path / "dure-바다병원.prom").stat().st_mode & 0o777 == 0o644
    assert samples((tmp_path / "dure-바다병원.prom").read_text("utf-8"))[("dure_run_exit_code",)] == 1.0


def test_a_file_may_be_named_itself(tmp_path: Path) -> None:
    assert metrics_file(tmp_path / "dure.prom", "bada") == tmp_path / "dure.prom"
    assert metrics_file(tmp_path, "bada") == tmp_path / "dure-bada.prom"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"dure-바다병원\.prom: cannot be written: No such file or directory"):
        write_metrics(tmp_path / "없음", sample_run(lake=str(tmp_path)))
