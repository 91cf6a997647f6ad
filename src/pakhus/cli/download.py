"""`pakhus download`: one file or all that match a pattern, resumed where a connection broke, digests checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require

if TYPE_CHECKING:
    from pakhus.cli.client import Client

WILDCARDS = frozenset("*?[")


def register(app: typer.Typer) -> None:
    add(app, "download", download, rich_help_panel="Client")


def download(
    out: Output,
    repository: Annotated[str, typer.Argument(metavar="REPO", help="The repository.")],
    path: Annotated[str, typer.Argument(help="A path in it, or a pattern such as 'com/acme/*.jar'.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File, or folder; - for standard output. Default: here.")
    ] = None,
    retry_for: Annotated[float, typer.Option(min=0, help="Seconds to wait for an unreachable server.")] = 60.0,
) -> None:
    """Download a file, or all files that match a pattern (then with their folders)."""
    from pakhus.cli.client import Client, Patience
    from pakhus.cli.fetch import fetch, to_stdout

    path, patience = path.lstrip("/"), Patience(total=retry_for)
    with Client(sessions.current(), out) as client:
        if WILDCARDS.isdisjoint(path):
            if str(output) == "-":
                to_stdout(client, repository, path, sys.stdout.buffer)
                return
            name = PurePosixPath(path).name
            require(bool(name), "name a file; folders are downloaded by a pattern: 'folder/*'")
            target = output / name if output and output.is_dir() else output or Path(name)
            done = [fetch(client, repository, path, target, digests={}, patience=patience)]
        else:
            require(str(output) != "-", "standard output takes one file, not a pattern")
            folder = output or Path()
            done = [
                fetch(client, repository, found, below(folder, found), digests=digests, patience=patience)
                for found, digests in matching(client, repository, path)
            ]
    if not done:
        raise Failure(f"nothing in {repository} matches {path}", Code.NOT_FOUND)
    out.result(done, lambda: None if out.quiet else tell(done))


def tell(done: list[dict[str, Any]]) -> None:
    for entry in done:
        checked = f", {entry['verified']} verified" if entry["verified"] else ", no checksum to verify"
        print(f"{entry['file']} ({entry['size']} bytes{checked})")


def matching(client: Client, repository: str, pattern: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Paths and digests of the assets that match; `*` matches slashes too, as in the shell's `**`."""
    from pakhus.cli.client import REST

    for asset in client.pages(f"{REST}/assets", {"repository": repository}):
        path = asset["path"].lstrip("/")
        if fnmatchcase(path, pattern):
            yield path, asset.get("checksum") or {}


def below(folder: Path, path: str) -> Path:
    """Where a path of the server is written. Raises `Failure` for one that would leave the folder."""
    parts = PurePosixPath(path).parts
    if any(part in ("..", "/") or "\\" in part or ":" in part[1:2] for part in parts):
        raise Failure(f"the server names a path that leaves the folder: {path}")
    return folder.joinpath(*parts)
