"""The same number of patients and seed give the same bytes, everywhere; more patients change nobody's."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from generated_demo import KEYS, SEED, folder, written

from dure.demo.generate.clinical import clinical
from dure.demo.generate.frames import rows
from dure.demo.generate.seeds import BLOCK, stream

LISTS = ("의사.csv", "진료과.csv", "원내코드표.csv", "NHIS_YK_2016_2023.csv")
MAKE = (
    "import sys; from pathlib import Path; from dure.demo.generate.generate import generate; "
    "from dure.progress import SilentProgress; generate(30, 7, Path(sys.argv[1]), SilentProgress())"
)


def digests(place: Path) -> dict[str, str]:
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for number in ("1", "2"):
        surroundings = os.environ | {"PYTHONHASHSEED": number, "OMP_NUM_THREADS": number, "ARROW_NUM_THREADS": number}
        place = str(tmp_path / number)
        subprocess.run([sys.executable, "-c", MAKE, place], check=True, env=surroundings, timeout=120)
    first = digests(tmp_path / "1")
    assert len(first) == 9 + 11 + 7 + 5 + 1
    assert first == digests(tmp_path / "2")


def test_another_seed_makes_other_persons(tmp_path: Path) -> None:
    for seed in (7, 8):
        written(tmp_path / str(seed), 20, seed)
    first, second = digests(tmp_path / "7"), digests(tmp_path / "8")
    same = {name for name in first if first[name] == second[name]}
    assert {name.rsplit("/", 1)[-1] for name in same} == {*LISTS, "dirt_kinds.csv"}


@pytest.mark.parametrize("hospital", KEYS)
def test_with_more_patients_the_rows_of_the_others_stand(hospital: str, tmp_path: Path) -> None:
    written(tmp_path / "small", 120, SEED)
    for name in KEYS[hospital]:
        few, more = ((place / hospital / name).read_bytes() for place in (tmp_path / "small", folder()))
        assert few == more[: len(few)]
        assert (len(few) < len(more)) == (name not in LISTS)


def test_the_truth_of_fewer_patients_is_part_of_that_of_more(tmp_path: Path) -> None:
    written(tmp_path / "small", 120, SEED)
    for name in ("records", "persons", "visits", "dirt"):
        few, more = (
            pq.read_table(place / "truth" / f"{name}.parquet").to_pandas() for place in (tmp_path / "small", folder())
        )
        merged = few.merge(more.drop_duplicates(), how="left", indicator=True, on=list(few.columns))
        assert (merged["_merge"] == "both").all()
        assert 0 < len(few) < len(more)


def test_a_block_is_the_same_whatever_was_made_before() -> None:
    alone = clinical(3, 1)
    clinical(3, 0)
    again = clinical(3, 1)
    for name in ("persons", "visits", "diagnoses", "orders", "labs", "procedures", "vitals", "notes", "lifelog"):
        first, second = getattr(alone, name), getattr(again, name)
        for column in first:
            np.testing.assert_array_equal(first[column], second[column])
        assert rows(first) > 0


def test_memory_is_that_of_a_block_however_many_patients() -> None:
    """Nothing of a block outlives it; a block has as many persons wherever it stands."""
    assert [rows(clinical(1, block).persons) for block in (0, 1, 900)] == [BLOCK] * 3


def test_streams_differ_by_seed_block_and_purpose() -> None:
    drawn = {stream(*key).integers(1 << 62) for key in [(1, 0, "a"), (2, 0, "a"), (1, 1, "a"), (1, 0, "b")]}
    assert len(drawn) == 4
    assert stream(1, 0, "a").integers(1 << 62) in drawn
