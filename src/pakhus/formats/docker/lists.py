"""Lists: tags, images, and what refers to a manifest (Distribution specification 1.1, "Listing tags", "Referrers")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.docker.manifest import OCI_INDEX
from pakhus.formats.docker.manifests import VERSION
from pakhus.formats.docker.names import check_digest, is_digest
from pakhus.formats.docker.upstream import located
from pakhus.kit.context import Context, Headers, Upstream
from pakhus.kit.format import BREAK, Document, Origin
from pakhus.kit.wire import dump_json, parse_json

Descriptor = Mapping[str, Any]
Item = TypeVar("Item")
MOST_REFERRERS = 1000
MOST_PAGES = 10_000
_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*\brel=\"?next\b", re.IGNORECASE)


class Paged(Document[list[str]]):
    """Names in their order, a page of `n` of them after `last`."""

    upstream_accept = "application/json"
    pages = MOST_PAGES
    member: str

    def merge(self, ctx: Context, models: Sequence[list[str]]) -> list[str]:
        return sorted({name for model in models for name in model})

    def parse(self, ctx: Context, body: bytes) -> list[str]:
        return sorted({name for page in body.split(BREAK) for name in _names(page, self.member)})

    def following(self, ctx: Context, headers: Headers, body: Callable[[], bytes]) -> str:
        return next_page(headers)

    def headers(self, ctx: Context, model: list[str]) -> Headers:
        return {**VERSION, **_link(ctx, page_of(ctx, model, str))}


class Tags(Paged):
    path = "v2/{image:path}/tags/list"
    member = "tags"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["image"], assets=False)

    def build(self, ctx: Context, components: Iterable[Component]) -> list[str] | None:
        versions = [component.version for component in components]
        return sorted(version for version in versions if not is_digest(version)) if versions else None

    def dump(self, ctx: Context, model: list[str]) -> bytes:
        return dump_json({"name": outside(ctx, ctx["image"]), "tags": page_of(ctx, model, str)[0]})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(located(ctx, "tags/list"))


class Catalog(Paged):
    path = "v2/_catalog"
    member = "repositories"

    def select(self, ctx: Context) -> Query:
        return Query(packages=True)

    def build(self, ctx: Context, components: Iterable[Component]) -> list[str] | None:
        return sorted({component.name for component in components})

    def dump(self, ctx: Context, model: list[str]) -> bytes:
        return dump_json({"repositories": page_of(ctx, model, str)[0]})


class Referrers(Document[list[Descriptor]]):
    """An index of the manifests that name a digest as their subject; an upstream without it may have the tag schema."""

    path = "v2/{image:path}/referrers/{digest}"
    media_types = (OCI_INDEX,)
    upstream_accept = OCI_INDEX
    pages = MOST_PAGES
    strict = True
    always = True

    def admit(self, ctx: Context) -> None:
        check_digest(ctx["digest"])

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["image"], attributes={"subject": ctx["digest"]}, assets=False)

    def build(self, ctx: Context, components: Iterable[Component]) -> list[Descriptor] | None:
        return [_descriptor(each.attributes) for each in components if is_digest(each.version)]

    def merge(self, ctx: Context, models: Sequence[list[Descriptor]]) -> list[Descriptor]:
        return list({each["digest"]: each for model in reversed(models) for each in model}.values())

    def parse(self, ctx: Context, body: bytes) -> list[Descriptor]:
        listed = [each for page in body.split(BREAK) for each in parse_json(page)["manifests"]]
        if not all(isinstance(each, dict) and "digest" in each for each in listed):
            raise Invalid("not an index of descriptors")
        return listed

    def following(self, ctx: Context, headers: Headers, body: Callable[[], bytes]) -> str:
        return next_page(headers)

    def dump(self, ctx: Context, model: list[Descriptor]) -> bytes:
        listed = self._page(ctx, model)[0]
        return dump_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})

    def headers(self, ctx: Context, model: list[Descriptor]) -> Headers:
        headers = {**VERSION, **_link(ctx, self._page(ctx, model))}
        if "artifactType" in ctx.query:
            headers["oci-filters-applied"] = "artifactType"
        return headers

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        tag = ctx["digest"].replace(":", "-", 1)
        return Origin(located(ctx, f"referrers/{ctx['digest']}"), otherwise=located(ctx, f"manifests/{tag}"))

    def _page(self, ctx: Context, model: list[Descriptor]) -> tuple[list[Descriptor], str]:
        wanted = ctx.query.get("artifactType")
        listed = [each for each in model if wanted is None or each.get("artifactType") == wanted]
        listed.sort(key=_digest)
        return page_of(ctx, listed, _digest, most=MOST_REFERRERS)


def page_of(ctx: Context, items: Sequence[Item], key: Any, *, most: int | None = None) -> tuple[list[Item], str]:
    """The items of a page, and the key after which the next one begins; empty on the last."""
    last = ctx.query.get("last", "")
    after = [each for each in items if not last or key(each) > last]
    number = _number(ctx.query.get("n"))
    number = min((each for each in (number, most) if each is not None), default=None)
    if number is None or len(after) <= number:
        return after, ""
    return after[:number], key(after[number - 1]) if number else ""


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("n is not a number")
    return int(text)


def _link(ctx: Context, page: tuple[Sequence[Any], str]) -> Headers:
    if not page[1]:
        return {}
    asked = {name: value for name, value in ctx.query.items() if name != "last"}
    asked.setdefault("n", str(len(page[0])))
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in (*asked.items(), ("last", page[1])))
    return {"link": f'<{ctx.link(ctx.path)}?{query}>; rel="next"'}


def next_page(headers: Headers) -> str:
    """The URL of the next page by a Link header (RFC 8288); empty on the last one."""
    found = _NEXT.search(headers.get("link", ""))
    return found[1] if found else ""


def outside(ctx: Context, image: str) -> str:
    """The name of an image as the client writes it."""
    path = urlsplit(ctx.link(f"v2/{image}/")).path
    return path.partition("/v2/")[2].rstrip("/")


def _digest(descriptor: Descriptor) -> str:
    return str(descriptor["digest"])


def _descriptor(attributes: Mapping[str, Any]) -> Descriptor:
    kept = {
        "mediaType": attributes["mediaType"],
        "digest": attributes["digest"],
        "size": attributes["size"],
        "artifactType": attributes.get("artifactType"),
        "annotations": attributes.get("annotations"),
    }
    return {name: value for name, value in kept.items() if value or name == "size"}


def _names(body: bytes, member: str) -> list[str]:
    listed = parse_json(body).get(member) or []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise Invalid(f"'{member}' is not a list of names")
    return listed
