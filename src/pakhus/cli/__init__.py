"""The `pakhus` command: the client's commands, and the ones that run and repair a server.

Modules of the server and of the HTTP client are imported by the commands that need them, so that
`pakhus --help` and shell completion answer at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pakhus import __version__
from pakhus.cli import admin, audit, config, doctor, download, explain, login, repo, search, server, token
from pakhus.cli.setup import command as setup
from pakhus.cli.upload import command as upload

app = typer.Typer(
    name="pakhus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One server for every kind of package, and its client.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not logged in or denied, 4 not found, "
    "5 server unreachable, 6 partly done.",
)

for module in (login, repo, upload, download, search, explain, token, setup, doctor, server, config, admin, audit):
    module.register(app)


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"pakhus {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """One server for every kind of package, and its client."""


def main() -> None:
    app()
