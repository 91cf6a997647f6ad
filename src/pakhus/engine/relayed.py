"""A file of an upstream's document set, as a proxy keeps it: verbatim, since it is signed."""

from __future__ import annotations

from typing import Any

from pakhus.domain.content import Origin
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import DocumentSet, File


class Relayed(File):
    def __init__(self, published: DocumentSet[Any]) -> None:
        self._set = published

    def immutable(self, ctx: Context) -> bool:
        return self._set.immutable(ctx)

    def content_type(self, ctx: Context) -> str:
        return self._set.content_type(ctx.path)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return await self._set.origin(ctx, upstream)
