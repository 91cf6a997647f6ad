"""The page of the REST endpoints, written from the application's own routes.

`python -m tests.docs.endpoints` writes it anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from pakhus.app import create
from pakhus.rest import app as rest_app
from pakhus.rest.openapi import mounted, right_of
from pakhus.rest.rights import Needs, OpenToAll, Right, SignedIn
from pakhus.services.metrics import Metrics
from pakhus.settings import load
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "api" / "endpoints.md"
HEADER = """# Endpoints

Every address of the [REST API](rest.md), written from the application's own routes by `python -m tests.docs.endpoints`;
a test compares. `{format}` is the word in the path of an installed format, `{type}` hosted, proxy or group. The second
column is the privilege that a caller needs, as in `nexus:<privilege>`; the addresses below `/service/rest/v1` are also
there below `/service/rest/beta`.

| request | needs | answer |
|---|---|---|
"""


def written() -> str:
    """The page as it should be."""
    with tempfile.TemporaryDirectory() as data:
        services = create(load(data=Path(data), environ={}).settings).services
        app = rest_app.create(services, Metrics(services), version="")
        segments = {format.segment or format.name for format in services.catalog.formats.values()}
        rows = sorted(set(_rows(list(mounted(app)), segments)))
        services.database.close()
    return HEADER + "".join(f"| `{method} {path}` | {needed} | {what} |\n" for path, method, needed, what in rows)


def _rows(routes: list[tuple[str, APIRoute]], segments: set[str]) -> Iterator[tuple[str, str, str, str]]:
    of_formats = re.compile(rf"/repositories/({'|'.join(sorted(segments))})/(hosted|proxy|group)(?=/|$)")
    for path, route in routes:
        if path.startswith(rest_app.BETA):
            continue
        shown = of_formats.sub("/repositories/{format}/{type}", path)
        general = shown != path
        for method in sorted(route.methods or ()):
            needed = _needed(right_of(route))
            what = "the repository's settings, as its format and type have them" if general else _first_line(route)
            yield shown, method, re.sub(r"repository-admin:[a-z0-9]+:", "repository-admin:{format}:", needed), what


def _first_line(route: APIRoute) -> str:
    return (route.description or "").strip().split("\n\n")[0].replace("\n", " ").strip()


def _needed(right: Right | None) -> str:
    if isinstance(right, OpenToAll):
        return "—"
    if isinstance(right, Needs):
        return f"`{':'.join(right.wanted)}`"
    if isinstance(right, SignedIn):
        return "a login"
    actions = getattr(right, "actions", None) or [getattr(right, "action", "")]
    kind = "repository-admin" if type(right).__name__ == "Administering" else "repository-view"
    return " or ".join(f"`{kind}:*:{{name}}:{getattr(each, 'value', each)}`" for each in actions)


if __name__ == "__main__":
    PAGE.write_text(written())
