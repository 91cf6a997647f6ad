"""Where an upstream registry keeps things."""

from __future__ import annotations

from pakhus.kit.context import Context

HUB_FOLDER = "library/"


def located(ctx: Context, rest: str) -> str:
    """The path of something of an image; on Docker Hub, images without a folder are in `library/`."""
    image = ctx["image"]
    options = getattr(ctx.settings, "docker_proxy", None)
    if options is not None and options.index_type == "HUB" and "/" not in image:
        image = HUB_FOLDER + image
    return f"v2/{image}/{rest}"
