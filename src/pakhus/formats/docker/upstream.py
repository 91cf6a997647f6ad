"""Where an upstream registry keeps things."""

from __future__ import annotations

import re

from pakhus.domain.content import Query
from pakhus.kit.context import Context, Upstream

HUB_FOLDER = "library/"


def located(ctx: Context, rest: str) -> str:
    """The path of something of an image; on Docker Hub, images without a folder are in `library/`."""
    image = ctx["image"]
    options = getattr(ctx.settings, "docker_proxy", None)
    if options is not None and options.index_type == "HUB" and "/" not in image:
        image = HUB_FOLDER + image
    return f"v2/{image}/{rest}"


async def foreign(ctx: Context, upstream: Upstream) -> str:
    """The URL that a kept manifest has for a layer that registries do not hand out, if such may be fetched."""
    options = ctx.settings.docker_proxy
    if not options.cache_foreign_layers:
        return ""
    for manifest in await upstream.find(Query(name=ctx["image"], assets=False)):
        url = manifest.attributes.get("foreign", {}).get(ctx["digest"], "")
        if url and any(re.match(each, url) for each in options.foreign_layer_url_whitelist):
            return str(url)
    return ""
