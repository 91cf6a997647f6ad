"""`pakhus admin`: repairs on the data directory, with the server stopped or running."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require
from pakhus.cli.server import ConfigFile, DataFolder, configuration, database

if TYPE_CHECKING:
    from pakhus.settings import Settings


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
    import asyncio

    from pakhus.database.diagnosis import diagnose
    from pakhus.settings.keys import without_password

    settings = configuration(config, data).settings
    name = username or settings.bootstrap.admin_username
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
    require(bool(given) or not password_stdin, "no password on standard input")
    if diagnose(settings.database_dsn).found is None:
        raise Failure(f"there is no Pakhus database at {without_password(settings.database_dsn)}", Code.NOT_FOUND)
    password = asyncio.run(reset(settings, name, given))
    if password_stdin:
        out.done(f"New password set for {name}.", username=name)
    else:
        out.result({"username": name, "password": password}, lambda: print(password))


async def reset(settings: Settings, username: str, password: str) -> str:
    from pakhus.domain.errors import Invalid, NotFound
    from pakhus.services.bootstrap import forget_password
    from pakhus.services.passwords import Passwords
    from pakhus.services.recovery import reset_password as reset_in

    passwords = Passwords(
        min_length=settings.auth.password_min_length, refuse_common=settings.auth.password_refuse_common
    )
    with database(settings) as opened:
        try:
            chosen = await reset_in(opened, passwords, username, password)
        except NotFound as error:
            raise Failure(error.message, Code.NOT_FOUND) from error
        except Invalid as error:
            raise Failure(error.message) from error
    if username == settings.bootstrap.admin_username:
        forget_password(settings.data)
    return chosen
