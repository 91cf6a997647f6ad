"""Which server the client talks to, and as whom: the environment, else what `pakhus login` stored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pakhus.cli.outcome import Code, Failure


@dataclass(frozen=True, slots=True)
class Session:
    """A server's URL (without trailing slash) and the credentials for it; `ca_file` verifies its certificate."""

    url: str
    username: str = ""
    token: str = ""
    password: str = ""
    token_name: str = ""
    ca_file: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def headers(self) -> dict[str, str]:
        if self.token:
            return {"authorization": f"Bearer {self.token}"}
        if self.username and self.password:
            from base64 import b64encode

            pair = b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"authorization": f"Basic {pair}"}
        return {}


def place(environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the stored session."""
    if named := environ.get("PAKHUS_CLIENT_CONFIG"):
        return Path(named)
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pakhus" / "client.json"


def server_url(text: str) -> str:
    """The URL of a server as the client uses it. Raises `Failure` unless it is absolute http(s) without user part."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"{text!r} is not the URL of a server", Code.USAGE)
    if parts.username or parts.query or parts.fragment:
        raise Failure("give the plain URL of the server, without user, password or query", Code.USAGE)
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def stored(environ: Mapping[str, str] = os.environ) -> Session | None:
    file = place(environ)
    try:
        return Session(**json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Failure(f"{file} is damaged; log in again") from error


def store(session: Session, environ: Mapping[str, str] = os.environ) -> Path:
    """Keep the session, readable by its owner only, complete or not at all."""
    file = place(environ)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(asdict(session), stream, indent=2)
    draft.replace(file)
    return file


def forget(environ: Mapping[str, str] = os.environ) -> None:
    place(environ).unlink(missing_ok=True)


def current(environ: Mapping[str, str] = os.environ) -> Session:
    """The session of this command. Raises `Failure` when no server is known."""
    kept = stored(environ)
    url = environ.get("PAKHUS_URL")
    if url:
        # A token belongs to the server that issued it: another URL starts without credentials.
        session = kept if kept and kept.url == server_url(url) else Session(server_url(url))
    elif kept:
        session = kept
    else:
        raise Failure("no server: run `pakhus login URL`, or set PAKHUS_URL and PAKHUS_TOKEN", Code.DENIED)
    if token := environ.get("PAKHUS_TOKEN"):
        session = replace(session, token=token, token_name="")
    elif environ.get("PAKHUS_USERNAME") and environ.get("PAKHUS_PASSWORD"):
        session = replace(session, token="", token_name="", password=environ["PAKHUS_PASSWORD"])
    if username := environ.get("PAKHUS_USERNAME"):
        session = replace(session, username=username)
    if ca_file := environ.get("PAKHUS_CA_FILE"):
        session = replace(session, ca_file=ca_file)
    return session
