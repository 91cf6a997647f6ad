"""A PostgreSQL server of the test's own, on a free port of the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OPTIONS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "jit=off")


def programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    return found[-1].parent if found else None


def needed() -> Path:
    """The programs, or an end of the test: a failure where CI promises that they are there."""
    found = programs()
    if found is None:
        reason = "PostgreSQL's server is not installed (Debian: postgresql)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running() -> Iterator[str]:
    """Start a server; the DSN of its empty database. Its folder is not pytest's, which only its owner may enter."""
    made = tempfile.TemporaryDirectory(prefix="pakhus-postgresql-", ignore_cleanup_errors=True)
    with made as folder, _server(Path(folder)) as dsn:
        yield dsn


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    binaries = needed()
    data = folder / "data"
    user = _unprivileged(folder)
    _run(user, [str(binaries / "initdb"), "-D", str(data), "-U", "pakhus", "-A", "trust", "-E", "UTF8", "--no-sync"])
    port = _free_port()
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w", "-t", "60"]
    options = " ".join([f"-p {port}", "-k", str(folder), "-h", "127.0.0.1", *OPTIONS])
    _run(user, [*control, "-o", options, "start"])
    try:
        yield f"postgresql://pakhus@127.0.0.1:{port}/postgres"
    finally:
        _run(user, [*control, "-m", "immediate", "stop"])


@contextmanager
def database(dsn: str, name: str) -> Iterator[str]:
    """A fresh database on a running server."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    yield dsn.rpartition("/")[0] + f"/{name}"


def _unprivileged(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    if os.geteuid() != 0:
        return None
    owner = pwd.getpwnam("postgres")
    shutil.chown(folder, owner.pw_uid, owner.pw_gid)
    return "postgres"


def _run(user: str | None, command: list[str]) -> None:
    prefix = [] if user is None else ["runuser", "-u", user, "--"]
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
