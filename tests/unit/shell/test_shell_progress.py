from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest

from dure.errors import Problem
from dure.progress import (
    JsonProgress,
    PlainProgress,
    Reporter,
    RichProgress,
    SilentProgress,
    reporter,
)

NEW_COLUMN = Problem("lab.csv", "a new column 'RESLT2'", "name it in the spec, or under left_out")
NO_COLUMN = Problem("sites/바다/site.yaml:42", "no column 'RESLT' in lab.csv", "closest: 'RESULT'")


def ticking() -> Callable[[], float]:
    """A clock that is two seconds later each time it is read."""
    times: Iterator[float] = iter(range(0, 1000, 2))
    return lambda: next(times)


def tell_a_run(progress: Reporter) -> None:
    progress.stage("land")
    progress.table("patient", 1234567, 1.25)
    progress.stage("map")
    progress.table("person", None, 0.04)
    progress.note("[as-of] 2026-03-15")
    progress.warn(NEW_COLUMN)
    progress.done()
    progress.done()
    progress.failed([NO_COLUMN], 2)


TOLD = """\
land ...
  patient                                     1,234,567 rows     1.2 s
land done in 2.0 s
map ...
  person                                                         0.0 s
[as-of] 2026-03-15
Warning: lab.csv: a new column 'RESLT2'
    name it in the spec, or under left_out
map done in 2.0 s
Error: sites/바다/site.yaml:42: no column 'RESLT' in lab.csv
    closest: 'RESULT'
"""


def test_plain_lines() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, ticking())
    tell_a_run(progress)
    assert stream.getvalue() == TOLD
    assert progress.warned == [NEW_COLUMN]


def test_rich_off_a_terminal_says_the_same_and_takes_no_brackets_for_markup() -> None:
    stream = io.StringIO()
    tell_a_run(RichProgress(stream, ticking()))
    assert stream.getvalue() == TOLD.replace("land ...\n", "").replace("map ...\n", "")


def test_rich_stops_its_spinner_on_done() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = RichProgress(stream, ticking())
    progress.stage("[land]")
    progress.done()
    shown, hidden = stream.getvalue().count("\x1b[?25h"), stream.getvalue().count("\x1b[?25l")
    assert shown == hidden == 1
    assert "[land] done in 2.0 s" in stream.getvalue()


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    tell_a_run(JsonProgress(stream, ticking()))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    for line in lines:
        assert line.pop("timestamp").endswith("Z")
    assert lines == [
        {"event": "stage", "level": "info", "stage": "land"},
        {"event": "table", "level": "info", "table": "patient", "rows": 1234567, "seconds": 1.25},
        {"event": "stage done", "level": "info", "stage": "land", "seconds": 2.0},
        {"event": "stage", "level": "info", "stage": "map"},
        {"event": "table", "level": "info", "table": "person", "rows": None, "seconds": 0.04},
        {"event": "note", "level": "info", "text": "[as-of] 2026-03-15"},
        {
            "event": "warning",
            "level": "warning",
            "where": "lab.csv",
            "found": "a new column 'RESLT2'",
            "do": "name it in the spec, or under left_out",
        },
        {"event": "stage done", "level": "info", "stage": "map", "seconds": 2.0},
        {
            "event": "failed",
            "level": "error",
            "exit_code": 2,
            "problems": [
                {
                    "where": "sites/바다/site.yaml:42",
                    "found": "no column 'RESLT' in lab.csv",
                    "do": "closest: 'RESULT'",
                }
            ],
        },
    ]
    assert "바다" in stream.getvalue()


def test_quiet_leaves_warnings_and_errors() -> None:
    stream = io.StringIO()
    tell_a_run(SilentProgress(stream))
    assert stream.getvalue() == "".join(TOLD.splitlines(keepends=True)[i] for i in (6, 7, 9, 10))

    stream = io.StringIO()
    tell_a_run(JsonProgress(stream, ticking(), quiet=True))
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["warning", "failed"]


def test_silence_for_tests(capfd: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    tell_a_run(progress)
    assert capfd.readouterr() == ("", "")
    assert progress.warned == [NEW_COLUMN]


def test_the_form_follows_the_terminal_unless_somebody_chose() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    kinds = {
        (terminal, form, quiet): type(reporter(form, quiet=quiet, stream=Terminal() if terminal else io.StringIO()))
        for terminal in (True, False)
        for form in (None, "rich", "plain", "json")
        for quiet in (False, True)
    }
    assert kinds[True, None, False] is RichProgress
    assert kinds[False, None, False] is PlainProgress
    assert kinds[False, "rich", False] is RichProgress
    assert kinds[True, "plain", False] is PlainProgress
    assert kinds[True, "json", False] is kinds[True, "json", True] is JsonProgress
    assert kinds[True, None, True] is kinds[False, "plain", True] is SilentProgress
