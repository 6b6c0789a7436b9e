"""A merge policy that cannot merge anything is told."""

from __future__ import annotations

from pathlib import Path

from site_folder import SPEC, changed, load


def _found(tmp_path: Path, spec: str) -> list[tuple[str, str]]:
    return [(warning.where.replace(f"{tmp_path}/hospitals/garam/", ""), warning.found) for warning in load(tmp_path, spec).warnings]  # fmt: skip


def test_the_same_hospital_is_asked_of_visits_that_name_none(tmp_path: Path) -> None:
    policy = "visit_policy: {merge: [{when: [9201], followed_by: [9201], within_days: 0, same: [care_site]}]}\n"
    spec = changed("tables:\n", policy + "tables:\n")
    found = "merge[0] of the visit policy asks the same care_site, but no visit gives one: it merges nothing"
    line = spec.split("\n").index(policy.strip()) + 1
    assert (f"site.yaml:{line} visit_policy.merge", found) in _found(tmp_path, spec)


def test_nothing_is_told_where_the_policy_asks_nothing_the_same(tmp_path: Path) -> None:
    assert [text for _, text in _found(tmp_path, SPEC) if "visit policy" in text] == []
