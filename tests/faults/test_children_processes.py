"""Commands in processes of their own: killed, failing, interrupted, and with processes that outlive them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from io import StringIO
from pathlib import Path
from select import select

from dure.cli.children import Child, Children
from dure.cli.run_all import worst

# Does what its first argument says; further ones are files.
PROGRAM = """
import os, signal, subprocess, sys
what, *files = sys.argv[1:]
if what == "fails":
    print("환자.csv: is empty", file=sys.stderr)
    sys.exit(3)
if what == "talks":
    print("바다\\n" * 200_000)
if what == "killed":
    print("before", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if what == "orphan":
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    print(left.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if what == "waits":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print("waits", flush=True)
    signal.pause()
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waits", flush=True)
    while True:
        signal.pause()
print("바다", os.getpgid(0) == os.getpid())
"""


def run(*what: str, jobs: int = 1, marked: bool = True) -> tuple[dict[str, int], str]:
    """Exit codes by child, and what they wrote."""
    out, codes = StringIO(), dict[str, int]()
    children = [Child(f"{n}:{name}", [name]) for n, name in enumerate(what)]
    Children(out, marked=marked, program=("-c", PROGRAM)).run(
        children, jobs, lambda child: True, lambda child, code: codes.update({child.name: code})
    )
    return codes, out.getvalue()


def test_each_ends_as_it_does_whatever_becomes_of_others() -> None:
    codes, out = run("ok", "fails", "killed", "ok", jobs=2)
    assert codes == {"0:ok": 0, "1:fails": 3, "2:killed": 137, "3:ok": 0}
    assert sorted(out.splitlines()) == [
        "0:ok | 바다 True",
        "1:fails | 환자.csv: is empty",
        "2:killed | before",
        "3:ok | 바다 True",
    ]


def test_lines_may_go_through_as_they_are() -> None:
    assert run("ok", marked=False) == ({"0:ok": 0}, "바다 True\n")


def test_what_a_killed_process_started_ends_too_and_holds_nobody_up() -> None:
    codes, out = run("orphan")
    assert codes == {"0:orphan": 137}
    with suppress(ProcessLookupError):  # gone already
        ended, _, _ = select([os.pidfd_open(int(out.split()[-1]))], [], [], 60)
        assert ended


class _Closed(StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_children_end_where_nobody_reads_their_lines() -> None:
    codes = dict[str, int]()
    Children(_Closed(), marked=True, program=("-c", PROGRAM)).run(
        [Child("a", ["talks"])], 1, lambda child: True, lambda child, code: codes.update({child.name: code})
    )
    assert codes == {"a": 0}


def test_one_that_may_not_begin_does_not() -> None:
    codes = dict[str, int]()
    Children(StringIO(), marked=True, program=("-c", PROGRAM)).run(
        [Child("a", ["ok"]), Child("b", ["ok"])],
        1,
        lambda child: child.name == "b",
        lambda child, code: codes.update({child.name: code}),
    )
    assert codes == {"b": 0}


# A parent that runs three children, two at a time, and is interrupted as soon as both say that they wait.
PARENT = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
from test_children_processes import PROGRAM, interrupted_when_two_wait
interrupted_when_two_wait(sys.argv[2], float(sys.argv[3]))
"""


class _Tells(StringIO):
    """Interrupts this process when two lines were written."""

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("waits") == 2 and "waits" in text:
            os.kill(os.getpid(), signal.SIGINT)
        return written


def interrupted_when_two_wait(what: str, grace: float) -> None:
    codes = dict[str, int]()
    try:
        Children(_Tells(), marked=True, grace=grace, program=("-c", PROGRAM)).run(
            [Child(name, [what]) for name in "abc"],
            2,
            lambda child: True,
            lambda child, code: codes.update({child.name: code}),
        )
    except KeyboardInterrupt:
        print("interrupted", sorted(codes.items()), threading.active_count())


def interrupted(what: str, grace: float) -> str:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", PARENT, here, what, str(grace)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_ctrl_c_ends_the_children_and_begins_no_other() -> None:
    assert interrupted("waits", 60) == "interrupted [('a', 143), ('b', 143)] 1\n"


def test_children_that_do_not_end_are_killed() -> None:
    assert interrupted("stubborn", 0.05) == "interrupted [('a', 137), ('b', 137)] 1\n"


ASKED_TWICE = """
import os, signal
from dure.cli.endings import Terminated, ended_by_signals
with ended_by_signals():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Terminated:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        print("ended in good order")
"""


def test_who_is_asked_twice_to_end_ends_in_good_order() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED_TWICE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended in good order\n", "")


def test_the_worst_exit_code_is_that_of_all() -> None:
    ordered = [70, 137, 2, 3, 5, 4, 6, 1, 0]
    for place, code in enumerate(ordered):
        assert worst(ordered[place:][::-1]) == code
    assert worst([0, 139, 2]) == 139
    assert worst([]) == 0
