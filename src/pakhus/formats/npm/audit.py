"""Advisories, signing keys and attestations: what upstreams know, passed on; a hosted repository knows only its own.

Sources: what `npm audit`, `npm audit signatures`, pnpm and yarn send; the registry's "/-/npm/v1" endpoints.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid, PakhusError, TooLarge, UpstreamDown
from pakhus.formats.npm.names import NAME, package_query
from pakhus.formats.npm.package import answer
from pakhus.kit.context import Call, Context, Reply, View
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json, read_body

MAX_BODY = 32 << 20
SEVERITIES = ("info", "low", "moderate", "high", "critical")
GZIP = 31
HEADERS = {"content-type": "application/json", "accept": "application/json"}
Report = Mapping[str, Any]


async def bulk(call: Call, view: View) -> Reply:
    """`{package: [version]}` → `{package: [advisory]}`."""
    advisories: dict[str, list[Any]] = {}
    for report in await _ask(call, view):
        for name, found in report.items():
            _extend(advisories.setdefault(name, []), found)
    return answer(advisories)


async def full(call: Call, view: View) -> Reply:
    """The older audit of a whole lock file, `audits` and `audits/quick`."""
    reports = await _ask(call, view)
    if len(reports) == 1:
        return answer(reports[0])
    advisories: dict[str, Any] = {}
    actions: list[Any] = []
    counts = dict.fromkeys(SEVERITIES, 0)
    metadata: dict[str, Any] = {"dependencies": 0, "devDependencies": 0, "optionalDependencies": 0}
    for report in reversed(reports):
        advisories |= _mapping(report.get("advisories"))
        metadata |= _mapping(report.get("metadata"))
        for severity, count in _mapping(_mapping(report.get("metadata")).get("vulnerabilities")).items():
            counts[severity] = max(counts.get(severity, 0), count if isinstance(count, int) else 0)
    for report in reports:
        _extend(actions, report.get("actions"))
    metadata = {"totalDependencies": 0, **metadata, "vulnerabilities": counts}
    return answer({"actions": actions, "advisories": advisories, "muted": [], "metadata": metadata})


async def _ask(call: Call, view: View) -> list[Report]:
    """What the upstreams answer, in member order. If all that answered refused, so must this: silence is not safety."""
    body = decoded(await read_body(call.body, limit=MAX_BODY), call.headers.get("content-encoding", ""))
    if not isinstance(parse_json(body), dict):
        raise Invalid("the body is not an audit request")
    replies = await view.relay(call.ctx.path, body, HEADERS)
    reports = [report for reply in replies if (report := _report(reply)) is not None]
    if replies and not reports:
        raise UpstreamDown(f"the upstream answered the audit with status {replies[0].status}")
    return reports


def _report(reply: Reply) -> Report | None:
    if not 200 <= reply.status < 300:
        return None
    try:
        report = parse_json(reply.body)
    except PakhusError:
        return None
    return report if isinstance(report, dict) else None


def decoded(body: bytes, encoding: str) -> bytes:
    """npm sends audits compressed. Raises `TooLarge`, `Invalid`."""
    if encoding.lower() not in ("gzip", "x-gzip"):
        return body
    unpacker = zlib.decompressobj(wbits=GZIP)
    try:
        unpacked = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not gzip: {error}") from error
    if len(unpacked) > MAX_BODY:
        raise TooLarge(f"the body has more than {MAX_BODY} bytes")
    if not unpacker.eof:
        raise Invalid("the body is truncated")
    return unpacked


def _extend(known: list[Any], more: object) -> None:
    for one in more if isinstance(more, list) else ():
        if one not in known:
            known.append(one)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Keys(Document[list[Any]]):
    """The keys with which a registry signs `name@version:integrity`; this server relays signatures and makes none."""

    path = "-/npm/v1/keys"

    def select(self, ctx: Context) -> Query:
        return Query(limit=0)

    def build(self, ctx: Context, components: Iterable[Component]) -> list[Any] | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> list[Any]:
        document = parse_json(body)
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise UpstreamDown("the upstream's answer is not a list of keys")
        return keys

    def merge(self, ctx: Context, models: Sequence[list[Any]]) -> list[Any]:
        keys: list[Any] = []
        for model in models:
            _extend(keys, model)
        return keys

    def dump(self, ctx: Context, model: list[Any]) -> bytes:
        return dump_json({"keys": model})


class Attestations(Document[list[Any]]):
    """The Sigstore bundles of a version: as they were published, or as upstream has them."""

    path = "-/npm/v1/attestations/" + NAME + "@{version:[^/@]+}"

    def select(self, ctx: Context) -> Query:
        return package_query(ctx["name"], ctx["version"])

    def build(self, ctx: Context, components: Iterable[Component]) -> list[Any] | None:
        return next((list(held) for c in components if (held := c.attributes.get("attestations"))), None)

    def parse(self, ctx: Context, body: bytes) -> list[Any]:
        document = parse_json(body)
        attestations = document.get("attestations") if isinstance(document, dict) else None
        if not isinstance(attestations, list):
            raise UpstreamDown("the upstream's answer is not a list of attestations")
        return attestations

    def merge(self, ctx: Context, models: Sequence[list[Any]]) -> list[Any]:
        return models[0]

    def dump(self, ctx: Context, model: list[Any]) -> bytes:
        return dump_json({"attestations": model})
