"""What a browser sees at a folder's URL: its index.html, a listing, or a word about where to look instead."""

from __future__ import annotations

import html
from dataclasses import replace
from urllib.parse import quote

from pakhus.domain.errors import Forbidden, NotFound
from pakhus.domain.security import Permission, may
from pakhus.engine.browse import Browser, Entry, Folder
from pakhus.engine.content import Engine
from pakhus.engine.found import Found, Visit
from pakhus.engine.request import Request
from pakhus.kit.context import Reply
from pakhus.web.problems import page
from pakhus.web.respond import http_date

INDEXES = ("index.html", "index.htm")
STYLE = "body{font-family:sans-serif}td,th{padding:.1em 1em;text-align:left}td.size{text-align:right}"


class Folders:
    def __init__(self, engine: Engine, browser: Browser) -> None:
        self._engine = engine
        self._browser = browser

    async def __call__(self, request: Request) -> Found | Reply | None:
        format = self._engine.catalog.format(request.repository)
        if not format.lists_folders:
            return None if request.path else _elsewhere(request)
        return await self._index(request) or await self._listing(request)

    async def _index(self, request: Request) -> Found | Reply | None:
        """The page that somebody uploaded for the folder."""
        for name in INDEXES:
            try:
                return await self._engine.handle(replace(request, path=request.path + name))
            except NotFound:
                continue
        return None

    async def _listing(self, request: Request) -> Reply | None:
        decision = may(request.actor, Permission.BROWSE, request.repository, request.path or None)
        if not decision.allowed:
            raise Forbidden(decision.reason)
        after = request.query.get("after", "")
        folder = await self._browser.folder(request.repository, request.path, Visit(request.actor), after=after)
        if not folder.entries and request.path:
            return None
        return Reply(200, render("/" + request.path, folder).encode(), {"content-type": "text/html; charset=utf-8"})


def _elsewhere(request: Request) -> Reply:
    repository = request.repository
    text = (
        f"This {repository.format} {repository.type.value} repository is not directly browseable at this URL. "
        f"Please use the browse or HTML index views to inspect the contents of this repository."
    )
    return page(200, text, f"Repository - {repository.name}")


def render(path: str, folder: Folder) -> str:
    """An HTML index in the shape that `wget -r` and people know."""
    rows = "" if path == "/" else '<tr><td><a href="../">Parent Directory</a></td></tr>\n'
    rows += "".join(_row(entry) for entry in folder.entries)
    if folder.more is not None:
        rows += f'<tr><td><a href="?after={quote(folder.more)}">More</a></td></tr>\n'
    title = html.escape(f"Index of {path}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<table>\n"
        "<tr><th>Name</th><th>Last Modified</th><th>Size</th><th>Description</th></tr>\n"
        f"{rows}</table></body></html>\n"
    )


def _row(entry: Entry) -> str:
    link = f'<a href="{quote(entry.name)}">{html.escape(entry.name)}</a>'
    if entry.asset is None:
        return f"<tr><td>{link}</td><td></td><td></td><td></td></tr>\n"
    modified, size = http_date(entry.asset.updated), entry.asset.blob.size
    return f'<tr><td>{link}</td><td>{modified}</td><td class="size">{size}</td><td></td></tr>\n'
