"""The way through `spark-submit` that the guide shows: Spark's own Connect server, and Dure as its client."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dure.engine import EngineOptions, engine

pytestmark = pytest.mark.spark


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def submitted(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of the server that the guide's command submits, on this machine in place of a cluster."""
    for name in [name for name in os.environ if name.startswith(("SPARK_", "PYSPARK_"))]:
        monkeypatch.delenv(name)  # a session before in this process leaves its address and its token behind
    text = (repository / "docs/guide/systems.md").read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^spark-submit .*$", text, re.MULTILINE)
    port = free_port()
    line = line.replace("--master yarn", "--master local[2]").replace("port=15002", f"port={port}")
    pyspark = importlib.util.find_spec("pyspark")
    assert pyspark is not None and pyspark.origin is not None
    home = Path(pyspark.origin).parent
    surroundings = {
        **os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
    }  # fmt: skip
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [home / "bin/spark-submit", *shlex.split(line)[1:]],
            env=surroundings, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + 120
            while not listens(port):
                assert server.poll() is None, (tmp_path / "server.log").read_text("utf-8", "replace")[-2000:]
                assert time.monotonic() < until
                time.sleep(0.2)
            yield port
        finally:
            server.terminate()
            server.wait(60)


def test_dure_is_a_client_of_the_submitted_server(submitted: int) -> None:
    with engine(EngineOptions.parse(f"sc://127.0.0.1:{submitted}")) as running:
        made = running.session.range(5).selectExpr("sum(id) as `합계`").collect()
        assert made[0]["합계"] == 10
        assert running.session.conf.get("spark.sql.ansi.enabled") == "true"
        assert running.session.conf.get("spark.sql.session.timeZone") == "UTC"
        doubled = running.session.range(3).mapInArrow(lambda batches: batches, "id bigint")
        assert sorted(row["id"] for row in doubled.collect()) == [0, 1, 2]
