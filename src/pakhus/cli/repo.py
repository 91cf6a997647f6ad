"""`pakhus repo`: repositories, in the words of the REST API."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from pakhus.cli import session as sessions
from pakhus.cli.command import add
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.output import Output, require

SEGMENTS = {"maven2": "maven"}
"""The one format whose REST paths use another word than its name, as in Nexus."""


def register(app: typer.Typer) -> None:
    repositories = typer.Typer(no_args_is_help=True, help="List, show, create and delete repositories.")
    add(repositories, "list", list_repositories)
    add(repositories, "show", show)
    add(repositories, "create", create)
    add(repositories, "delete", delete)
    app.add_typer(repositories, name="repo", rich_help_panel="Client")


def settings_path(format: str, type: str, name: str = "") -> str:
    path = f"/service/rest/v1/repositories/{quote(SEGMENTS.get(format, format), safe='')}/{type}"
    return f"{path}/{quote(name, safe='')}" if name else path


def list_repositories(
    out: Output,
    format: Annotated[str, typer.Option(help="Only repositories of this format.")] = "",
    type: Annotated[str, typer.Option(help="Only hosted, proxy or group.")] = "",
) -> None:
    """List the repositories that you may see."""
    from pakhus.cli.client import Client

    with Client(sessions.current(), out) as client:
        found = [
            repository
            for repository in client.repositories()
            if format in ("", repository["format"], SEGMENTS.get(repository["format"]))
            and type in ("", repository["type"])
        ]
    found.sort(key=lambda repository: repository["name"].lower())
    out.table(
        found, ("Name", "Format", "Type", "URL"), [(r["name"], r["format"], r["type"], r.get("url", "")) for r in found]
    )


def show(out: Output, name: Annotated[str, typer.Argument(help="The repository.")]) -> None:
    """Show all settings of a repository."""
    from pakhus.cli.client import Client

    with Client(sessions.current(), out) as client:
        repository = client.get(f"/service/rest/v1/repositories/{quote(name, safe='')}")
        settings = client.find(settings_path(repository["format"], repository["type"], name)) or repository
    rows = flat(settings)
    out.table(settings, ("Setting", "Value"), rows)


def flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [row for key, inner in value.items() for row in flat(inner, f"{path}.{key}" if path else str(key))]
    return [(path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))]


def create(
    out: Output,
    format: Annotated[str, typer.Argument(help="pypi, npm, maven2, raw, …")],
    type: Annotated[Literal["hosted", "proxy", "group"], typer.Argument(help="hosted, proxy or group")],
    name: Annotated[str, typer.Argument(help="The new repository's name.")],
    remote_url: Annotated[str, typer.Option(help="Upstream of a proxy.")] = "",
    member: Annotated[list[str] | None, typer.Option(help="Member of a group, in order; repeatable.")] = None,
    blob_store: Annotated[str, typer.Option(help="Where the content is kept.")] = "default",
    write_policy: Annotated[str, typer.Option(help="hosted: ALLOW, ALLOW_ONCE or DENY.")] = "",
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting: maven.versionPolicy=RELEASE; repeatable.")
    ] = None,
    body: Annotated[Path | None, typer.Option("--body", help="The whole settings as a JSON file; - for stdin.")] = None,
) -> None:
    """Create a repository."""
    from pakhus.cli.client import Client

    require(type == "proxy" or not remote_url, "--remote-url is for a proxy")
    require(type == "group" or not member, "--member is for a group")
    require(type == "hosted" or not write_policy, "--write-policy is for a hosted repository")
    settings = read_body(body) if body else defaults(type, blob_store=blob_store)
    given: dict[str, Any] = {"name": name}
    given |= {"proxy.remoteUrl": remote_url} if remote_url else {}
    given |= {"group.memberNames": member} if member else {}
    given |= {"storage.writePolicy": write_policy.upper()} if write_policy else {}
    given |= dict(assignment(text) for text in assign or [])
    for key, value in given.items():
        put(settings, key, value)
    require(bool(body) or type != "proxy" or bool(settings["proxy"].get("remoteUrl")), "a proxy needs --remote-url")
    require(bool(body) or type != "group" or bool(settings["group"].get("memberNames")), "a group needs --member")
    with Client(sessions.current(), out) as client:
        client.send("POST", settings_path(format, type), json=settings)
        made = client.find(f"/service/rest/v1/repositories/{quote(name, safe='')}") or {"name": name}
    out.done(f"Created {name}: {made.get('url', '')}", **made)


def defaults(type: str, *, blob_store: str) -> dict[str, Any]:
    """The members that every format's settings must have, with Nexus's defaults."""
    settings: dict[str, Any] = {
        "online": True,
        "storage": {"blobStoreName": blob_store, "strictContentTypeValidation": True},
    }
    if type == "hosted":
        settings["storage"]["writePolicy"] = "ALLOW"
    elif type == "proxy":
        settings["proxy"] = {"contentMaxAge": 1440, "metadataMaxAge": 1440}
        settings["negativeCache"] = {"enabled": True, "timeToLive": 1440}
        settings["httpClient"] = {"blocked": False, "autoBlock": True}
    else:
        settings["group"] = {"memberNames": []}
    return settings


def read_body(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Failure(f"{file} is not valid JSON: {error}", Code.USAGE) from error
    require(isinstance(body, dict), f"{file} must hold a JSON object")
    return dict(body)


def assignment(text: str) -> tuple[str, Any]:
    """`key.inner=value`: the value is JSON if it reads as such (numbers, true, lists), else text."""
    key, equals, value = text.partition("=")
    require(bool(key and equals), f"--set takes key=value, not {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def put(settings: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    node = settings
    for step in path:
        inner = node.get(step)
        if not isinstance(inner, dict):
            inner = node[step] = {}
        node = inner
    node[last] = value


def delete(
    out: Output,
    name: Annotated[str, typer.Argument(help="The repository.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a repository and all that it holds."""
    from pakhus.cli.client import Client

    if not yes:
        require(sys.stdin.isatty(), "give --yes to delete without being asked")
        typer.confirm(f"Delete {name} and all that it holds?", abort=True, err=True)
    with Client(sessions.current(), out) as client:
        client.send("DELETE", f"/service/rest/v1/repositories/{quote(name, safe='')}")
    out.done(f"Deleted {name}.", deleted=name)
