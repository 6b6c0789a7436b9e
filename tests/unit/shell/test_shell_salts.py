from __future__ import annotations

from pathlib import Path

import pytest

from dure.errors import IntegrityError
from dure.snapshot.durable import LakeError
from dure.snapshot.lake import Lake
from dure.snapshot.salts import read_salts, remember_salts

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_no_collision_ever_means_no_salts(tmp_path: Path) -> None:
    assert read_salts(tmp_path / "salts.json") == {}


def test_salts_add_up_over_runs(tmp_path: Path) -> None:
    path = tmp_path / "salts.json"
    assert remember_salts(path, {"person": {B: 1}}) == {"person": {B: 1}}
    assert remember_salts(path, {"person": {A: 2}, "death": {C: 1}}) == {"person": {A: 2, B: 1}, "death": {C: 1}}
    assert read_salts(path) == {"person": {A: 2, B: 1}, "death": {C: 1}}
    assert [entry.name for entry in tmp_path.iterdir()] == ["salts.json"]


def test_a_salt_never_changes(tmp_path: Path) -> None:
    path = tmp_path / "salts.json"
    remember_salts(path, {"person": {A: 1}})
    with pytest.raises(IntegrityError, match="a row of person has salt 1, the run gives it 2"):
        remember_salts(path, {"person": {A: 2}})
    assert read_salts(path) == {"person": {A: 1}}


@pytest.mark.parametrize("content", ["", "[]", '{"person": {"환자1": 1}}', '{"person": {"' + A + '": "1"}}'])
def test_a_damaged_file_stops_the_run_rather_than_change_ids(tmp_path: Path, content: str) -> None:
    path = tmp_path / "salts.json"
    path.write_text(content, "utf-8")
    with pytest.raises(LakeError, match="not a list of salts") as raised:
        read_salts(path)
    assert "환자1" not in str(raised.value)


def test_the_lake_keeps_them_by_site(tmp_path: Path) -> None:
    site = Lake(tmp_path).site("바다병원")
    with site.lock():
        site.remember_salts({"person": {A: 1}})
    assert Lake(tmp_path).site("바다병원").salts() == {"person": {A: 1}}
    assert Lake(tmp_path).site("강산").salts() == {}
    assert (tmp_path / "sites" / "바다병원" / "salts.json").stat().st_mode & 0o777 == 0o600
