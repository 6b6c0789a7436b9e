"""Every check counts the same on Apache Spark and on Sail, over a snapshot in which everything is wrong at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

QUALITY = Path(__file__).resolve().parents[1] / "unit" / "quality"
sys.path.insert(0, str(QUALITY))
import clean_snapshot as clean  # noqa: E402
from test_quality_defects import CASES  # noqa: E402

sys.path.pop(0)

from dure.engine import EngineOptions, engine  # noqa: E402
from dure.quality.counting.outcome import Outcome, Uncountable  # noqa: E402
from dure.quality.counting.profile import Before, Profile  # noqa: E402

pytestmark = [pytest.mark.spark, pytest.mark.together]
# Tables whose defect is that they, or a field, are absent or of another type.
WITHOUT_ROWS = ("cdmTable", "cdmField", "cdmDatatype", "bigintDatatype", "measurePersonCompleteness")
# Whose rows make checks of all passes count something.
TABLES = ("condition_occurrence", "measurement", "observation_period", "specimen")


def counted(name: str, folder: Path) -> tuple[dict[str, Outcome], str]:
    """The outcome of every check of TABLES on an engine, and the profile of the snapshot as text."""
    rows = clean.clean_rows()
    for case in CASES:
        if case.type not in WITHOUT_ROWS:
            case.defect(rows)
    for table, content in rows.items():
        if not (folder / "cdm" / table).exists():
            clean.write(table, content, folder / "cdm" / table)
            clean.write(table, clean.clean_rows()[table], folder / "before" / table)
    store = clean.vocabulary(folder / f"vocab-{name}")
    before = Before("20200101T000000Z", folder / "before", folder / "before", Profile())
    with engine(EngineOptions(name=name, threads=2)) as running:
        if name == "spark":
            for key, value in {
                "spark.sql.shuffle.partitions": "1",
                "spark.sql.codegen.wholeStage": "false",
                "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            }.items():
                running.session.conf.set(key, value)
        snapshot = clean.Overlaid(running.session, folder / "cdm", store, clean.TODAY, before=before)
        outcomes = {key: each for table in TABLES for key, each in clean._counted(snapshot, table).items()}
    return outcomes, snapshot.profile.model_dump_json()


def test_counts_agree(tmp_path: Path) -> None:
    on_sail, sail_profile = counted("sail", tmp_path)
    on_spark, spark_profile = counted("spark", tmp_path)
    assert {key: (on_spark[key], each) for key, each in on_sail.items() if on_spark[key] != each} == {}
    assert [key for key, each in on_sail.items() if isinstance(each, Uncountable)] == []
    assert sum(isinstance(each, tuple) and each[0] > 0 for each in on_sail.values()) > 50
    assert spark_profile == sail_profile
