"""The hospitals of the demonstration after a night in which one patient in a hundred changed: a delta, as a full run."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

PROPERTY = Path(__file__).resolve().parents[1] / "property"
sys.path.insert(0, str(PROPERTY))
from delta_hospital import differences, was_delta  # noqa: E402

sys.path.pop(0)

from dure.demo.consortium import SITES, shipped_folder  # noqa: E402
from dure.demo.generate.generate import generate  # noqa: E402
from dure.engine import Engine, EngineOptions, engine  # noqa: E402
from dure.progress import SilentProgress  # noqa: E402
from dure.run import RunOptions, RunResult, run_site  # noqa: E402
from dure.snapshot.manifest import read_manifest  # noqa: E402
from dure.vocab import load_athena  # noqa: E402

pytestmark = [pytest.mark.together, pytest.mark.slow]
PATIENTS = 500


@pytest.fixture(scope="module")
def sail() -> Iterator[Engine]:
    with engine(EngineOptions(threads=2)) as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The extracts, and the store of the demonstration's vocabulary."""
    extract = tmp_path_factory.mktemp("demo")
    generate(PATIENTS, 1, extract, SilentProgress())
    return extract, load_athena(shipped_folder("demo_vocabulary"), tmp_path_factory.mktemp("stores")).folder


def change(extract: Path, share: float) -> None:
    """Takes one row of a share of the patients out of a file, and puts the rows of another one in again at the end."""
    for path in sorted(extract.glob("*.csv")):
        lines = path.read_bytes().split(b"\n")
        head, rows = lines[0], [line for line in lines[1:] if line]
        # Cells with line breaks in quotes are not to be torn apart, and lookups are of nobody.
        if len(rows) < 100 or any(line.count(b'"') % 2 for line in rows):
            continue
        rnd = random.Random(path.name)
        for _ in range(max(1, round(share * PATIENTS / 10))):
            rows.pop(rnd.randrange(len(rows)))
        rows.append(rows.pop(0))
        path.write_bytes(b"\n".join([head, *rows, b""]))


@pytest.mark.parametrize("site", SITES)
def test_a_night_of_the_demonstration(site: str, made: tuple[Path, Path], sail: Engine, tmp_path: Path) -> None:
    extract, store = made

    def run(*, full: bool = False) -> RunResult:
        options = RunOptions(
            site, extract / site, store, tmp_path / "lake", (shipped_folder("sites"),), full=full, check_disk=False
        )
        return run_site(options, SilentProgress(), lambda _: nullcontext(sail))

    run()
    change(extract / site, 0.01)
    delta, full = run(), run(full=True)
    assert was_delta(delta), delta.warnings
    of = read_manifest(delta.snapshot).delta
    assert of is not None and 0 < of.persons < PATIENTS / 5
    assert not differences(tmp_path, delta, full)
