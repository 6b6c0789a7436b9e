"""Engine sessions: the one module that starts and stops them.

Every session runs in UTC with ANSI on; all that is asked of it is the Spark Connect DataFrame API.

- `sail` (default): an embedded engine in this process, no Java. It listens on a free loopback port *without a
  credential* for as long as the run lasts; on a machine shared with people you do not trust use a private network
  namespace, or Apache Spark with authentication.
- `spark`: Apache Spark through its own local Connect server, or any `--master`; needs Java 17 or later.
- `sc://host:port`: a Spark Connect server that somebody else runs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from dure.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What Sail, Apache Spark and Arrow say when memory runs out.
_NO_MEMORY = ("remain available for the total memory pool", "Resources exhausted", "OutOfMemoryError", "malloc of size")
_SIZE = re.compile(r"^([1-9][0-9]*)([kmgt]?)b?$", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
MINIMUM_JAVA = 17
_TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"

# Off: PySpark would look up the call site of every column expression, which doubles the time of small runs.
_CALL_SITES = "spark.python.sql.dataFrameDebugging.enabled"

# A join whose small side is under this many bytes is broadcast by Apache Spark; Sail decides by itself.
_BROADCAST_BYTES = 64 << 20


@dataclass(frozen=True)
class EngineOptions:
    """Which engine to use and how much of the machine it may take.

    `threads` None means all cores; `memory` is in bytes, None for the engine's own default.
    """

    name: str = "sail"
    master: str = "local[*]"
    threads: int | None = None
    memory: int | None = None

    @classmethod
    def parse(
        cls, engine: str = "sail", master: str = "local[*]", threads: int | None = None, memory: str | None = None
    ) -> EngineOptions:
        """The options as the command line gives them; raises ConfigurationError for what no engine understands."""
        problems = []
        if engine not in ("sail", "spark") and not engine.startswith("sc://"):
            problems.append(Problem("--engine", f"'{engine}' is no engine", "write sail, spark or sc://host:port"))
        size = _SIZE.match(memory) if memory else None
        if memory and not size:
            problems.append(Problem("--memory", f"'{memory}' is not a size", "write a number and a unit, such as 4g"))
        if threads is not None and threads < 1:
            problems.append(Problem("--threads", f"{threads} threads cannot run anything", "write 1 or more"))
        if problems:
            raise ConfigurationError(problems)
        return cls(engine, master, threads, int(size[1]) * _UNITS[size[2].lower()] if size else None)

    @property
    def parallelism(self) -> int:
        """How many tasks may run at once on this machine."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True)
class Engine:
    """A session that is up: what to call, and what the manifest says of it."""

    session: SparkSession
    name: str
    version: str
    parallelism: int


def out_of_memory(error: BaseException | None) -> bool:
    """Whether that is at the bottom of the error: a limit of Sail's, Java's heap, or what the system gives a process."""
    while error is not None:
        said = str(error)
        if isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def engine(options: EngineOptions) -> Iterator[Engine]:
    """A running engine, stopped on leaving: also after an error, Ctrl-C or a termination request.

    Raises ConfigurationError when the engine cannot start (Java missing or too old, nobody listening).
    """
    if options.name == "sail":
        with _sail(options) as running:
            yield running
    elif options.name == "spark":
        with _spark(options) as running:
            yield running
    else:
        session = _connect(options.name)
        try:
            yield Engine(_configured(session, options), options.name, session.version, options.parallelism)
        finally:
            session.stop()


class Starting:
    """A context in which an engine comes up in the background: what needs none goes on meanwhile.

    Leaving it waits for the start to end, well or badly, and stops what is up.
    """

    def __init__(self, start: Callable[[], AbstractContextManager[Engine]]) -> None:
        self._context = start()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._coming = self._pool.submit(self._context.__enter__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if self._coming.exception() is None:
            self._context.__exit__(kind, error, trace)

    def engine(self) -> Engine:
        """The engine, once it is up; raises what its start raised."""
        return self._coming.result()

    def check(self) -> None:
        """Raises what the start raised, if it has failed by now."""
        if self._coming.done():
            self._coming.result()


@contextmanager
def _sail(options: EngineOptions) -> Iterator[Engine]:
    settings = {
        "RUST_LOG": "error",
        "SAIL_EXECUTION__DEFAULT_PARALLELISM": str(options.parallelism),
        "TOKIO_WORKER_THREADS": str(options.parallelism),
    }
    if options.memory:
        settings["SAIL_RUNTIME__MEMORY_POOL__TYPE"] = "fair"
        settings["SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE"] = str(options.memory)
    for name, value in settings.items():
        os.environ.setdefault(name, value)

    import pysail
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    session = None
    try:
        host, port = server.listening_address
        with _without_token():
            session = _connect(f"sc://{host}:{port}")
        yield Engine(_configured(session, options), "sail", pysail.__version__, options.parallelism)
    finally:
        if session is not None:
            session.stop()  # before the server: the other order hangs
        server.stop()


@contextmanager
def _without_token() -> Iterator[None]:
    """No token for servers of other kinds in sight: with one the client insists on TLS, and waits for it ten minutes."""
    token = os.environ.pop(_TOKEN, None)
    try:
        yield
    finally:
        if token is not None:
            os.environ[_TOKEN] = token


@contextmanager
def _spark(options: EngineOptions) -> Iterator[Engine]:
    _require_java()
    # Spark's Python workers must be this interpreter, or they miss the libraries.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("SPARK_LOG_LEVEL", "ERROR")
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client import DefaultChannelBuilder

    master = options.master
    if options.threads and master == "local[*]":
        master = f"local[{options.threads}]"
    port = _port_of_own_server()
    # Settings that a running JVM cannot change any more go in before it starts.
    static = {
        "spark.driver.memory": f"{(options.memory or 4 << 30) >> 20}m",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        _CALL_SITES: "false",
        # Whatever the locale: file names may be Korean.
        "spark.driver.extraJavaOptions": "-Dsun.jnu.encoding=UTF-8 -Dfile.encoding=UTF-8",
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "dure-warehouse"),
        # By default the Connect server listens on every address and on one port, so that two runs could not share a machine.
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    submit = [part for name, value in static.items() for part in ("--conf", f"{name}={value}")]
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*submit, "pyspark-shell"])
    # PySpark has no option for the port of the server that it starts itself.
    DefaultChannelBuilder.default_port = staticmethod(lambda: port)  # type: ignore[method-assign]
    # The JVM is asked for as a Connect server, so that the same API is used as against Sail.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it cannot be set again on the server, which is as it should be
        session = SparkSession.builder.config("spark.api.mode", "connect").master(master).getOrCreate()
    try:
        yield Engine(_configured(session, options), "spark", session.version, options.parallelism)
    finally:
        session.stop()
        # What PySpark remembers of a server of its own, which has stopped with the session.
        for name in ("SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_REMOTE"):
            os.environ.pop(name, None)


def _connect(address: str) -> SparkSession:
    from pyspark.sql import SparkSession

    _require_listener(address)
    session: SparkSession = SparkSession.builder.remote(address).create()
    return session


def _require_listener(address: str) -> None:
    """Raises ConfigurationError when nobody listens: the client itself would try again for ten minutes."""
    where = urlsplit(address)
    try:
        with socket.create_connection((where.hostname or "localhost", where.port or 15002), timeout=10):
            return
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            Problem(
                "--engine",
                f"nobody answers at {where.scheme}://{where.hostname}:{where.port or 15002} ({type(error).__name__})",
                "start the server, or use --engine sail",
            )
        ) from error


@cache
def _port_of_own_server() -> int:
    """A free port, the same for the life of this process: its JVM keeps the one that it was started with."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _configured(session: SparkSession, options: EngineOptions) -> SparkSession:
    if options.name == "sail":  # Apache Spark takes it only before it starts
        session.conf.set(_CALL_SITES, "false")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.ansi.enabled", "true")
    if options.name != "sail":
        session.conf.set("spark.sql.autoBroadcastJoinThreshold", str(_BROADCAST_BYTES))
        session.conf.set("spark.sql.shuffle.partitions", str(max(options.parallelism, 4)))
        session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    return session


def java_version() -> int | None:
    """Major version of the Java that Spark would use, or None when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)(?:\.(\d+))?', said)
    if not found:
        return None
    return int(found[2]) if found[1] == "1" and found[2] else int(found[1])


def _require_java() -> None:
    version = java_version()
    if version is None:
        raise ConfigurationError(
            Problem(
                "--engine spark",
                "found no Java",
                f"install Java {MINIMUM_JAVA} or later (JAVA_HOME or PATH), or use --engine sail",
            )
        )
    if version < MINIMUM_JAVA:
        raise ConfigurationError(
            Problem(
                "--engine spark",
                f"found Java {version}",
                f"Apache Spark 4 needs Java {MINIMUM_JAVA} or later; or use --engine sail",
            )
        )
