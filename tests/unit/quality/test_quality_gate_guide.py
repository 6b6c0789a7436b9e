"""docs/guide/quality-gate.md says what is true: its examples load, its figures and names are those of the catalogue."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from dure.cli.check import check
from dure.quality.catalogue import dqd_checks
from dure.quality.check import Selection
from dure.quality.counting.failing import CAP
from dure.quality.explain import explain
from dure.quality.gate.site_files import read_gate_files
from dure.quality.own_catalogue import catalogue, own_checks, own_types


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs/guide/quality-gate.md").read_text("utf-8")


def test_the_examples_load(page: str, tmp_path: Path) -> None:
    examples = dict(re.findall(r"^## (\w+\.yaml)\n.*?```yaml\n(.*?)```", page, re.DOTALL | re.MULTILINE))
    for name, text in examples.items():
        (tmp_path / name).write_text(text, "utf-8")
    files = read_gate_files(tmp_path)
    assert examples.keys() == {"policy.yaml", "waivers.yaml", "expectations.yaml"}
    assert (files.policy.floor("fkDomain"), files.policy.floor("fkClass")) == (100, 90)
    assert [(waiver.check, waiver.expires) for waiver in files.waivers] == [
        ("dure_coveragerecords_drug", date(2026, 12, 31))
    ]
    assert [each.check.id for each in files.expectations] == ["site_measurement_glucose", "site_person_1"]
    assert [each.check.threshold for each in files.expectations] == [0.1, 0]


def test_the_table_of_our_own_checks(page: str) -> None:
    many = Counter(each.type.name for each in own_checks())
    table = page.partition("| type | checks |")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\w+) \| (.*) \|$", table, re.MULTILINE)
    assert rows == [
        (kind.name, str(many[kind.name]), kind.severity.value, kind.description) for kind in own_types().values()
    ]


def test_the_figures(page: str) -> None:
    deprecated = sum(each.type.deprecated for each in dqd_checks())
    assert f"{len(dqd_checks()):,} checks" in page
    assert re.search(rf"\b{deprecated}\s+of them are deprecated", page)
    assert f"Our own {len(own_checks())} checks" in page
    assert f"at most {CAP:,} a check" in page


def test_the_options_and_checks_that_it_names(page: str) -> None:
    options = {name for parameter in check.params for name in parameter.opts}
    table = re.findall(r"^\| `(--[\w-]+)", page, re.MULTILINE)
    assert len(table) == 7
    assert set(table) <= options
    assert Selection(("measurement",), ("field_isforeignkey_*",)).of(catalogue())
    assert Selection((), ("fkDomain", "*_person_*")).of(catalogue())
    (named,) = re.findall(r"--explain (dure_\w+)", page)
    assert explain(named).sql
