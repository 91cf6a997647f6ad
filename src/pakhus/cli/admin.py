"""`pakhus admin`: repairs on the data directory, with the server stopped or running."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pakhus.cli.command import add
from pakhus.cli.outcome import Failure
from pakhus.cli.output import Output, require
from pakhus.cli.server import ConfigFile, DataFolder, configuration, root


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Repairs by whoever may read the data directory.")
    add(group, "reset-password", reset_password)
    app.add_typer(group, name="admin", rich_help_panel="Server")


def reset_password(
    out: Output,
    username: Annotated[str, typer.Option("--username", "-u", help="Default: the first administrator.")] = "",
    password_stdin: Annotated[bool, typer.Option(help="Read the new password; else one is made and printed.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give a user a new password, enable the account, and end its sessions."""
    settings = configuration(config, data).settings
    name = username or settings.bootstrap.admin_username
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
    shortest = settings.auth.password_min_length
    require(not password_stdin or len(password) >= shortest, f"a password needs at least {shortest} characters")
    made = root().reset_password(settings, username=name, password=password)
    if made is None:
        raise Failure(f"there is no user {name}")
    shown = {} if password_stdin else {"password": made}
    out.result({"username": name, **shown}, lambda: print(shown.get("password", f"New password set for {name}.")))
