"""The synthetic vocabulary: Athena's format at any size, and codes that resolve against it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from dure.vocab.load import load_athena

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


def test_a_small_one_loads_and_resolves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("athena_synthetic", "process"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    bench = importlib.import_module("athena_synthetic")
    counts = bench.make(tmp_path / "download", 0.0005, 300)
    assert counts["concepts"] == 4_500
    store = load_athena(tmp_path / "download", tmp_path / "stores")
    assert store.counts["rows"]["CONCEPT"] == 4_500
    assert store.counts["rows"]["CONCEPT_RELATIONSHIP"] == counts["relationships"]
    assert store.counts["rows"]["CONCEPT_ANCESTOR"] == counts["ancestors"] == 45_000
    assert not any(store.counts["dangling"].values())
    assert {"KCD7", "EDI", "SNOMED"} <= store.vocabulary_ids()
    bench.resolve_codes(store.folder, tmp_path / "codes.json")
    said = json.loads(capsys.readouterr().out)
    assert said["requests"] <= 300
    assert said["mapped"] > 100
