"""`pakhus setup CLIENT`: print, write or take back a package client's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require

if TYPE_CHECKING:
    from pakhus.cli.setup.clients import ClientSetup, Target

PLACEHOLDER = "$PAKHUS_TOKEN"
READ_ORDER = ("group", "proxy", "hosted")


def register(app: typer.Typer) -> None:
    add(app, "setup", setup, rich_help_panel="Client")


def setup(
    out: Output,
    client: Annotated[str, typer.Argument(help="pip, uv, twine, npm, pnpm, yarn, yarn-classic or mvn")],
    repository: Annotated[str, typer.Option("--repo", help="The repository; default: the one for this client.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Write the file instead of printing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what --write wrote.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another file than the client's usual one.")] = None,
    name: Annotated[str, typer.Option(help="Name of the repository in the client's file.")] = "pakhus",
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Without your token.")] = False,
    show_token: Annotated[bool, typer.Option("--show-token", help="Print the token, not $PAKHUS_TOKEN.")] = False,
) -> None:
    """Configure a package client for a repository; prints the lines, or writes them with --write."""
    from pakhus.cli.setup.clients import ALIASES, CLIENTS, Target, environment

    kind = CLIENTS.get(ALIASES.get(client, client))
    if kind is None:
        raise Failure(f"no setup for {client}: there is {', '.join(sorted({*CLIENTS, *ALIASES}))}", Code.USAGE)
    require(not (write and undo), "--write and --undo exclude each other")
    place = (file or kind.file(environment())).expanduser().resolve()
    if undo:
        take_back(out, kind, place)
        return
    session = sessions.current()
    url = f"{session.url}/repository/{chosen(session, kind, repository, out)}/"
    token = "" if anonymous else session.token or session.password
    if token and not (write or show_token):
        token = PLACEHOLDER
    target = Target(url, session.username, token, name)
    if write:
        put(out, kind, place, target)
    else:
        text = kind.add(kind.empty, target).decode("utf-8")
        out.result({"file": str(place), "text": text}, lambda: print(text, end=""))
        out.note(f"This belongs into {place}: `pakhus setup {client} --write` puts it there.")


def chosen(session: sessions.Session, kind: ClientSetup, wanted: str, out: Output) -> str:
    """The repository's name. Raises `Failure` if it is of another format, or there is not exactly one to choose."""
    from pakhus.cli.client import Client

    with Client(session, out) as client:
        repositories = [r for r in client.repositories() if not wanted or r["name"] == wanted]
    if wanted:
        if not repositories:
            raise Failure(f"there is no repository {wanted}, or you may not see it", Code.NOT_FOUND)
        if repositories[0]["format"] != kind.format:
            raise Failure(f"{wanted} is a {repositories[0]['format']} repository, not {kind.format}", Code.USAGE)
        return wanted
    return str(usual(kind, repositories)["name"])


def usual(kind: ClientSetup, repositories: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A group sees most, so it is for reading; only a hosted one takes uploads."""
    for type in ("hosted",) if kind.writes else READ_ORDER:
        found = [r for r in repositories if (r["format"], r["type"]) == (kind.format, type)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Failure(f"which one? --repo {' | '.join(sorted(r['name'] for r in found))}", Code.USAGE)
    raise Failure(f"the server has no {kind.format} repository for it", Code.NOT_FOUND)


def put(out: Output, kind: ClientSetup, place: Path, target: Target) -> None:
    old = place.read_bytes() if place.exists() else None
    new = kind.add(old or kind.empty, target)
    if new == old:
        out.done(f"{place} is as it should be.", file=str(place), changed=False, url=target.url)
        return
    backup = backup_of(place)
    if old is not None and kind.remove(old) == old:
        # The state before our first edit; later edits must not replace it.
        replace(backup, old, mode=place.stat().st_mode & 0o777)
    replace(place, new, mode=place.stat().st_mode & 0o777 if old is not None else 0o600)
    if target.token and place.stat().st_mode & 0o077:
        out.note(f"{place} holds your token and others can read it: chmod 600 {place}")
    out.done(f"Wrote {place}.", file=str(place), changed=True, url=target.url)
    if kind.try_it:
        out.note(f"Try: {kind.try_it.replace('pakhus', target.id)}")


def take_back(out: Output, kind: ClientSetup, place: Path) -> None:
    old = place.read_bytes() if place.exists() else b""
    new = kind.remove(old)
    backup = backup_of(place)
    if new == old:
        out.done(f"There is nothing of ours in {place}.", file=str(place), changed=False)
        return
    if new == kind.empty and not backup.exists():
        place.unlink()
        out.done(f"Removed {place}, which held nothing else.", file=str(place), changed=True)
        return
    replace(place, new, mode=place.stat().st_mode & 0o777)
    if backup.exists() and backup.read_bytes() == new:
        backup.unlink()
    elif backup.exists():
        out.note(f"The file was edited since; its first state is kept in {backup}.")
    out.done(f"Restored {place}.", file=str(place), changed=True)


def backup_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.before-pakhus")


def replace(file: Path, body: bytes, *, mode: int) -> None:
    """Write the file complete or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(body)
    draft.chmod(mode)
    draft.replace(file)
