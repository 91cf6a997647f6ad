"""What `pakhus doctor` looks at. A check never changes what it looks at, and never raises."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pakhus import __version__
from pakhus.cli import session as sessions
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.session import Session

if TYPE_CHECKING:
    from pakhus.cli.client import Client
    from pakhus.settings import Settings

SKEW_WARNING = timedelta(seconds=30)
SKEW_FAILURE = timedelta(minutes=5)
EXPIRES_SOON = timedelta(days=14)
LOW_SPACE = 5 << 30
NO_SPACE = 512 << 20
FEW_DESCRIPTORS = 4096


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding, with what to do about it in the message."""

    name: str
    state: State
    message: str

    def document(self) -> dict[str, str]:
        return {"check": self.name, "state": self.state.value, "message": self.message}


def ok(name: str, message: str) -> Check:
    return Check(name, State.OK, message)


def warn(name: str, message: str) -> Check:
    return Check(name, State.WARN, message)


def fail(name: str, message: str) -> Check:
    return Check(name, State.FAIL, message)


# -- client side


def of_client(session: Session, client: Client, *, now: datetime) -> Iterator[Check]:
    """Can this machine use that server?"""
    yield from of_session_file()
    try:
        response = client.send("GET", "/service/rest/v1/status")
    except Failure as failure:
        yield fail("server", failure.message)
        return
    yield ok("server", f"{session.url} answers in {response.elapsed.total_seconds() * 1000:.0f} ms")
    yield from of_clock(response.headers.get("date"), now)
    yield of_writing(client)
    yield of_version(client)
    yield of_token(client, session, now)
    yield of_transport(session, now)


def of_session_file() -> Iterator[Check]:
    file = sessions.place()
    if os.name == "posix" and file.exists() and file.stat().st_mode & 0o077:
        yield fail("session file", f"others can read your token: chmod 600 {file}")


def of_clock(date: str | None, now: datetime) -> Iterator[Check]:
    try:
        server = parsedate_to_datetime(date or "")
    except ValueError:
        return
    skew = abs(now - server)
    message = f"{skew.total_seconds():.0f} s between this clock and the server's"
    state = State.FAIL if skew > SKEW_FAILURE else State.WARN if skew > SKEW_WARNING else State.OK
    yield Check("clock", state, message)


def of_writing(client: Client) -> Check:
    try:
        client.send("GET", "/service/rest/v1/status/writable")
    except Failure as failure:
        return warn("writing", f"the server takes no uploads now: {failure.message}")
    return ok("writing", "the server takes uploads")


def of_version(client: Client) -> Check:
    try:
        version = str((client.get("/api/v1/status") or {}).get("version", "unknown"))
    except Failure as failure:
        return warn("version", f"not a Pakhus server? {failure.message}")
    if version.split(".")[:2] != __version__.split(".")[:2]:
        return warn("version", f"server {version}, client {__version__}")
    return ok("version", f"server and client {version}")


def of_token(client: Client, session: Session, now: datetime) -> Check:
    if not session.headers():
        return warn("login", "not logged in: only what the server shows to everyone")
    try:
        answer = client.get("/api/v1/tokens")
    except Failure as failure:
        return fail("login", failure.message)
    tokens: list[dict[str, Any]] = answer["items"] if isinstance(answer, dict) else answer
    expires = next((token.get("expires") for token in tokens if token.get("name") == session.token_name), None)
    if expires and (left := moment(expires) - now) < EXPIRES_SOON:
        return warn("login", f"the token expires in {max(left.days, 0)} days: run `pakhus login {session.url}`")
    return ok("login", f"logged in{' as ' + session.username if session.username else ''}")


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def of_transport(session: Session, now: datetime) -> Check:
    host, _, port = (
        session.host.rpartition(":") if session.host.rpartition(":")[2].isdigit() else (session.host, "", "")
    )
    if session.url.startswith("http:"):
        if host.strip("[]") in ("localhost", "127.0.0.1", "::1"):
            return ok("tls", "plain HTTP, on this machine only")
        return warn("tls", "plain HTTP: tokens and packages can be read and changed on the way")
    context = ssl.create_default_context(cafile=session.ca_file or None)
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port or 443)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secure,
        ):
            certificate, protocol = secure.getpeercert() or {}, secure.version()
    except (OSError, ValueError) as error:
        return fail("tls", str(error))
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    if ends - now < EXPIRES_SOON:
        return warn("tls", f"the certificate expires on {ends:%Y-%m-%d}")
    return ok("tls", f"{protocol}, certificate until {ends:%Y-%m-%d}")


# -- server side


def of_server(settings: Settings) -> Iterator[Check]:
    """Can a server run on this machine with these settings?"""
    yield from of_data(settings.data)
    yield from of_secret(settings.data)
    yield of_database(settings)
    yield of_blobs(settings.blob_path)
    yield of_space("space", nearest(settings.blob_path))
    yield of_port(settings.http.host, settings.http.port)
    yield from of_certificate(settings)
    yield from of_descriptors()


def nearest(path: Path) -> Path:
    """The path, or the first folder above it that exists."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def of_data(data: Path) -> Iterator[Check]:
    if not data.exists():
        above = nearest(data)
        can = os.access(above, os.W_OK)
        yield warn("data", f"{data} is made at the first start") if can else fail("data", f"{above} is not writable")
    elif not data.is_dir() or not os.access(data, os.W_OK | os.X_OK):
        yield fail("data", f"{data} is not a folder that this user can write")
    elif os.name == "posix" and data.stat().st_mode & 0o007:
        yield warn("data", f"every user of this machine can enter {data}: chmod 750")
    else:
        yield ok("data", str(data))


def of_secret(data: Path) -> Iterator[Check]:
    from pakhus.settings.secret import FILE_NAME

    file = data / FILE_NAME
    if os.name == "posix" and file.exists() and file.stat().st_mode & 0o077:
        yield warn("secret", f"others can read {file}, which signs the sessions: chmod 600")


def of_database(settings: Settings) -> Check:
    from pakhus.database.diagnosis import diagnose

    found = diagnose(settings.database_dsn)
    if found.problem:
        return fail("database", f"{found.kind}: {found.problem}")
    if found.found is None:
        return warn("database", f"{found.kind}: no schema yet; the first start or `pakhus migrate` makes it")
    if not found.is_current:
        return warn("database", f"{found.kind}: at revision {found.found}, needs {found.wanted}: `pakhus migrate`")
    return ok("database", f"{found.kind}: at revision {found.found}")


def of_blobs(folder: Path) -> Check:
    if not folder.exists():
        return warn("blobs", f"{folder} is made at the first start")
    try:
        # An anonymous file: nothing is left behind, even by a crash.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"pakhus")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return fail("blobs", f"cannot write to {folder}: {error.strerror}")
    return ok("blobs", f"{folder} is writable")


def of_space(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    state = State.FAIL if free < NO_SPACE else State.WARN if free < LOW_SPACE else State.OK
    return Check(name, state, f"{free / (1 << 30):.1f} GiB free at {folder}")


def of_port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As a server does: connections of a server that just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return warn("port", f"{host or '*'}:{port} cannot be had ({error.strerror}); is the server running?")
    return ok("port", f"{host or '*'}:{port} is free")


def of_certificate(settings: Settings) -> Iterator[Check]:
    tls = settings.http.tls
    if not (tls.enabled and tls.cert_file and tls.key_file):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        yield fail("certificate", f"{tls.cert_file} and {tls.key_file} cannot be used: {error}")
    else:
        yield ok("certificate", str(tls.cert_file))


def of_descriptors() -> Iterator[Check]:
    try:
        import resource
    except ImportError:
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_DESCRIPTORS:
        yield warn("file descriptors", f"{soft} open files allowed: raise it to {FEW_DESCRIPTORS} or more (ulimit -n)")
    else:
        yield ok("file descriptors", f"{soft} open files allowed")


def code_of(checks: list[Check]) -> Code:
    return Code.FAILURE if any(check.state is State.FAIL for check in checks) else Code.OK
