"""`pakhus config show`: what the server would run with, and where each value comes from."""

from __future__ import annotations

import typer

from pakhus.cli.command import add
from pakhus.cli.output import Output
from pakhus.cli.server import ConfigFile, DataFolder, configuration


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The server's configuration.")
    add(group, "show", show)
    app.add_typer(group, name="config", rich_help_panel="Server")


def show(out: Output, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Show every setting with its origin; secrets are masked. Fails if the configuration has mistakes."""
    shown = list(configuration(config, data).shown())
    document = {
        key.name: {"value": value, "origin": origin.kind, "from": origin.place, "variable": key.variable}
        for key, value, origin in shown
    }
    rows = [(key.name, text(value), str(origin)) for key, value, origin in shown]
    out.table(document, ("Setting", "Value", "Origin"), rows)


def text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return str(value)
