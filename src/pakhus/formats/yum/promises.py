"""What an upstream's lists promise of its packages: a copy that is not what the list says is not kept.

A package that no list names (newer than the kept lists, or older than the upstream's) is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pakhus.domain.content import ALGORITHMS, Component, Origin
from pakhus.domain.errors import NotFound, Unavailable
from pakhus.formats.yum.layout import SET_PATH, bases
from pakhus.formats.yum.mirrors import ENTRY, located
from pakhus.formats.yum.upstream import Record, digests, records
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json

Digests = Mapping[str, Mapping[str, str]]
"""Path below the folder of the repository → algorithm → digest."""


class _Read(Document[Mapping[str, object]]):
    """A file of the upstream's set, read for its content. No client asks for it by this: it has no route."""

    def build(self, ctx: Context, components: Iterable[Component]) -> None:
        return None

    def merge(self, ctx: Context, models: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        return models[0]

    def dump(self, ctx: Context, model: Mapping[str, object]) -> bytes:
        return dump_json(sorted(model))

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return await located(ctx.path, upstream, by_digest=not ctx.path.endswith(ENTRY))


class EntryDocument(_Read):
    path = SET_PATH

    def parse(self, ctx: Context, body: bytes) -> Mapping[str, Record]:
        return records(body)


class PrimaryDocument(_Read):
    path = SET_PATH

    def parse(self, ctx: Context, body: bytes) -> Digests:
        return {path: {algorithm: digest} for path, algorithm, digest in digests(body) if algorithm in ALGORITHMS}


UPSTREAM_ENTRY, UPSTREAM_PRIMARY = EntryDocument(), PrimaryDocument()


async def promised(path: str, upstream: Upstream) -> Mapping[str, str]:
    """Algorithm → digest that the lists of any folder above the package promise."""
    for base in bases(path):
        try:
            named = await upstream.model(UPSTREAM_ENTRY, base=base, file="repomd.xml")
            primary = named.get("primary")
            if not isinstance(primary, Record):
                continue
            name = primary.path.removeprefix("repodata/")
            known = await upstream.model(UPSTREAM_PRIMARY, base=base, file=name)
        except (NotFound, Unavailable):
            continue
        found = known.get(path.removeprefix(base))
        if isinstance(found, Mapping):
            return found
    return {}
