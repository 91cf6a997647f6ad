"""What a proxy knows of its upstream: the service index at the remote URL, and the resources that it names.

Source: NuGet's documentation, "Service index".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from pakhus.domain.content import Component, Origin
from pakhus.domain.errors import NotFound, UpstreamRefused
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json

Resources = Mapping[str, str]
"""Type → URL of its first resource."""


class ServiceIndex(Document[Resources]):
    """The upstream's own index. No client asks for it: it has no route."""

    path = "v3/upstream.json"

    def build(self, ctx: Context, components: Iterable[Component]) -> Resources | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> Resources:
        document = parse_json(body)
        resources = document.get("resources") if isinstance(document, dict) else None
        if not isinstance(resources, list):
            raise UpstreamRefused("the upstream's answer is not a service index")
        found: dict[str, str] = {}
        for resource in resources:
            kinds, url = resource.get("@type"), resource.get("@id")
            for kind in kinds if isinstance(kinds, list) else [kinds]:
                if isinstance(kind, str) and isinstance(url, str):
                    found.setdefault(kind, urljoin(ctx.source, url))
        return found

    def merge(self, ctx: Context, models: Sequence[Resources]) -> Resources:
        return models[0]

    def dump(self, ctx: Context, model: Resources) -> bytes:
        return dump_json(model)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """The remote URL is that of the index itself, or of the repository that has one."""
        return Origin(upstream.url if upstream.url.endswith(".json") else "index.json")


SERVICE_INDEX = ServiceIndex()

REGISTRATION_TYPES = (
    "RegistrationsBaseUrl/Versioned",
    "RegistrationsBaseUrl/3.6.0",
    "RegistrationsBaseUrl/3.4.0",
    "RegistrationsBaseUrl",
    "RegistrationsBaseUrl/3.0.0-rc",
    "RegistrationsBaseUrl/3.0.0-beta",
)
CONTENT_TYPES = ("PackageBaseAddress/3.0.0",)
SEARCH_TYPES = (
    "SearchQueryService/3.5.0",
    "SearchQueryService",
    "SearchQueryService/3.0.0-rc",
    "SearchQueryService/3.0.0-beta",
)
AUTOCOMPLETE_TYPES = (
    "SearchAutocompleteService/3.5.0",
    "SearchAutocompleteService",
    "SearchAutocompleteService/3.0.0-rc",
    "SearchAutocompleteService/3.0.0-beta",
)
VULNERABILITY_TYPES = ("VulnerabilityInfo/6.7.0",)


async def resource(upstream: Upstream, kinds: Sequence[str]) -> str:
    """The URL of the first of these resources that the upstream has. Raises `NotFound`."""
    resources = await upstream.model(SERVICE_INDEX)
    for kind in kinds:
        if url := resources.get(kind):
            return url
    raise NotFound(f"the upstream's service index names no {kinds[0]}")


async def below(upstream: Upstream, kinds: Sequence[str], path: str) -> str:
    """The URL of a path below a resource that is a directory."""
    return f"{(await resource(upstream, kinds)).rstrip('/')}/{path}"


def is_v2(ctx: Context) -> bool:
    """Does the proxy's upstream speak only the OData feed?"""
    return bool(ctx.settings.nuget_proxy.nuget_version == "V2")


def query_age(ctx: Context) -> float:
    """Minutes that a proxy keeps what its upstream has found; the setting is in seconds."""
    seconds: int = ctx.settings.nuget_proxy.query_cache_item_max_age
    return seconds / 60 if seconds >= 0 else -1


def members(document: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise UpstreamRefused(f"the upstream's answer is not {what}")
    return document
