"""Both engines give the same extract, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from asked import REQUEST, Center, fill
from made_store import vocabulary

from dure.engine import EngineOptions, engine
from dure.publish.keygen import make_keys

TABLES = ("person", "condition_occurrence", "measurement", "observation_period")


@pytest.mark.spark
def test_apache_spark_gives_the_same_files(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    make_keys(tmp_path / "keys", "site")
    center = Center(tmp_path, vocabulary(tmp_path / "vocab"), tmp_path / "keys", engine)
    text = REQUEST.replace("tables:\n", "dates: month\ntables:\n").replace(
        "condition_start_date,", "condition_start_date, condition_start_datetime,"
    )
    found = []
    for name in ("sail", "spark"):
        center.options = EngineOptions(name, threads=2)
        place = center.ask(text, to=name, part_rows=50).place
        assert place is not None
        found.append({path.relative_to(place): path.read_bytes() for path in place.glob("*/*.parquet")})
    assert {path.parts[0] for path in found[0]} == set(TABLES)
    assert found[0] == found[1]
