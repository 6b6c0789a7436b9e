"""The webhook against a real server on the loopback: what it gets, and what becomes of one that misbehaves."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dure.errors import ConfigurationError
from dure.watch.webhook import Webhook, webhook_of
from sample_run import sample_run

SECRET = "비밀 s3cret"


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with the codes in turn, the last one for good; `slow` holds its answer back until the test is over."""

    codes: list[int]
    slow: bool = False
    got: list[Got] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/t0ken"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver([204])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append(Got(self.path, dict(self.headers), body))
            if state.slow:
                state.over.wait()
                return
            code = state.codes.pop(0) if len(state.codes) > 1 else state.codes[0]
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", f"http://127.0.0.1:{state.port}/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    state.over.set()
    server.shutdown()
    server.server_close()


def hook(receiver: Receiver, **environment: str) -> Webhook:
    return webhook_of(receiver.url, environment)


def no_sleep(seconds: float) -> None:
    return


def test_it_gets_the_verdict_signed(receiver: Receiver) -> None:
    hook(receiver, DURE_WEBHOOK_SECRET=SECRET).tell(sample_run())
    (got,) = receiver.got
    assert got.path == "/hook/t0ken"
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    expected = hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Dure-Signature"] == f"sha256={expected}"
    assert got.headers["X-Dure-Run"] == sample_run().id
    assert json.loads(got.body) == {
        "event": "run ended",
        "site": "바다병원",
        "run": "20260315T023000Z-00000001",
        "snapshot": "20260315T023000Z",
        "outcome": "passed",
        "exit_code": 0,
        "verdict": "open",
        "score": 0.991,
        "started": "2026-03-15T02:30:00+00:00",
        "ended": "2026-03-15T02:31:30+00:00",
        "seconds": 90.25,
        "counts": {
            "persons": 365,
            "rows_read": 10_000_000_000,
            "rows_mapped": 9_000_000_000,
            "rows_unmapped": 500_000_000,
            "rows_rejected": 1,
            "rows_excluded": 2,
            "warnings": 1,
            "errors": 0,
        },
    }


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    hook(receiver).tell(sample_run())
    assert "X-Dure-Signature" not in receiver.got[0].headers


def test_a_server_that_is_busy_is_asked_again(receiver: Receiver) -> None:
    receiver.codes = [500, 503, 200]
    pauses: list[float] = []
    hook(receiver).tell(sample_run(), pauses.append)
    assert len(receiver.got) == 3
    assert pauses == [1.0, 4.0]


@pytest.mark.parametrize(("code", "tries", "times"), [(500, 3, "3 times"), (404, 1, "once"), (401, 1, "once")])
def test_a_server_that_goes_on_refusing_is_told_of(receiver: Receiver, code: int, tries: int, times: str) -> None:
    receiver.codes = [code]
    with pytest.raises(ConfigurationError) as raised:
        hook(receiver).tell(sample_run(), no_sleep)
    assert len(receiver.got) == tries
    assert raised.value.problems[0].found == f"not told, tried {times}: the answer was {code}"
    assert "t0ken" not in str(raised.value)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, code: int) -> None:
    receiver.codes = [code]
    with pytest.raises(ConfigurationError, match="a redirect is not followed"):
        hook(receiver).tell(sample_run(), no_sleep)
    assert [got.path for got in receiver.got] == ["/hook/t0ken"]


def test_a_server_that_never_answers_is_left(receiver: Receiver) -> None:
    receiver.slow = True
    with pytest.raises(ConfigurationError, match=r"tried 2 times: no answer in 0\.05 s"):
        replace(hook(receiver), timeout=0.05, pauses=(1.0,)).tell(sample_run(), no_sleep)


def test_a_server_that_drips_one_byte_after_the_other_is_left_too() -> None:
    """Each byte comes in time, so that only a limit on the whole answer ends it."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.01):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        dripping = webhook_of(f"http://127.0.0.1:{server.getsockname()[1]}/", {})
        with pytest.raises(ConfigurationError, match="tried once: no answer"):
            replace(dripping, timeout=0.1, pauses=()).tell(sample_run(), no_sleep)
        over.set()
        thread.join()


def test_nobody_there(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConfigurationError, match="tried 3 times: Connection refused"):
        webhook_of(f"http://127.0.0.1:{port}/", {}).tell(sample_run(), no_sleep)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/t0ken",
        "file:///etc/passwd",
        "host/t0ken",
        "http:///t0ken",
        "http://host:port/t0ken",
        "http://user:t0ken@host/",
        "http://host/t0ken with blank",
        "http://host/t0ken\nX: y",
        "",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        webhook_of(url, {})
    assert "t0ken" not in str(refused.value)


def test_address_and_secret_may_stand_in_safe_places(tmp_path: Path) -> None:
    address, secret = tmp_path / "address", tmp_path / "secret"
    address.write_text("https://host/t0ken\n")
    secret.write_text(f"{SECRET}\n", "utf-8")
    for path in (address, secret):
        path.chmod(0o600)
    found = webhook_of(f"file:{address}", {"DURE_WEBHOOK_SECRET": f"file:{secret}"})
    assert (found.url, found.secret, found.shown) == ("https://host/t0ken", SECRET.encode(), "https://host")
    assert found == webhook_of("env:HOOK", {"HOOK": "https://host/t0ken", "DURE_WEBHOOK_SECRET": SECRET})
    assert "t0ken" not in repr(found) and "s3cret" not in repr(found)
