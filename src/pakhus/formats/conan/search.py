"""Recipes by a pattern: `?q=zlib/*`, with `*` and `?`, matched against the whole reference or a leading part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from itertools import accumulate

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.conan.reference import NONE, text
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document, Origin
from pakhus.kit.wire import dump_json, parse_json

MAX_PATTERN = 500
_SEPARATORS = re.compile(r"([/@#])")
_START = re.compile(r"[^/@#*?\[\s]*")


class Pattern:
    """`ignorecase` is on unless the client says otherwise."""

    def __init__(self, ctx: Context) -> None:
        written = ctx.query.get("q", "")
        if len(written) > MAX_PATTERN:
            raise Invalid(f"a pattern has at most {MAX_PATTERN} characters", field="q")
        flags = 0 if ctx.query.get("ignorecase", "").lower() == "false" else re.IGNORECASE
        self._pattern = re.compile(translate(written), flags) if written else None
        start = _START.match(written)
        self.start = start[0] if start else ""
        """What each name that matches starts with: it narrows the search in the database."""

    def matches(self, reference: str) -> bool:
        if self._pattern is None:
            return True
        return any(self._pattern.fullmatch(part) for part in accumulate(_SEPARATORS.split(reference)))


def reference_of(component: Component) -> str | None:
    """`None` for a component whose recipe is not there (yet)."""
    known = component.attributes
    if not known.get("recipe"):
        return None
    return text(
        {
            "name": component.name,
            "version": known["baseVersion"],
            "user": component.namespace or NONE,
            "channel": known["channel"],
        }
    )


class RecipeSearch(Document[tuple[str, ...]]):
    path = "v2/conans/search"
    query = ("q", "ignorecase")

    def admit(self, ctx: Context) -> None:
        Pattern(ctx)

    def select(self, ctx: Context) -> Query:
        return Query(text=Pattern(ctx).start or None, assets=False)

    def build(self, ctx: Context, components: Iterable[Component]) -> tuple[str, ...]:
        pattern = Pattern(ctx)
        references = {reference_of(component) for component in components}
        return tuple(sorted(each for each in references if each is not None and pattern.matches(each)))

    def parse(self, ctx: Context, body: bytes) -> tuple[str, ...]:
        results = parse_json(body)["results"]
        if not isinstance(results, list) or not all(isinstance(each, str) for each in results):
            raise Invalid("'results' is not a list of references")
        return tuple(each.removesuffix("@_/_") for each in results)

    def merge(self, ctx: Context, models: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted({each for model in models for each in model}))

    def dump(self, ctx: Context, model: tuple[str, ...]) -> bytes:
        return dump_json({"results": model})


class UnrevisedRecipeSearch(RecipeSearch):
    """The same under the protocol's version 1; upstreams are asked by version 2."""

    path = "v1/conans/search"

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(RecipeSearch.path)
