"""`pakhus audit`: the audit's entries from a server, and the verification of its chain."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require
from pakhus.cli.server import ConfigFile, DataFolder, configuration, database

if TYPE_CHECKING:
    from pakhus.domain.audit import Link
    from pakhus.services.audit_chain import Report

Since = Annotated[str, typer.Option("--from", help="From this moment on (ISO 8601).")]
Until = Annotated[str, typer.Option("--to", help="Before this moment (ISO 8601).")]
User = Annotated[str, typer.Option("--user", "-u", help="By whom.")]
Action = Annotated[str, typer.Option(help="As repository.updated.")]
Type = Annotated[str, typer.Option(help="The first word of actions, as repository.")]
Repository = Annotated[str, typer.Option("--repo", help="In which repository.")]
Result = Annotated[str, typer.Option(help="success or refused.")]
RequestId = Annotated[str, typer.Option(help="In which request.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who did what: list, and verify that nothing was altered.")
    add(group, "list", entries)
    add(group, "head", head)
    add(group, "verify", verify)
    app.add_typer(group, name="audit", rich_help_panel="Server")


def entries(
    out: Output,
    since: Since = "",
    until: Until = "",
    user: User = "",
    action: Action = "",
    type: Type = "",
    repository: Repository = "",
    result: Result = "",
    request_id: RequestId = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """List entries of the server's audit, the newest first."""
    from pakhus.cli.client import NATIVE, Client

    asked = {
        "from": since,
        "to": until,
        "user": user,
        "action": action,
        "type": type,
        "repository": repository,
        "result": result,
        "request_id": request_id,
        "limit": str(limit),
    }
    with Client(sessions.current(), out) as client:
        answer = client.get(f"{NATIVE}/audit", **{name: value for name, value in asked.items() if value})
    found = answer["items"]
    rows = [
        (each["time"][:19], each["user"], each["address"], each["action"], each["repository"], each["subject"])
        for each in found
    ]
    out.table(found, ("Time", "User", "Address", "Action", "Repository", "Subject"), rows)


def head(out: Output) -> None:
    """Print the end of the server's chain, POSITION:HASH, to be kept elsewhere for `verify --anchor`."""
    from pakhus.cli.client import NATIVE, Client

    with Client(sessions.current(), out) as client:
        found = client.get(f"{NATIVE}/audit/head")
    out.result(found, lambda: print(f"{found['position']}:{found['hash']}"))


def verify(
    out: Output,
    file: Annotated[Path | None, typer.Option(help="An export (NDJSON) instead of the database; - is stdin.")] = None,
    anchor: Annotated[list[str] | None, typer.Option(help="POSITION:HASH that was kept elsewhere; repeatable.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Verify the audit's chain: no entry altered, removed, exchanged or cut off. The server may run."""
    known = dict(_anchor(text) for text in anchor or ())
    report = _of_database(config, data, known) if file is None else _of_file(file, known)
    facts: dict[str, Any] = {
        "ok": not report.problems,
        "entries": report.entries,
        "first": report.first,
        "last": report.last,
        "hash": report.hash,
        "anchors": report.anchors,
        "problems": report.problems,
    }
    if report.problems:
        problems = "\n  ".join(report.problems)
        out.result(facts, lambda: print(f"The audit is not whole:\n  {problems}"))
        raise typer.Exit(Code.FAILURE)
    where = f"{report.entries} entries ({report.first} to {report.last}), {report.anchors} anchors met"
    out.done(f"The audit is whole: {where}.", **facts)


def _of_database(config: Path | None, data: Path | None, known: dict[int, str]) -> Report:
    from pakhus.services.audit_chain import ANCHORS, Anchors, Seal
    from pakhus.services.audit_chain import verify as verify_in
    from pakhus.settings import signing_secret

    settings = configuration(config, data).settings
    anchors = Anchors(settings.data / ANCHORS).read() | known
    with database(settings) as opened:
        return opened.read_now(verify_in, Seal(signing_secret(settings)), anchors)


def _of_file(file: Path, known: dict[int, str]) -> Report:
    from pakhus.services.audit_chain import Report, follow

    links = _read(file)
    first = next(links, None)
    if first is None:
        raise Failure(f"{file} has no entries")

    def all_of_them() -> Iterator[Link]:
        yield first
        yield from links

    return follow(all_of_them(), Report(), known, floor=first.entry.id - 1, previous=first.previous)


def _read(file: Path) -> Iterator[Link]:
    from pakhus.domain.audit import link_of

    with sys.stdin if str(file) == "-" else file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield link_of(json.loads(line))
            except ValueError as error:
                raise Failure(f"{file}, line {number}: {error}") from error


def _anchor(text: str) -> tuple[int, str]:
    position, _, digest = text.partition(":")
    require(position.isdigit() and len(digest) == 64, f"{text!r} is not POSITION:HASH")
    return int(position), digest
