"""`pakhus explain`: why somebody may do something, or not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.output import Output


def register(app: typer.Typer) -> None:
    add(app, "explain", explain, rich_help_panel="Client")


def explain(
    out: Output,
    user: Annotated[str, typer.Argument(help="Who: a user's name, or - for a caller without credentials.")],
    action: Annotated[Literal["browse", "read", "edit", "add", "delete"], typer.Argument(help="What.")],
    repository: Annotated[str, typer.Argument(help="Where.")],
    path: Annotated[str, typer.Argument(help="Which path in it.")] = "",
) -> None:
    """Show the checks that a request meets, and the smallest change that would let it pass."""
    from pakhus.cli.client import NATIVE, Client, document

    asked = {"user": "" if user == "-" else user, "action": action, "repository": repository, "path": path}
    with Client(sessions.current(), out) as client:
        found = document(client.send("GET", f"{NATIVE}/explain", params=asked))
    out.result(found, lambda: show(found))


def show(found: dict[str, Any]) -> None:
    for step in found["steps"]:
        print(f"{_mark(step)} {step['rule']} {step['subject']}: {step['reason']}")
        for detail in step["details"]:
            print(f"    {_mark(detail)} {detail['rule']} {detail['reason']}")
    who = found["user"] or "a caller without credentials"
    print(f"{'yes' if found['allowed'] else 'no'}: {who}, {found['action']} {found['repository']}{found['path']}")
    for change in found["changes"]:
        print(f"  to allow it: {change['text']}")


def _mark(step: dict[str, Any]) -> str:
    return "+" if step["allowed"] else "-"
