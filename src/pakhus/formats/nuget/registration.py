"""Registrations: the metadata of all versions of a package, in pages.

Three hives: plain, gzip, and gzip with the packages that take SemVer 2.0.0.
Source: NuGet's documentation, "Package metadata" (`RegistrationsBaseUrl`). There is no catalog: an entry's `@id` is
that of its leaf.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import NotFound, UpstreamRefused
from pakhus.formats.nuget import atom
from pakhus.formats.nuget.leaves import INLINED, Leaf, Page, Registration, leaves_of, ordered, paged
from pakhus.formats.nuget.names import REGISTRATIONS, key
from pakhus.formats.nuget.nuspec import semver2
from pakhus.formats.nuget.upstream import REGISTRATION_TYPES, below, is_v2, members
from pakhus.kit.context import Context, Headers, Upstream
from pakhus.kit.format import BREAK, Document
from pakhus.kit.versions import nuget_key
from pakhus.kit.wire import dump_json, parse_json

PLAIN, GZIP, SEMVER2 = "", "-gz", "-gz-semver2"
HIVE = REGISTRATIONS + "{hive:(?:-gz(?:-semver2)?)?}"
CONTEXT = {"@vocab": "http://schema.nuget.org/schema#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
OURS = frozenset({"@id", "@type", "@context", "packageContent", "listed", "published", "registration"})
"""Members of an entry that are told anew by whoever tells it."""


def shown(ctx: Context, leaves: Iterable[Leaf]) -> list[Leaf]:
    """Those that the hive may tell of."""
    return [leaf for leaf in leaves if ctx["hive"] == SEMVER2 or not leaf.semver2]


def packed(ctx: Context, value: Any) -> bytes:
    body = dump_json(value)
    return gzip.compress(body, 6, mtime=0) if ctx["hive"] else body


def coding(ctx: Context) -> Headers:
    return {"content-encoding": "gzip"} if ctx["hive"] else {}


def home(ctx: Context, id: str) -> str:
    return f"{REGISTRATIONS}{ctx.params.get('hive', SEMVER2)}/{id.lower()}"


def leaf_link(ctx: Context, leaf: Leaf) -> str:
    return ctx.link(f"{home(ctx, leaf.id)}/{leaf.key}.json")


def entry(ctx: Context, leaf: Leaf) -> dict[str, Any]:
    """The catalog entry, in the words in which it was published."""
    known = {name: value for name, value in leaf.entry.items() if name not in OURS and name != "semVer2"}
    if groups := known.get("dependencyGroups"):
        known["dependencyGroups"] = [_group(ctx, group) for group in groups if isinstance(group, Mapping)]
    if icon := _icon(ctx, leaf):
        known["iconUrl"] = icon
    if leaf.sha512:
        known |= {"packageHash": _base64(leaf.sha512), "packageHashAlgorithm": "SHA512", "packageSize": leaf.size}
    return {
        "@id": leaf_link(ctx, leaf),
        "@type": "PackageDetails",
        **known,
        "listed": leaf.listed,
        "packageContent": ctx.link(leaf.path),
        "published": leaf.published,
    }


def _icon(ctx: Context, leaf: Leaf) -> str:
    """Where the icon within the package can be had."""
    return ctx.link(f"{leaf.path.rpartition('/')[0]}/icon") if leaf.entry.get("iconFile") else ""


def _base64(hexadecimal: str) -> str:
    return atom.base64_of(hexadecimal)


def _group(ctx: Context, group: Mapping[str, Any]) -> dict[str, Any]:
    wanted = [
        {**each, "registration": ctx.link(f"{home(ctx, str(each.get('id', '')))}/index.json")}
        for each in group.get("dependencies") or ()
    ]
    return {"@type": "PackageDependencyGroup", **group, **({"dependencies": wanted} if wanted else {})}


def item(ctx: Context, leaf: Leaf) -> dict[str, Any]:
    """A leaf within a page."""
    return {
        "@id": leaf_link(ctx, leaf),
        "@type": "Package",
        "catalogEntry": entry(ctx, leaf),
        "packageContent": ctx.link(leaf.path),
        "registration": ctx.link(f"{home(ctx, leaf.id)}/index.json"),
    }


def page_object(ctx: Context, page: Page, index: str) -> dict[str, Any]:
    link = f"{ctx.link(home(ctx, ctx['id']))}/page/{page.lower}/{page.upper}.json"
    shape = {"@id": link, "@type": "catalog:CatalogPage", "lower": page.lower, "upper": page.upper, "parent": index}
    if page.leaves is None:
        return {**shape, "count": page.count}
    items = [item(ctx, leaf) for leaf in page.leaves]
    return {**shape, "@id": f"{index}#page/{page.lower}/{page.upper}", "count": len(items), "items": items}


def read_leaf(source: str, found: Mapping[str, Any]) -> Leaf:
    told = found["catalogEntry"]
    known = {name: value for name, value in told.items() if name not in OURS}
    for group in known.get("dependencyGroups") or ():
        group.pop("@id", None)
        for dependency in group.get("dependencies") or ():
            dependency.pop("registration", None)
            dependency.pop("@id", None)
    if semver2(told["version"], known.get("dependencyGroups") or ()):
        known["semVer2"] = True
    content = found.get("packageContent") or told.get("packageContent") or ""
    published = told.get("published") or ""
    return Leaf(
        told["id"],
        told["version"],
        known,
        listed=told.get("listed", not published.startswith("1900")) is not False,
        published=published,
        source=urljoin(source, content) if content else "",
    )


def read_page(source: str, found: Mapping[str, Any]) -> Page:
    items = found.get("items")
    leaves = tuple(read_leaf(source, each) for each in items) if isinstance(items, list) else None
    return Page(key(found["lower"]), key(found["upper"]), int(found["count"]), leaves, urljoin(source, found["@id"]))


def pages_of(ctx: Context, body: bytes) -> list[Page]:
    """The pages of an upstream's index, or the page that a document is; of several documents, those of each."""
    found: list[Page] = []
    for document in body.split(BREAK):
        told = members(parse_json(document), "a page of a registration")
        items = told.get("items")
        if not isinstance(items, list):
            raise UpstreamRefused("the upstream's answer is not a registration")
        of_index = "lower" not in told
        found += [read_page(ctx.source, page) for page in items] if of_index else [read_page(ctx.source, told)]
    return found


class RegistrationIndex(atom.Fed[Registration]):
    """`{id}/index.json`."""

    path = HIVE + "/{id}/index.json"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["id"].lower())

    def build(self, ctx: Context, components: Iterable[Component]) -> Registration | None:
        leaves = shown(ctx, leaves_of(components))
        return Registration(paged(leaves, inline=len(leaves) <= INLINED)) if leaves else None

    def parse(self, ctx: Context, body: bytes) -> Registration:
        if atom.is_feed(body):
            return Registration(paged(ordered(atom.read(ctx, body).leaves), inline=True))
        items = members(parse_json(body), "a registration").get("items")
        if not isinstance(items, list):
            raise UpstreamRefused("the upstream's answer is not a registration")
        return Registration(tuple(read_page(ctx.source, page) for page in items))

    def merge(self, ctx: Context, models: Sequence[Registration]) -> Registration:
        """Pages of their own stay so, and tell what any member has between their bounds; the rest is told at once.

        A page that overlaps another one is joined with it: each version is told in one place only.
        """
        apart = joined(page for model in models for page in model.pages if page.leaves is None)
        leaves = ordered(leaf for model in models for leaf in model.leaves)
        inline = [leaf for leaf in leaves if not any(page.covers(leaf.key) for page in apart)]
        pages = (*paged(inline, inline=True), *apart)
        return Registration(tuple(sorted(pages, key=lambda page: (nuget_key(page.lower), nuget_key(page.upper)))))

    def dump(self, ctx: Context, model: Registration) -> bytes:
        index = ctx.link(f"{home(ctx, ctx['id'])}/index.json")
        pages = [page_object(ctx, page, index) for page in visible(ctx, model.pages)]
        return packed(
            ctx,
            {
                "@id": index,
                "@type": ["catalog:CatalogRoot", "PackageRegistration", "catalog:Permalink"],
                "count": len(pages),
                "items": pages,
                "@context": CONTEXT,
            },
        )

    def headers(self, ctx: Context, model: object) -> Headers:
        return coding(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        if is_v2(ctx):
            return Origin(atom.by_id(ctx["id"]))
        return Origin(await below(upstream, REGISTRATION_TYPES, f"{ctx['id']}/index.json"))


def joined(pages: Iterable[Page]) -> list[Page]:
    """Pages told apart, without overlaps; the count of a page that was joined is the most that it can have."""
    found: list[Page] = []
    for page in sorted(pages, key=lambda page: nuget_key(page.lower)):
        if found and nuget_key(page.lower) <= nuget_key(found[-1].upper):
            last = found.pop()
            upper = max(last.upper, page.upper, key=nuget_key)
            same = (last.lower, last.upper) == (page.lower, page.upper)
            page = Page(last.lower, upper, max(last.count, page.count) if same else last.count + page.count)
        found.append(page)
    return found


def visible(ctx: Context, pages: Iterable[Page]) -> list[Page]:
    """The pages without what the hive may not tell of."""
    found: list[Page] = []
    for page in pages:
        if page.leaves is None:
            found.append(page)
        else:
            found += paged(shown(ctx, page.leaves), inline=True)
    return found


REGISTRATION = RegistrationIndex()


class RegistrationPage(atom.Fed[Page]):
    """`{id}/page/{lower}/{upper}.json`: what there is between these versions.

    A group asks for pages that an upstream has cut otherwise: then it is asked for its index, and for all of its pages
    that overlap.
    """

    path = HIVE + "/{id}/page/{lower}/{upper}.json"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["id"].lower())

    def build(self, ctx: Context, components: Iterable[Component]) -> Page | None:
        low, high = nuget_key(ctx["lower"]), nuget_key(ctx["upper"])
        held = [leaf for leaf in shown(ctx, leaves_of(components)) if low <= nuget_key(leaf.key) <= high]
        return Page(ctx["lower"], ctx["upper"], len(held), tuple(held)) if held else None

    def parse(self, ctx: Context, body: bytes) -> Page:
        wanted = Page(ctx["lower"], ctx["upper"], 0)
        if atom.is_feed(body):
            leaves = atom.read(ctx, body).leaves
        else:
            told = [leaf for page in pages_of(ctx, body) for leaf in page.leaves or ()]
            leaves = tuple(told)
        held = [leaf for leaf in ordered(leaves) if wanted.covers(leaf.key)]
        return Page(ctx["lower"], ctx["upper"], len(held), tuple(held))

    def following(self, ctx: Context, headers: Headers, body: Callable[[], bytes]) -> str:
        if atom.is_feed(body()):
            return super().following(ctx, headers, body)
        wanted = Page(ctx["lower"], ctx["upper"], 0)
        index, *told = body().split(BREAK)
        apart = [page for page in pages_of(ctx, index) if page.leaves is None and page.overlaps(wanted)]
        return apart[len(told)].source if len(told) < len(apart) else ""

    def merge(self, ctx: Context, models: Sequence[Page]) -> Page:
        leaves = ordered(leaf for model in models for leaf in model.leaves or ())
        return Page(ctx["lower"], ctx["upper"], len(leaves), tuple(leaves))

    def dump(self, ctx: Context, model: Page) -> bytes:
        index = ctx.link(f"{home(ctx, ctx['id'])}/index.json")
        page = Page(ctx["lower"], ctx["upper"], model.count, tuple(shown(ctx, model.leaves or ())))
        link = ctx.link(f"{home(ctx, ctx['id'])}/page/{page.lower}/{page.upper}.json")
        return packed(ctx, {**page_object(ctx, page, index), "@id": link, "@context": CONTEXT})

    def headers(self, ctx: Context, model: object) -> Headers:
        return coding(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        found = await upstream.model(REGISTRATION, hive=ctx["hive"], id=ctx["id"])
        wanted = Page(ctx["lower"], ctx["upper"], 0)
        for page in found.pages:
            if page.leaves is None and (page.lower, page.upper) == (ctx["lower"], ctx["upper"]):
                return Origin(page.source)
        if not any(page.overlaps(wanted) for page in found.pages):
            raise NotFound(f"the upstream has nothing of {ctx['id']} between {wanted.lower} and {wanted.upper}")
        return await REGISTRATION.origin(ctx, upstream)


class RegistrationLeaf(Document[Leaf]):
    """`{id}/{version}.json`."""

    path = HIVE + "/{id}/{version}.json"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["id"].lower(), version=key(ctx["version"]))

    def build(self, ctx: Context, components: Iterable[Component]) -> Leaf | None:
        return next(iter(shown(ctx, leaves_of(components))), None)

    def parse(self, ctx: Context, body: bytes) -> Leaf:
        if atom.is_feed(body):
            return atom.read(ctx, body).leaves[0]
        found = members(parse_json(body), "a leaf of a registration")
        return Leaf(
            ctx["id"],
            ctx["version"],
            {},
            listed=found.get("listed", True) is not False,
            published=found.get("published") or "",
        )

    def merge(self, ctx: Context, models: Sequence[Leaf]) -> Leaf:
        return models[0]

    def dump(self, ctx: Context, model: Leaf) -> bytes:
        document = {
            "@id": leaf_link(ctx, model),
            "@type": ["Package", "http://schema.nuget.org/catalog#Permalink"],
            "listed": model.listed,
            "packageContent": ctx.link(model.path),
            "published": model.published,
            "registration": ctx.link(f"{home(ctx, model.id)}/index.json"),
            "@context": CONTEXT,
        }
        return packed(ctx, document)

    def headers(self, ctx: Context, model: object) -> Headers:
        return coding(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        if is_v2(ctx):
            return Origin(atom.by_key(ctx["id"], ctx["version"]))
        return Origin(await below(upstream, REGISTRATION_TYPES, f"{ctx['id']}/{ctx['version']}.json"))


REGISTRATION_PAGE = RegistrationPage()
