"""The command line with a stand-in for the run: options, where they come from, output, endings."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from dure.cli import main
from dure.cli.commands import cli
from dure.engine import EngineOptions
from dure.errors import IntegrityError, Problem, SiteLockedError, SourceError
from dure.progress import Reporter
from dure.run.options import RunOptions
from dure.settings import shipped_sites
from dure.snapshot.lake import Lake

NEW_COLUMN = Problem("lab.csv", "a new column 'RESLT2'", "name it in the spec")
SITE = "바다병원"


@dataclass
class Result:
    lines: list[str] = field(default_factory=lambda: ["person 27"])
    warnings: list[Problem] = field(default_factory=list)
    gate_open: bool | None = None
    snapshot: Path | None = None


@dataclass
class StandIn:
    """Takes the place of `dure.run`: remembers what it was asked and does what a test says."""

    asked: list[RunOptions] = field(default_factory=list)
    act: Callable[[Reporter], Result] = lambda progress: Result()

    proving: list[object] = field(default_factory=list)

    def run_site(self, options: RunOptions, progress: Reporter, *, prove: object) -> Result:
        assert options.run_id
        self.asked.append(replace(options, run_id=None))
        self.proving.append(prove)
        return self.act(progress)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    module: Any = ModuleType("dure.run")
    module.RunOptions, module.run_site = RunOptions, stand_in.run_site
    module.proving = lambda today, progress: "the gate"
    monkeypatch.setitem(sys.modules, "dure.run", module)
    return stand_in


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with an extract and a vocabulary, and no setting from outside."""
    for name in [name for name in os.environ if name.startswith("DURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name in ("자료", "athena", "병원설정"):
        (tmp_path / name).mkdir()
    return tmp_path


GIVEN = ["run", SITE, "--source", "자료", "--vocab", "athena", "--lake", "호수"]


_LAST = re.compile(r"run [0-9TZ]+-[0-9a-f]{8}: (?P<outcome>[a-z ]+), exit code [0-9]+, [0-9.]+ s\n\Z")


def printed(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Standard output, and standard error without its last line, which names the run; that line must be there."""
    out, err = capfd.readouterr()
    last = _LAST.search(err)
    assert last is not None, err
    return out, err[: last.start()]


def test_a_run_gets_every_option(run: StandIn) -> None:
    code = main(
        [
            *GIVEN,
            *(
                "--sites",
                "병원설정",
                "--sites",
                "athena",
                "--engine",
                "spark",
                "--master",
                "local[2]",
                "--threads",
                "2",
            ),
            *("--memory", "4g", "--as-of", "2026-03-15", "--until", "land", "--full"),
        ]
    )
    assert code == 0
    assert run.asked == [
        RunOptions(
            site=SITE,
            source=Path("자료"),
            vocab=Path("athena"),
            lake=Path("호수"),
            sites=(Path("병원설정"), Path("athena")),
            engine=EngineOptions("spark", "local[2]", 2, 4 << 30),
            as_of=date(2026, 3, 15),
            until="land",
            full=True,
        )
    ]


def test_a_run_needs_little(run: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(GIVEN) == 0
    shipped = shipped_sites()
    assert run.asked[0].sites == (shipped,)
    assert run.asked[0].engine == EngineOptions()
    assert (run.asked[0].as_of, run.asked[0].until, run.asked[0].full) == (None, None, False)
    assert printed(capfd) == ("person 27\n", "")


def test_a_run_ends_with_the_gate_unless_told_otherwise(run: StandIn) -> None:
    assert main(GIVEN) == 0
    assert main([*GIVEN, "--no-check"]) == 0
    assert main([*GIVEN, "--until", "map"]) == 0
    assert run.proving == ["the gate", None, None]


@pytest.mark.parametrize(("gate_open", "code"), [(True, 0), (False, 1)])
def test_a_closed_gate_is_an_exit_code_of_its_own(run: StandIn, gate_open: bool, code: int) -> None:
    run.act = lambda progress: Result(gate_open=gate_open)
    assert main(GIVEN) == code


def test_sites_beside_the_work_are_looked_at_first(run: StandIn, here: Path) -> None:
    (here / "sites").mkdir()
    assert main(GIVEN) == 0
    assert run.asked[0].sites == (here / "sites", shipped_sites())


def test_flag_before_environment_before_file(run: StandIn, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "dure.yaml").write_text(
        f"site: {SITE}\nlake: 호수\nvocab: athena\nsource: 자료\nengine: spark\nthreads: 2\nmemory: 1g\nsites: [병원설정]\nquiet: yes\n"
    )
    monkeypatch.setenv("DURE_THREADS", "3")
    monkeypatch.setenv("DURE_MEMORY", "2g")
    assert main(["run", "--memory", "3g"]) == 0
    asked = run.asked[0]
    assert asked.site == SITE
    assert (asked.lake, asked.vocab, asked.source) == (here / "호수", here / "athena", here / "자료")
    assert asked.sites == (here / "병원설정",)
    assert asked.engine == EngineOptions("spark", "local[*]", 3, 3 << 30)


def test_everything_may_come_from_the_environment(run: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SITE": SITE,
        "SOURCE": "자료",
        "VOCAB": "athena",
        "LAKE": "호수",
        "SITES": "병원설정:athena",
        "ENGINE": "sc://spark:15002",
        "AS_OF": "20260315",
        "QUIET": "1",
    }.items():
        monkeypatch.setenv(f"DURE_{name}", value)
    assert main(["run"]) == 0
    asked = run.asked[0]
    assert (asked.site, asked.source, asked.lake) == (SITE, Path("자료"), Path("호수"))
    assert asked.sites == (Path("병원설정"), Path("athena"))
    assert asked.engine.name == "sc://spark:15002"
    assert asked.as_of == date(2026, 3, 15)


def test_all_that_is_wrong_with_the_options_is_said_at_once(
    run: StandIn, here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "dure.yaml").write_text("sites: 없음\n")
    (here / "호수").write_text("")
    monkeypatch.setenv("DURE_VOCAB", "athene")
    assert main(["run", "--lake", "호수"]) == 2
    assert run.asked == []
    assert capfd.readouterr() == (
        "",
        "Error: --lake: 호수 is a file\n    name a folder\n"
        "Error: --source: not given\n    write it on the command line, in DURE_SOURCE, or as `source:` in dure.yaml\n"
        "Error: DURE_VOCAB: athene is not there\n    name a folder\n"
        "Error: SITE: not given\n    write it on the command line, in DURE_SITE, or as `site:` in dure.yaml\n"
        f"Error: dure.yaml sites: {here}/없음 is not there\n    name a folder\n",
    )


def test_a_wrong_settings_file_stops_a_command_but_not_its_help(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "dure.yaml").write_text("laek: 호수\n")
    assert main(["path", SITE]) == 2
    assert "dure.yaml:1: no setting 'laek' (closest: 'lake')" in capfd.readouterr().err
    assert main(["path", "--help"]) == 0
    assert "Example:" in capfd.readouterr().out


def test_a_misspelt_variable_stops_a_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DURE_LAEK", "호수")
    assert main(["path", SITE]) == 2
    assert "DURE_LAEK: no such setting (closest: 'DURE_LAKE')" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'"),
        ([*GIVEN, "--enigne", "sail"], "No such option '--enigne'"),
        ([*GIVEN, "--engine", "polars"], "'polars' is no engine"),
        ([*GIVEN, "--as-of", "15.3.2026"], "'15.3.2026' does not match the formats '%Y-%m-%d', '%Y%m%d'"),
        ([*GIVEN, "--threads", "0"], "0 is not in the range x>=1"),
        ([*GIVEN, "--log-format", "xml"], "'xml' is not one of 'rich', 'plain', 'json'"),
    ],
)
def test_an_option_that_is_none_is_a_configuration_error(
    run: StandIn, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert run.asked == []


def test_warnings_are_shown_once_and_even_when_quiet(run: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    other = Problem("환자.csv", "an empty file")

    def warn(progress: Reporter) -> Result:
        progress.stage("land")
        progress.warn(NEW_COLUMN)
        return Result(warnings=[NEW_COLUMN, other])

    run.act = warn
    assert main([*GIVEN, "--quiet"]) == 0
    assert capfd.readouterr() == (
        "",
        "Warning: lab.csv: a new column 'RESLT2'\n    name it in the spec\nWarning: 환자.csv: an empty file\n",
    )


def test_json_goes_to_standard_error_and_results_to_standard_output(
    run: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    def act(progress: Reporter) -> Result:
        progress.stage("land")
        progress.table("patient", 27, 0.5)
        return Result(["person 27", "death 0"])

    run.act = act
    assert main([*GIVEN, "--log-format", "json"]) == 0
    out, err = capfd.readouterr()
    assert out == "person 27\ndeath 0\n"
    told = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in told] == ["stage", "table", "stage done", "ended"]
    assert {(line["site"], line["run"]) for line in told} == {(SITE, told[0]["run"])}
    assert (told[-1]["outcome"], told[-1]["exit_code"]) == ("done", 0)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            SourceError(Problem("환자.csv", "is empty", "export it again")),
            3,
            "Error: 환자.csv: is empty\n    export it again\n",
        ),
        (SiteLockedError("another run holds the site"), 4, "Error: another run holds the site\n"),
        (
            IntegrityError([Problem("site.yaml:10", "3 rows share an id"), Problem("site.yaml:9", "2 rows too many")]),
            70,
            "Error: site.yaml:9: 2 rows too many\nError: site.yaml:10: 3 rows share an id\n",
        ),
    ],
)
def test_a_known_error_is_told_without_a_traceback(
    run: StandIn, error: Exception, code: int, said: str, capfd: pytest.CaptureFixture[str], here: Path
) -> None:
    def fail(progress: Reporter) -> Result:
        raise error

    run.act = fail
    (here / "호수").mkdir()
    assert main(GIVEN) == code
    assert printed(capfd) == ("", said)
    assert [path.name for path in (here / "호수").iterdir()] == ["ledger.sqlite"]


def test_a_known_error_as_json(run: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(progress: Reporter) -> Result:
        raise SourceError(Problem("환자.csv", "is empty", "export it again"))

    run.act = fail
    assert main([*GIVEN, "--log-format", "json"]) == 3
    said, ended = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert (said["run"], said["site"], ended["outcome"]) == (ended["run"], SITE, "failed")
    assert (said["exit_code"], said["problems"]) == (
        3,
        [{"where": "환자.csv", "found": "is empty", "do": "export it again"}],
    )


def test_a_bug_is_apologised_for_and_its_traceback_kept_for_the_owner(
    run: StandIn, capfd: pytest.CaptureFixture[str], here: Path
) -> None:
    def fail(progress: Reporter) -> Result:
        raise ValueError("800101-1234567 is no number")

    run.act = fail
    (here / "호수").mkdir()
    assert main(GIVEN) == 70
    out, err = printed(capfd)
    (kept,) = (here / "호수" / "errors").iterdir()
    assert out == ""
    assert err == (
        "Error: sorry, this is a bug in Dure: an unexpected ValueError; the traceback is in "
        f"{kept} (for your eyes: it may show values of patients)\n    The snapshot before is unchanged.\n"
    )
    assert "ValueError: 800101-1234567 is no number" in kept.read_text("utf-8")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_without_a_lake_the_traceback_is_among_the_temporary_files(
    run: StandIn, capfd: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(progress: Reporter) -> Result:
        raise KeyError("김철수")

    run.act = fail
    (here / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(here / "tmp"))
    assert main(GIVEN) == 70
    (kept,) = (here / "tmp").iterdir()
    err = capfd.readouterr().err
    assert str(kept) in err
    assert "김철수" not in err
    assert not (here / "호수").exists()


def test_debug_prints_the_traceback_and_keeps_none(run: StandIn, capfd: pytest.CaptureFixture[str], here: Path) -> None:
    def fail(progress: Reporter) -> Result:
        raise ValueError("inside")

    run.act = fail
    (here / "호수").mkdir()
    assert main([*GIVEN, "--debug"]) == 70
    assert "ValueError: inside" in capfd.readouterr().err
    assert not (here / "호수" / "errors").exists()


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("External error: IO: No space left on device (os error 28)")],
)
def test_a_full_disk_is_no_bug_whoever_met_it(
    run: StandIn, error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(progress: Reporter) -> Result:
        raise RuntimeError("the engine failed") from error

    run.act = fail
    assert main(GIVEN) == 2
    assert printed(capfd)[1] == (
        "Error: no space left on a disk that the command writes to, or a limit on file sizes is met\n"
        "    The snapshot before is unchanged. Make room, then run again.\n"
    )


def test_ctrl_c_stops_with_a_word(run: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt(progress: Reporter) -> Result:
        progress.stage("map")
        raise KeyboardInterrupt

    run.act = interrupt
    assert main([*GIVEN, "--quiet"]) == 130
    assert capfd.readouterr().err == (
        "\nError: stopped by Ctrl-C\n"
        "    the snapshot before is unchanged; the next run goes on after the last stage that ended\n"
    )


def built(lake: Path, snapshot: str, **pointers: str) -> None:
    """A snapshot of the lake as far as `dure path` looks."""
    (lake / "cdm" / SITE / snapshot).mkdir(parents=True)
    (lake / "cdm" / SITE / snapshot / "manifest.json").touch()
    (lake / "reports" / SITE / snapshot).mkdir(parents=True)
    site = Lake(lake).site(SITE)
    with site.lock():
        for pointer, name in pointers.items():
            site.set_pointer(pointer, name)  # type: ignore[arg-type]


def test_path_prints_the_folder_and_nothing_else(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built(here / "호수", "20260314T010000Z", latest="20260314T010000Z")
    assert main(["path", SITE, "--lake", "호수"]) == 0
    assert capfd.readouterr() == (f"{here}/호수/cdm/{SITE}/20260314T010000Z\n", "")
    assert main(["path", SITE, "--lake", "호수", "--reports"]) == 0
    assert capfd.readouterr() == (f"{here}/호수/reports/{SITE}/20260314T010000Z\n", "")


def test_path_prefers_what_passed_unless_asked_for_the_latest(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built(here / "호수", "20260314T010000Z", latest="20260314T010000Z", passed="20260314T010000Z")
    built(here / "호수", "20260315T010000Z", latest="20260315T010000Z")
    printed = []
    for more in ([], ["--latest"], ["--reports"], ["--latest", "--reports"]):
        assert main(["path", SITE, "--lake", "호수", *more]) == 0
        folder = Path(capfd.readouterr().out.rstrip("\n"))
        printed.append((folder.parent.parent.name, folder.name))
    assert printed == [
        ("cdm", "20260314T010000Z"),
        ("cdm", "20260315T010000Z"),
        ("reports", "20260314T010000Z"),
        ("reports", "20260315T010000Z"),
    ]


def test_path_finds_a_site_by_the_folder_it_is_run_from(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built(here / "호수", "20260314T010000Z", latest="20260314T010000Z")
    site = Lake(here / "호수").site(SITE)
    with site.lock():
        site.remember_name("바다 대학교병원")
        site.remember_name("바다 대학교병원")
        site.remember_name(SITE)
    assert site.names() == ("바다 대학교병원",)
    assert main(["path", "바다 대학교병원", "--lake", "호수"]) == 0
    assert capfd.readouterr() == (f"{here}/호수/cdm/{SITE}/20260314T010000Z\n", "")
    assert main(["path", "강산병원", "--lake", "호수"]) == 2


def test_path_of_nothing_is_an_error_that_prints_no_folder(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "호수").mkdir()
    assert main(["path", SITE, "--lake", "호수"]) == 2
    assert capfd.readouterr() == (
        "",
        f"Error: {here}/호수: no snapshot of {SITE} was built in this lake yet\n    build one with `dure run {SITE}`\n",
    )


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capfd.readouterr() == (f"dure {version('dure')}\n", "")


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {"dure": cli}
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            found |= {f"dure {name} {own}": each for own, each in command.commands.items()}
        else:
            found[f"dure {name}"] = command
    return found


# What an example of a command shows, one of these at least; else a lake.
SHOWN = {
    "dure init": ("site",),
    "dure validate": ("site",),
    "dure center audit": ("store",),
    "dure center catalogue": ("store",),
    "dure center extract": ("store",),
    "dure center receive": ("store",),
    "dure center report": ("store",),
    "dure check": ("lake", "explain"),
    "dure demo center": ("out",),
    "dure demo generate": ("out",),
    "dure demo run": ("out",),
    "dure keygen": ("out",),
    "dure vocab convert": ("file",),
    "dure vocab lint": ("files",),
    "dure vocab suggest": ("source",),
}


@pytest.mark.parametrize("name", list(commands()))
def test_each_help_ends_with_examples_that_have_the_right_shape(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split()[1:], "--help"]) == 0
    *_, examples = capfd.readouterr().out.partition("Example:\n")
    lines = examples.splitlines()
    assert lines
    for line in lines:
        words = shlex.split(line.replace('"$(', "").replace(')"', "").replace("STORE=", "").removeprefix("  ls "))
        start = words.index("dure")
        command: click.Command = cli
        words = words[start + 1 :]
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        with command.make_context(name, words) as ctx:
            assert any(ctx.params[shown] for shown in SHOWN.get(name, ("lake",)))


HEAVY = {"pyspark", "pandas", "pyarrow", "pysail", "sqlalchemy", "structlog", "great_expectations", "rich", "yaml"}


LOADED = f"""
import sys
from dure.cli import main
code = main(sys.argv[1:])
print(code, sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["path", SITE, "--lake", "호수"]])
def test_what_should_answer_at_once_loads_nothing_heavy(here: Path, arguments: list[str]) -> None:
    built(here / "호수", "20260314T010000Z", latest="20260314T010000Z")
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == "0 []\n"
