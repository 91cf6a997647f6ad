"""Proxies whose remote URL is a list of mirrors: a mirrorlist (a URL a line) or a metalink (XML).

Every file is asked of the mirrors in turn. What has no digest in its name is taken from a mirror that has the
`repomd.xml` which the metalink vouches for: a mirror that lags behind would else give a signature of another day.
Sources: Metalink 3.0, RFC 5854, and the elements that Fedora's MirrorManager adds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from pakhus.domain.content import Component, Origin
from pakhus.domain.errors import Blocked, NotFound, UpstreamDown, UpstreamRefused
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.paths import quoted
from pakhus.kit.wire import parse_xml

ENTRY = "repodata/repomd.xml"
MOST_MIRRORS, TRIED = 50, 5
MAX_ENTRY = 4 << 20
_LIST = re.compile(r"(?:^|[/._-])(?:mirrorlist|metalink|mirrors?\.txt|meta4)(?:$|[/._-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Base URLs with a slash at their end, the best first; `sha256` are those of the `repomd.xml` that are good."""

    urls: Sequence[str]
    sha256: frozenset[str] = frozenset()


class MirrorDocument(Document[Mirrors]):
    """What the remote URL itself answers with. No client asks for it: it has no route."""

    path = ".mirrors"
    limit = MAX_ENTRY

    def build(self, ctx: Context, components: Iterable[Component]) -> Mirrors | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> Mirrors:
        found = metalink(parse_xml(body)) if body.lstrip().startswith(b"<") else Mirrors(list(_lines(body)))
        if not found.urls:
            raise UpstreamRefused("the upstream's list names no mirror that can be asked")
        return Mirrors(found.urls[:MOST_MIRRORS], found.sha256)

    def merge(self, ctx: Context, models: Sequence[Mirrors]) -> Mirrors:
        return models[0]

    def dump(self, ctx: Context, model: Mirrors) -> bytes:
        return "\n".join(model.urls).encode()

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(upstream.url)


MIRRORS = MirrorDocument()


def is_list(url: str) -> bool:
    """Is it the URL of a list, and not of a folder?"""
    parts = urlsplit(url)
    return _LIST.search(parts.path) is not None or (bool(parts.query) and not parts.path.endswith("/"))


def _lines(body: bytes) -> Iterator[str]:
    for line in body.decode("utf-8", "replace").splitlines():
        url = line.strip()
        if _can_be_asked(url):
            yield url if url.endswith("/") else url + "/"


def _can_be_asked(url: str) -> bool:
    return url.startswith(("https://", "http://")) and "$" not in url


def metalink(root: Element) -> Mirrors:
    """The mirrors of the file `repomd.xml`, by preference, and its digests, older ones too."""
    if _local(root) != "metalink":
        raise UpstreamRefused("the upstream's list of mirrors is neither text nor a metalink")
    files = [each for each in root.iter() if _local(each) == "file" and each.get("name") == ENTRY.rpartition("/")[2]]
    if not files:
        raise UpstreamRefused("the upstream's metalink is not about repomd.xml")
    found = [
        (_rank(each), url.removesuffix(ENTRY))
        for each in files[0].iter()
        if _local(each) == "url" and (url := (each.text or "").strip()).endswith(ENTRY) and _can_be_asked(url)
    ]
    digests = {
        (each.text or "").strip().lower()
        for each in files[0].iter()
        if _local(each) == "hash" and each.get("type", "").replace("-", "").lower() == "sha256"
    }
    return Mirrors([url for _, url in sorted(found, key=lambda ranked: ranked[0])], frozenset(digests))


def _rank(url: Element) -> tuple[int, int]:
    """Metalink 3 prefers the greater `preference`, RFC 5854 the lesser `priority`."""
    preference, priority = url.get("preference", ""), url.get("priority", "")
    best = -int(preference) if preference.isdigit() else int(priority) if priority.isdigit() else 0
    return best, 0 if (url.text or "").strip().startswith("https://") else 1


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


async def located(path: str, upstream: Upstream, *, by_digest: bool) -> Origin:
    """Where the upstream has a file; `by_digest` says that its name or its reader vouches for it."""
    if not is_list(upstream.url):
        return Origin(path)
    mirrors = await upstream.model(MIRRORS)
    if by_digest or not mirrors.sha256:
        first, *others = (_at(url, path) for url in mirrors.urls[:TRIED])
        return Origin(first, alternatives=tuple(others))
    url, sha256 = await _good(mirrors, upstream)
    return Origin(_at(url, path), {"sha256": sha256} if path == ENTRY else {})


async def _good(mirrors: Mirrors, upstream: Upstream) -> tuple[str, str]:
    """The first mirror that has a `repomd.xml` which the metalink vouches for."""
    for url in mirrors.urls[:TRIED]:
        try:
            entry = await upstream.fetch(_at(url, ENTRY), limit=MAX_ENTRY)
        except (UpstreamDown, Blocked, NotFound):
            continue
        if entry is not None and (digest := hashlib.sha256(entry).hexdigest()) in mirrors.sha256:
            return url, digest
    raise UpstreamRefused("no mirror has the repomd.xml that the upstream's metalink vouches for")


def _at(url: str, path: str) -> str:
    return url + quoted(path).replace("+", "%2B")
