"""`pakhus login` and `pakhus logout`: the password is used once, what is kept is a token that can be revoked."""

from __future__ import annotations

import platform
import secrets
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from pakhus.cli import session as sessions
from pakhus.cli.browser import log_in
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require
from pakhus.cli.session import Session

SECOND_FACTOR = "second factor"
"""What a server's refusal says when the password is right, and not enough."""


def register(app: typer.Typer) -> None:
    add(app, "login", login, rich_help_panel="Client")
    add(app, "logout", logout, rich_help_panel="Client")


def login(
    out: Output,
    url: Annotated[str, typer.Argument(help="The server, such as https://packages.example.org")],
    username: Annotated[str, typer.Option("--username", "-u", help="Asked for if not given.")] = "",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
    token_stdin: Annotated[bool, typer.Option(help="Read an existing token from standard input, and keep it.")] = False,
    browser: Annotated[bool, typer.Option("--browser", help="Log in by browser, with an identity provider.")] = False,
    provider: Annotated[str, typer.Option(help="Which identity provider, where there are several.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Life of the token; default: 90, or less if need be.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Certificate authority of the server, PEM.")] = None,
    code: Annotated[str, typer.Option(help="Code of the second factor; asked for if it is needed.")] = "",
) -> None:
    """Log in to a server, and keep a token for the next commands."""
    from pakhus.cli.client import Client

    ways = password_stdin + token_stdin + (browser or bool(provider))
    require(ways <= 1, "--password-stdin, --token-stdin and --browser exclude each other")
    place = Session(sessions.server_url(url), ca_file=str(ca_file.resolve()) if ca_file else "")
    if token_stdin:
        session = Session(place.url, username=username, token=sys.stdin.readline().strip(), ca_file=place.ca_file)
        require(bool(session.token), "no token on standard input")
        with Client(session, out) as client:
            client.get("/api/v1/tokens")
    elif browser or provider:
        token, username = log_in(place, provider, out)
        session = make_token(place, username, token, days=days, out=out)
    else:
        username, password = ask(username, from_stdin=password_stdin)
        token = opened(place, username, password, out=out, code=code)
        session = make_token(place, username, token, days=days, out=out)
    file = sessions.store(session)
    out.detail(f"kept in {file}")
    out.done(f"Logged in to {session.url}.", url=session.url, username=session.username, token=session.token_name)


def ask(username: str, *, from_stdin: bool) -> tuple[str, str]:
    if from_stdin:
        require(bool(username), "--password-stdin needs --username")
        return username, sys.stdin.readline().rstrip("\r\n")
    require(sys.stdin.isatty(), "no terminal to ask at: give --username and --password-stdin, or --token-stdin")
    name = username or typer.prompt("Username", err=True)
    return name, typer.prompt("Password", hide_input=True, err=True)


def opened(place: Session, username: str, password: str, *, out: Output, code: str = "") -> str:
    """The token of a login with the password."""
    from pakhus.cli.client import NATIVE, Client, document

    with Client(place, out) as client:
        try:
            body = {"username": username, "password": password, **({"code": code} if code else {})}
            return str(document(client.send("POST", f"{NATIVE}/login", json=body))["token"])
        except Failure as failure:
            if failure.code is Code.DENIED and SECOND_FACTOR in failure.message and not code:
                require(sys.stdin.isatty(), "this account has a second factor: give --code")
                asked = typer.prompt("Code", err=True)
                return opened(place, username, password, out=out, code=asked)
            if failure.code is Code.DENIED:
                raise Failure(f"{place.url} does not accept this username and password", Code.DENIED) from failure
            raise


def make_token(place: Session, username: str, login: str, *, days: int | None, out: Output) -> Session:
    """Trade the token of a login for a named one of this machine."""
    from pakhus.cli.client import NATIVE, Client, Refused, document

    name = f"cli-{platform.node().split('.')[0] or 'client'}-{secrets.token_hex(3)}"
    with Client(Session(place.url, token=login, ca_file=place.ca_file), out) as client:
        wanted = {"name": name, "scopes": [], "repositories": []}
        try:
            made = document(client.send("POST", f"{NATIVE}/tokens", json={**wanted, "expires_days": days or 90}))
        except Refused as refusal:
            if days or refusal.status != 400:
                raise
            # The server lets tokens live less long than our default: then as long as it lets them.
            made = document(client.send("POST", f"{NATIVE}/tokens", json={**wanted, "expires_days": None}))
    return Session(place.url, username=username, token=made["token"], token_name=made["name"], ca_file=place.ca_file)


def logout(out: Output) -> None:
    """Revoke the token that `login` made, and forget it."""
    from pakhus.cli.client import NATIVE, Client

    session = sessions.stored()
    if not session:
        out.done("Not logged in.", revoked=False)
        return
    revoked = False
    if session.token_name:
        try:
            with Client(session, out) as client:
                client.send("DELETE", f"{NATIVE}/tokens/{quote(session.token_name, safe='')}")
            revoked = True
        except Failure as failure:
            # The local half of a logout never depends on the server.
            out.note(f"the token {session.token_name} could not be revoked: {failure.message}")
    sessions.forget()
    out.done(f"Logged out of {session.url}.", url=session.url, revoked=revoked)
