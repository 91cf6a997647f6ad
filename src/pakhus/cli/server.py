"""`pakhus serve` and `pakhus migrate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output

if TYPE_CHECKING:
    from pakhus.database.transaction import Database
    from pakhus.settings import Configuration, Settings

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file; else $PAKHUS_CONFIG.")]
DataFolder = Annotated[Path | None, typer.Option("--data", "-d", help="Data directory; else $PAKHUS_DATA.")]


def register(app: typer.Typer) -> None:
    add(app, "serve", serve, rich_help_panel="Server")
    add(app, "migrate", migrate, rich_help_panel="Server")


def configuration(config: Path | None, data: Path | None, **options: Any) -> Configuration:
    """The configuration of this machine's server. Raises `Failure` with every problem, one a line."""
    from pakhus.settings import SettingsError, load

    try:
        return load(config=config, data=data, options=options)
    except SettingsError as error:
        lines = "\n  ".join(str(error).splitlines())
        raise Failure(f"the configuration cannot be used:\n  {lines}", Code.USAGE) from error


def serve(
    out: Output,
    config: ConfigFile = None,
    data: DataFolder = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port, in place of the one in http.addr.")] = None,
) -> None:
    """Run the server until it is told to stop (SIGTERM, Ctrl-C)."""
    settings = configuration(config, data).settings
    if port is not None:
        host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
        settings = configuration(config, data, **{"http.addr": f"{host}:{port}"}).settings
    from pakhus.app import run

    try:
        code = run(settings)
    except SystemExit as end:
        # The HTTP server ends the process itself when it cannot listen, with a code of its own.
        code = 0 if end.code in (None, 0) else Code.FAILURE
    if code:
        raise Failure("the server could not run; its log says why")


def migrate(out: Output, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Bring the database to the state that this version needs; a server does so itself when it starts."""
    settings = configuration(config, data).settings
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o750)
    with database(settings) as opened:
        from pakhus.database import schema

        schema.migrate(opened)
    out.done("The database is up to date.", migrated=True)


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database of a server, for a command beside it. Raises `Failure` if it cannot be reached."""
    import os

    from pakhus.database.diagnosis import diagnose
    from pakhus.database.generation import Generation
    from pakhus.database.transaction import Database
    from pakhus.domain.initiator import Initiator, acting

    if problem := diagnose(settings.database_dsn).problem:
        raise Failure(f"the database cannot be used: {problem}")
    generation = Generation(settings.data / "generation")
    command = Initiator(credential=f"user {os.geteuid()} of the operating system")
    opened = Database(settings.database_dsn, generation, connections=2, now=lambda: datetime.now(UTC))
    try:
        with acting(command):
            yield opened
    finally:
        opened.close()
