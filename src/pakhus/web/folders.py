"""What a browser sees at a folder's URL: its index.html, a listing, or a word about where to look instead."""

from __future__ import annotations

from dataclasses import replace

from pakhus.domain.errors import Forbidden, NotFound
from pakhus.domain.security import Permission, may
from pakhus.engine.browse import Browser
from pakhus.engine.content import Engine
from pakhus.engine.found import Found, Visit
from pakhus.engine.request import Request
from pakhus.kit.context import Reply
from pakhus.rest.listing import render
from pakhus.web.problems import page

INDEXES = ("index.html", "index.htm")


class Folders:
    def __init__(self, engine: Engine, browser: Browser) -> None:
        self._engine = engine
        self._browser = browser

    async def __call__(self, request: Request) -> Found | Reply | None:
        format = self._engine.catalog.format(request.repository)
        if not format.lists_folders:
            return None if request.path else self._elsewhere(request)
        return await self._index(request) or await self._listing(request)

    async def _index(self, request: Request) -> Found | Reply | None:
        """The page that somebody uploaded for the folder, if the caller may read it."""
        for name in INDEXES:
            try:
                return await self._engine.handle(replace(request, path=request.path + name))
            except (NotFound, Forbidden):
                continue
        return None

    async def _listing(self, request: Request) -> Reply | None:
        _require_some(request)
        after = request.query.get("after", "")
        folder = await self._browser.folder(request.repository, request.path, Visit(request.actor), after=after)
        if not folder.entries and request.path:
            return None
        return Reply(200, render("/" + request.path, folder).encode(), {"content-type": "text/html; charset=utf-8"})

    def _elsewhere(self, request: Request) -> Reply:
        """That there is such a repository is for those who may see some of it."""
        if not may(request.actor, Permission.READ, request.repository, None).allowed:
            _require_some(request)
        repository = request.repository
        text = (
            f"This {repository.format} {repository.type.value} repository is not directly browseable at this URL. "
            f"Please use the browse or HTML index views to inspect the contents of this repository."
        )
        return page(200, text, f"Repository - {repository.name}")


def _require_some(request: Request) -> None:
    """Raise unless the caller may browse something of the repository."""
    decision = may(request.actor, Permission.BROWSE, request.repository, None)
    if not decision.allowed:
        raise Forbidden(decision.reason)
