"""`pakhus search`: components or assets, by the parameters of the REST search."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.output import Output, require


def register(app: typer.Typer) -> None:
    add(app, "search", search, rich_help_panel="Client")


def search(
    out: Output,
    term: Annotated[str, typer.Argument(help="Words to look for, * and ? as wildcards.")] = "",
    repository: Annotated[str, typer.Option("--repo", help="In this repository.")] = "",
    format: Annotated[str, typer.Option(help="Of this format.")] = "",
    group: Annotated[str, typer.Option(help="Group, scope or namespace.")] = "",
    name: Annotated[str, typer.Option(help="Component name.")] = "",
    version: Annotated[str, typer.Option(help="Component version.")] = "",
    sha256: Annotated[str, typer.Option(help="Digest of an asset.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="A format's own parameter: maven.extension=jar.")
    ] = None,
    sort: Annotated[str, typer.Option(help="group, name, version or repository.")] = "",
    descending: Annotated[bool, typer.Option("--desc", help="Sort downwards.")] = False,
    assets: Annotated[bool, typer.Option("--assets", help="List files instead of components.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many; the output says when there are more.")] = 100,
) -> None:
    """Search the server."""
    from pakhus.cli.client import REST, Client

    params = {
        "q": term,
        "repository": repository,
        "format": format,
        "group": group,
        "name": name,
        "version": version,
        "sha256": sha256,
        "sort": sort,
        "direction": "desc" if descending else "",
    }
    asked = {key: value for key, value in params.items() if value}
    for text in parameter or []:
        key, equals, value = text.partition("=")
        require(bool(key and equals), f"--param takes name=value, not {text!r}")
        # An empty value is kept: `maven.classifier=` asks for files without classifier.
        asked[key] = value
    with Client(sessions.current(), out) as client:
        path = f"{REST}/search/assets" if assets else f"{REST}/search"
        found = list(islice(client.pages(path, asked), limit + 1))
    complete, found = len(found) <= limit, found[:limit]
    show = asset_table if assets else component_table
    columns, rows = show(found)
    out.table({"items": found, "complete": complete}, columns, rows)
    if not complete:
        out.note(f"There are more than {limit}: raise --limit, or ask for less.")


Table = tuple[tuple[str, ...], list[tuple[object, ...]]]


def component_table(items: list[dict[str, Any]]) -> Table:
    rows: list[tuple[object, ...]] = [
        (
            item["repository"],
            item.get("group") or "",
            item["name"],
            item.get("version") or "",
            len(item.get("assets") or []),
        )
        for item in items
    ]
    return ("Repository", "Group", "Name", "Version", "Files"), rows


def asset_table(items: list[dict[str, Any]]) -> Table:
    rows: list[tuple[object, ...]] = [
        (item["repository"], item["path"].lstrip("/"), item.get("fileSize", ""), item.get("lastModified", ""))
        for item in items
    ]
    return ("Repository", "Path", "Bytes", "Modified"), rows
