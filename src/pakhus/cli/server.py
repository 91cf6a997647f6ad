"""`pakhus serve` and `pakhus migrate`: the configuration is loaded here, the work is done by `pakhus.app`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output

if TYPE_CHECKING:
    from pakhus.settings import Configuration

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
    root().run(settings)


def migrate(out: Output, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Bring the database to the state that this version needs."""
    root().migrate(configuration(config, data).settings)
    out.done("The database is up to date.", migrated=True)


def root() -> Any:
    """The composition root, imported only by commands that run a server: it imports everything."""
    return import_module("pakhus.app")
