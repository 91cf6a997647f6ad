"""`pakhus token`: access tokens of the user, for build servers and other machines."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.output import Output


def register(app: typer.Typer) -> None:
    tokens = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke access tokens.")
    add(tokens, "create", create)
    add(tokens, "list", list_tokens)
    add(tokens, "rotate", rotate)
    add(tokens, "revoke", revoke)
    app.add_typer(tokens, name="token", rich_help_panel="Client")


def create(
    out: Output,
    name: Annotated[str, typer.Argument(help="A name that says where the token is used.")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write, delete, admin; repeatable; none: all.")] = None,
    repository: Annotated[list[str] | None, typer.Option("--repo", help="Where; repeatable; none: everywhere.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Its life in days; none: as long as the server allows.")
    ] = None,
) -> None:
    """Create a token and print it. The server shows it this one time only."""
    from pakhus.cli.client import NATIVE, Client, document

    wanted = {"name": name, "scopes": scope or [], "repositories": repository or [], "expires_days": days}
    with Client(sessions.current(), out) as client:
        made = document(client.send("POST", f"{NATIVE}/tokens", json=wanted))
    out.result(made, lambda: print(made["token"]))


def list_tokens(out: Output) -> None:
    """List your tokens; their secrets are not shown."""
    from pakhus.cli.client import NATIVE, Client

    with Client(sessions.current(), out) as client:
        answer = client.get(f"{NATIVE}/tokens")
    tokens = answer["items"] if isinstance(answer, dict) else answer
    rows = [
        (
            token["name"],
            ", ".join(token.get("scopes") or []) or "all",
            ", ".join(token.get("repositories") or []) or "all",
            token.get("expires") or "never",
            token.get("last_used") or "",
        )
        for token in tokens
    ]
    out.table(tokens, ("Name", "Scopes", "Repositories", "Expires", "Last used"), rows)


def rotate(
    out: Output,
    name: Annotated[str, typer.Argument(help="The token's name.")],
    overlap: Annotated[int, typer.Option(min=0, help="Hours for which the old one is good, too.")] = 24,
) -> None:
    """Print a new token in place of an old one, with its name and scopes."""
    from pakhus.cli.client import NATIVE, Client, document

    with Client(sessions.current(), out) as client:
        place = f"{NATIVE}/tokens/{quote(name, safe='')}/rotate"
        made = document(client.send("POST", place, json={"overlap_hours": overlap}))
    out.result(made, lambda: print(made["token"]))


def revoke(out: Output, name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """Revoke a token: it stops working at once."""
    from pakhus.cli.client import NATIVE, Client

    with Client(sessions.current(), out) as client:
        client.send("DELETE", f"{NATIVE}/tokens/{quote(name, safe='')}")
    out.done(f"Revoked {name}.", revoked=name)
