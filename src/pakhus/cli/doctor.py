"""`pakhus doctor`: what is wrong here, in one list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Failure
from pakhus.cli.output import Output
from pakhus.cli.server import ConfigFile, DataFolder, configuration


def register(app: typer.Typer) -> None:
    add(app, "doctor", doctor, rich_help_panel="Client")


def doctor(
    out: Output,
    config: ConfigFile = None,
    data: DataFolder = None,
    server: Annotated[
        bool, typer.Option("--server", help="Look at this machine's server even without --data.")
    ] = False,
) -> None:
    """Check the connection to the server; with --data, --config or --server, the server of this machine."""
    from pakhus.cli.checks import Check, code_of, fail, of_client, of_server

    checks: list[Check] = []
    if config or data or server:
        try:
            checks += of_server(configuration(config, data).settings)
        except Failure as failure:
            checks.append(fail("configuration", failure.message))
    else:
        from pakhus.cli.client import Client

        session = sessions.current()
        with Client(session, out) as client:
            checks += of_client(session, client, now=datetime.now(UTC))
    rows = [(check.state.value, check.name, check.message) for check in checks]
    out.table([check.document() for check in checks], ("State", "Check", "Finding"), rows)
    if code := code_of(checks):
        raise typer.Exit(code)
