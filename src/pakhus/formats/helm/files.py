"""The files of a repository: charts, and the provenance beside them."""

from __future__ import annotations

from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

from pakhus.domain.content import Coordinates, Facts, Origin
from pakhus.domain.errors import NotFound
from pakhus.formats.helm.chart import read_chart
from pakhus.formats.helm.index import INDEX, moment
from pakhus.formats.helm.names import CHART, PROVENANCE, split
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File

CHART_TYPE, PROVENANCE_TYPE = "application/x-tgz", "text/plain; charset=utf-8"


class ChartFile(File):
    path = "{file}" + CHART

    def identify(self, ctx: Context) -> Coordinates | None:
        found = split(ctx["file"])
        return Coordinates(*found) if found else None

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return read_chart(body).facts

    def content_type(self, ctx: Context) -> str:
        return CHART_TYPE

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Where the index says, on whatever host, with the digest that it promises.

        A chart that the kept index does not list may be newer than that copy (a lock file knows it, too): then the
        upstream is asked for the same path, without a promise.
        """
        index = await upstream.model(INDEX)
        entry = index.held.get(ctx.path)
        if entry is None:
            return Origin(ctx.path)
        digests = {"sha256": entry.sha256} if entry.sha256 else {}
        return Origin(entry.origin, digests, published=moment(entry.fields.get("created", "")))


class ProvenanceFile(File):
    """`{chart}.tgz.prov`: what the chart is and its digest, signed. Kept as it came; clients verify it."""

    path = ChartFile.path + PROVENANCE

    def identify(self, ctx: Context) -> Coordinates | None:
        found = split(ctx["file"])
        return Coordinates(*found) if found else None

    def content_type(self, ctx: Context) -> str:
        return PROVENANCE_TYPE

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        index = await upstream.model(INDEX)
        entry = index.held.get(ctx.path.removesuffix(PROVENANCE))
        if entry is None:
            return Origin(ctx.path)
        parts = urlsplit(entry.origin)
        if not parts.path:
            raise NotFound(f"the upstream has no provenance for {entry.path}")
        return Origin(urlunsplit(parts._replace(path=parts.path + PROVENANCE, fragment="")))
