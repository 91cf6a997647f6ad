"""A login by browser: the identity provider asks who it is there, and the answer comes back to a port of this machine.

What comes back is a code, worth nothing without the verifier that never left this process (RFC 8252, RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output
from pakhus.cli.session import Session

PATIENCE = 300.0
"""Seconds for the person at the browser."""
DONE = b"<!DOCTYPE html><title>Logged in</title><p>Logged in. You can close this window and go back to the terminal."


class _Answer(HTTPServer):
    """Waits for one request that knows the state."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.code = ""


class _Handler(BaseHTTPRequestHandler):
    server: _Answer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        code, state = (query.get(name, [""])[0] for name in ("code", "state"))
        known = bool(code) and hmac.compare_digest(state.encode(), self.server.state.encode())
        if known:
            self.server.code = code
        self.send_response(200 if known else 404)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(DONE) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(DONE)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is the user's."""


def log_in(
    place: Session, provider: str, out: Output, *, open: Callable[[str], bool] = webbrowser.open
) -> tuple[str, str]:
    """The token of a login, and whose it is. Raises `Failure`."""
    from pakhus.cli.client import NATIVE, Client, document

    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with Client(place, out) as client, _Answer(state) as answer:
        path = _path(client.get(f"{NATIVE}/login/providers"), provider)
        query = urlencode({"port": answer.server_port, "challenge": challenge, "state": state})
        url = f"{place.url}{path}?{query}"
        out.note(f"Log in with your browser; if none opens, go to\n{url}")
        threading.Thread(target=open, args=(url,), daemon=True).start()
        code = _awaited(answer)
        made = document(client.send("POST", f"{NATIVE}/login/code", json={"code": code, "verifier": verifier}))
    return made["token"], made["username"]


def _path(providers: list[dict[str, str]], wanted: str) -> str:
    """Where the login begins: at the provider that was named, or where the person chooses one."""
    if not providers:
        raise Failure("this server has no identity provider: log in with name and password", Code.USAGE)
    if not wanted:
        return "/login"
    found = next((each["path"] for each in providers if each["name"] == wanted), None)
    if found is None:
        known = ", ".join(each["name"] for each in providers)
        raise Failure(f"there is no identity provider '{wanted}' (there is: {known})", Code.USAGE)
    return found


def _awaited(answer: _Answer) -> str:
    answer.timeout = 1.0
    for _ in range(int(PATIENCE)):
        answer.handle_request()
        if answer.code:
            return answer.code
    raise Failure("nobody logged in within five minutes", Code.DENIED)
