"""A hospital that nobody had in mind: a folder without a line of Python, and every row of its CDM, on both engines."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent / "unseen_hospital"
SCENARIOS = HERE.parents[1] / "scenarios"
sys.path[:0] = [str(SCENARIOS), str(HERE)]
from saebyeok_extract import write_extract  # noqa: E402
from scenario import VOCABULARY, Outcome, broken_links, differences  # noqa: E402

del sys.path[:2]

from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.landing import header_of  # noqa: E402
from dure.progress import SilentProgress  # noqa: E402
from dure.run import RunOptions, run_site  # noqa: E402
from dure.site import load_site  # noqa: E402

pytestmark = pytest.mark.together

SITES = HERE / "sites"
EXPECTED = {path.stem.removeprefix("expected_"): path for path in sorted(HERE.glob("expected/expected_*.csv"))}


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extract")
    write_extract(folder)
    return folder


def run(running: Engine, extract: Path, lake: Path) -> Outcome:
    options = RunOptions("saebyeok", extract, VOCABULARY, lake, (SITES,))
    result = run_site(options, SilentProgress(), lambda _: nullcontext(running))
    assert result.warnings == []
    return Outcome(result.snapshot, result.reports)


@pytest.fixture(scope="module")
def on_sail(extract: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The snapshot by the default engine, which has stopped before Spark starts."""
    with engine(EngineOptions(threads=2)) as running:
        return run(running, extract, tmp_path_factory.mktemp("sail"))


@pytest.fixture(scope="module")
def on_spark(on_sail: Outcome, extract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    with engine(EngineOptions(name="spark", threads=2)) as running:
        running.session.conf.set("spark.sql.shuffle.partitions", "1")
        yield run(running, extract, tmp_path_factory.mktemp("spark"))


def test_the_folder_validates_against_the_extract_without_a_warning(extract: Path) -> None:
    site = load_site("saebyeok", [SITES], extract, header_of)
    assert site.warnings == ()
    assert site.headers["diagnosis"][-1] == "주부진단"


def test_the_hospital_wrote_no_python() -> None:
    assert {path.suffix for path in (SITES / "saebyeok").rglob("*") if path.is_file()} == {".yaml", ".sql", ".csv"}


def test_no_hospital_is_known_to_the_code() -> None:
    """Its commands have examples and its demonstration makes hospitals up; beyond them no text names one."""
    names = re.compile("saebyeok|haneul|bada|gangsan|synthea|새벽|하늘|바다|강산", re.IGNORECASE)
    code = HERE.parents[2] / "etl/dure"
    named = [
        f"{path.relative_to(code)}:{node.lineno} {node.value}"
        for path in sorted(code.rglob("*.py"))
        if path.relative_to(code).parts[0] not in ("cli", "demo")
        for node in texts_beside_docstrings(ast.parse(path.read_text("utf-8")))
        if names.search(node.value)
    ]
    assert [each for each in named if "snapshot/names.py" not in each] == []  # a hint shows what a name looks like


def texts_beside_docstrings(tree: ast.Module) -> list[ast.Constant]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documented = [node.body for node in ast.walk(tree) if isinstance(node, owners) and node.body]
    docstrings = {body[0].value for body in documented if isinstance(body[0], ast.Expr)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
    ]


@pytest.mark.parametrize("of", EXPECTED)
def test_every_row_is_as_a_person_would_write_it(on_sail: Outcome, of: str) -> None:
    assert differences(on_sail, of, EXPECTED[of]) == []


def test_every_id_points_at_a_row(on_sail: Outcome) -> None:
    assert broken_links(on_sail) == []


def test_tables_that_nobody_expects_are_empty_or_derived(on_sail: Outcome) -> None:
    derived = {"observation_period", "condition_era", "drug_era", "dose_era"}
    own = {"cdm_source", "metadata", "source_to_concept_map", "location"}
    filled = {name for name, table in on_sail.tables.items() if table.num_rows}
    assert filled - derived - own == EXPECTED.keys() - {"reconciliation", "worklist"}


@pytest.mark.spark
def test_apache_spark_makes_the_same_rows(on_sail: Outcome, on_spark: Outcome) -> None:
    for name, table in on_sail.tables.items():
        other = on_spark.tables[name]
        assert table.schema.types == other.schema.types, name
        assert sorted(map(repr, table.to_pylist())) == sorted(map(repr, other.to_pylist())), name
