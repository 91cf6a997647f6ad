"""What a browser finds at the server's address; clients of Nexus ask for it to see whether the server is there."""

from __future__ import annotations

import html

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from pakhus.domain.security import Permission, may
from pakhus.rest.repository_shapes import url_of
from pakhus.rest.rights import OPEN_TO_ALL, BaseUrl, Caller, Here

router = APIRouter(tags=["status"])


@router.get("/", dependencies=OPEN_TO_ALL, response_class=HTMLResponse)
async def start(request: Request, services: Here, actor: Caller, base_url: BaseUrl) -> HTMLResponse:
    """The repositories that the caller may browse, with links to their folders and to the API."""
    rows = "".join(
        f'<tr><td><a href="{html.escape(base_url)}/service/rest/repository/browse/{each.name}/">{each.name}</a></td>'
        f"<td>{each.format}</td><td>{each.type.value}</td><td>{html.escape(url_of(each, base_url))}/</td></tr>\n"
        for each in services.catalog.everything()
        if may(actor, Permission.BROWSE, each, None).allowed
    )
    return HTMLResponse(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Pakhus</title></head>\n<body>'
        f"<h1>Pakhus</h1>\n<p>Version {html.escape(request.app.version)}. "
        '<a href="service/rest/swagger.json">The API of Nexus</a>, '
        '<a href="api/v1/openapi.json">the whole API</a>.</p>\n'
        f"<table>\n{rows}</table></body></html>\n"
    )
