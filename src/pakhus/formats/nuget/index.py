"""The service index, and what is known of vulnerabilities.

Source: NuGet's documentation, "Service index", "Vulnerability information" (`VulnerabilityInfo/6.7.0`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import NotFound
from pakhus.formats.nuget.names import CONTENT, REGISTRATIONS
from pakhus.formats.nuget.registration import GZIP, PLAIN, SEMVER2
from pakhus.formats.nuget.upstream import VULNERABILITY_TYPES, is_v2, resource
from pakhus.kit.context import Call, Context, Reply, Upstream, View
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json

RESOURCES = (
    ("", "PackagePublish/2.0.0", "Push and delete packages"),
    ("symbolpackage", "SymbolPackagePublish/4.9.0", "Push symbol packages"),
    (f"{CONTENT}/", "PackageBaseAddress/3.0.0", "Packages, at {id}/{version}/{id}.{version}.nupkg"),
    *(("v3/query", f"SearchQueryService{v}", "Search") for v in ("", "/3.0.0-beta", "/3.0.0-rc", "/3.5.0")),
    *(
        ("v3/autocomplete", f"SearchAutocompleteService{v}", "Ids and versions")
        for v in ("", "/3.0.0-beta", "/3.0.0-rc", "/3.5.0")
    ),
    *(
        (f"{REGISTRATIONS}{PLAIN}/", f"RegistrationsBaseUrl{v}", "Metadata, without SemVer 2.0.0 packages")
        for v in ("", "/3.0.0-beta", "/3.0.0-rc")
    ),
    (f"{REGISTRATIONS}{GZIP}/", "RegistrationsBaseUrl/3.4.0", "The same, compressed"),
    (f"{REGISTRATIONS}{SEMVER2}/", "RegistrationsBaseUrl/3.6.0", "The metadata of all packages, compressed"),
    (f"{REGISTRATIONS}{SEMVER2}/", "RegistrationsBaseUrl/Versioned", "The metadata of all packages, compressed"),
    (f"{CONTENT}/{{lower_id}}/{{lower_version}}/readme", "ReadmeUriTemplate/6.13.0", "READMEs"),
    ("v3/vulnerabilities/index.json", "VulnerabilityInfo/6.7.0", "Known vulnerabilities"),
    ("", "LegacyGallery/2.0.0", "The same packages as an OData feed"),
)


class Index(Document[Sequence[Any]]):
    """`index.json`: the resources, the same whatever the repository holds."""

    path = "index.json"
    local = True

    def select(self, ctx: Context) -> Query:
        return Query(name="")

    def build(self, ctx: Context, components: Iterable[Component]) -> Sequence[Any]:
        return RESOURCES

    def parse(self, ctx: Context, body: bytes) -> Sequence[Any]:
        return RESOURCES

    def merge(self, ctx: Context, models: Sequence[Sequence[Any]]) -> Sequence[Any]:
        return RESOURCES

    def dump(self, ctx: Context, model: Sequence[Any]) -> bytes:
        found = [_resource(ctx, *each) for each in RESOURCES]
        return dump_json({"version": "3.0.0", "resources": found})


def _resource(ctx: Context, path: str, kind: str, comment: str) -> dict[str, str]:
    # Templates stay as they are: `link` would quote their braces.
    link = ctx.link("") + path
    found = {"@id": link, "@type": kind, "comment": comment}
    return found | ({"clientVersion": "4.3.0-alpha"} if kind.endswith("/Versioned") else {})


@dataclass(frozen=True, slots=True)
class VulnerabilityPage:
    name: str
    updated: str
    source: str = ""


NO_PAGES = (VulnerabilityPage("base", "1970-01-01T00:00:00.000Z"),)
"""What is told where nothing is known: a client takes an index without pages for a broken one."""


class Vulnerabilities(Document[Sequence[VulnerabilityPage]]):
    """The upstream's list of pages; clients get it from `show_index`, which answers where there is none, too."""

    path = "v3/vulnerabilities/index.json"

    def select(self, ctx: Context) -> Query:
        return Query(name="")

    def build(self, ctx: Context, components: Iterable[Component]) -> Sequence[VulnerabilityPage] | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> Sequence[VulnerabilityPage]:
        return [
            VulnerabilityPage(each["@name"], each.get("@updated", ""), urljoin(ctx.source, each["@id"]))
            for each in parse_json(body)
        ]

    def merge(self, ctx: Context, models: Sequence[Sequence[VulnerabilityPage]]) -> Sequence[VulnerabilityPage]:
        newest: dict[str, VulnerabilityPage] = {}
        for page in (page for model in models for page in model):
            if page.name not in newest or newest[page.name].updated < page.updated:
                newest[page.name] = page
        return list(newest.values())

    def dump(self, ctx: Context, model: Sequence[VulnerabilityPage]) -> bytes:
        return dump_json(
            [
                {
                    "@name": page.name,
                    "@id": ctx.link(f"v3/vulnerabilities/{page.name}.json"),
                    "@updated": page.updated,
                    "comment": "Known vulnerabilities of packages",
                }
                for page in model
            ]
        )

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        if is_v2(ctx):
            raise NotFound("an upstream of version 2 tells no vulnerabilities")
        return Origin(await resource(upstream, VULNERABILITY_TYPES))


VULNERABILITIES = Vulnerabilities()
Known = Mapping[str, Sequence[Mapping[str, Any]]]


class VulnerabilityList(Document[Known]):
    """One page: what is known by the id of the package in lower case."""

    path = "v3/vulnerabilities/{page}.json"

    def select(self, ctx: Context) -> Query:
        return Query(name="")

    def build(self, ctx: Context, components: Iterable[Component]) -> Known | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> Known:
        found = parse_json(body)
        return {id: list(known) for id, known in found.items() if isinstance(known, list)}

    def merge(self, ctx: Context, models: Sequence[Known]) -> Known:
        merged: dict[str, list[Mapping[str, Any]]] = {}
        for model in models:
            for id, known in model.items():
                held = merged.setdefault(id, [])
                held += [each for each in known if each not in held]
        return merged

    def dump(self, ctx: Context, model: Known) -> bytes:
        return dump_json(model)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        for page in await upstream.model(VULNERABILITIES):
            if page.name == ctx["page"]:
                return Origin(page.source)
        raise NotFound(f"the upstream has no page {ctx['page']} of vulnerabilities")


VULNERABILITY_LIST = VulnerabilityList()


async def show_index(call: Call, view: View) -> Reply:
    pages = await view.model(VULNERABILITIES) or NO_PAGES
    return Reply(200, VULNERABILITIES.dump(call.ctx, pages), {"content-type": "application/json"})


async def show_page(call: Call, view: View) -> Reply:
    known = await view.model(VULNERABILITY_LIST, page=call.ctx["page"])
    return Reply(200, dump_json(known or {}), {"content-type": "application/json"})
