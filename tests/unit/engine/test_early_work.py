"""Work begun before its stage: done once, its error kept for who asks, nothing left running."""

from __future__ import annotations

import threading

import pytest

from dure.stages.early import WORKERS, Early


def test_what_was_begun_is_not_done_again_and_what_was_not_is_done_now() -> None:
    calls: list[str] = []

    def make(name: str) -> str:
        calls.append(name)
        return f"{name} 완료"

    with Early() as early:
        early.begin("진단", lambda: make("진단"))
        assert early.result("진단", lambda: "again") == "진단 완료"
        assert early.result("처방", lambda: make("처방")) == "처방 완료"
        # Each result is handed out once: a second round does the work anew.
        assert early.result("진단", lambda: "anew") == "anew"
    assert calls == ["진단", "처방"]


def test_an_error_waits_for_who_asks() -> None:
    def fails() -> None:
        raise ValueError("rows do not add up")

    with Early() as early:
        early.begin("counts", fails)
        with pytest.raises(ValueError, match="do not add up"):
            early.result("counts", lambda: None)


def test_leaving_waits_for_what_is_under_way_and_drops_the_rest() -> None:
    go, under_way = threading.Event(), threading.Semaphore(0)
    begun: list[str] = []
    ended: list[str] = []

    def work() -> None:
        begun.append("진단")
        under_way.release()
        go.wait(10)
        ended.append("진단")

    early = Early()
    for n in range(WORKERS + 3):
        early.begin(str(n), work)
    for _ in range(WORKERS):
        assert under_way.acquire(timeout=10)
    threading.Thread(target=go.set).start()
    with early:
        pass
    assert len(begun) >= WORKERS
    assert ended == begun
