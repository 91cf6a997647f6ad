"""The frame of every command: the common options, and the failure that becomes an exit code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output

Command = Callable[..., None]

COMMON: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print the result as JSON.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Print what is done, and each request.")],
}


def framed(function: Command) -> Command:
    """The function as typer takes it: its first parameter `out` becomes the common options."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]

    @wraps(function)
    def run(*, as_json: bool = False, quiet: bool = False, verbose: bool = False, **values: Any) -> None:
        out = Output(json=as_json, quiet=quiet, verbose=verbose)
        try:
            function(out, **values)
        except Failure as failure:
            out.failure(failure)
            raise typer.Exit(failure.code) from failure
        except BrokenPipeError:
            # The reader of our output went away (`pakhus search … | head`): typer ends quietly.
            raise
        except OSError as error:
            # A file of the user's that cannot be read or written: no traceback, the system's own words.
            out.failure(Failure(str(error), Code.FAILURE))
            raise typer.Exit(Code.FAILURE) from error

    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in COMMON.items()
    ]
    renewed = [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    run.__signature__ = inspect.Signature([*renewed, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*renewed, *common)}
    del run.__wrapped__
    return run


def add(app: typer.Typer, name: str, function: Command, **options: Any) -> None:
    app.command(name, **options)(framed(function))
