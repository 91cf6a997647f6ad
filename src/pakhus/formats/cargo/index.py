"""The sparse index: for each crate a file of lines, each of which is the JSON entry of one version.

Entries stay as they were published; only `yanked` ever changes. The lines of an upstream are relayed as they are.
Source: the Cargo book, "Registry Index".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import BadPath, Invalid, NotFound, UpstreamDown
from pakhus.formats.cargo.names import INDEX_FILE, prefix_of, versions_query
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.versions import semver_key
from pakhus.kit.wire import dump_json, parse_json

_SHA256 = re.compile("[0-9a-fA-F]{64}")
_MARKER = re.compile(r"\{(crate|version|prefix|lowerprefix|sha256-checksum)\}")
DEFAULT_DOWNLOAD = "/{crate}/{version}/download"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version as the index tells it: the line without its end, and what of it is needed here."""

    name: str
    version: str
    checksum: str
    line: bytes

    @property
    def digests(self) -> dict[str, str]:
        return {"sha256": self.checksum.lower()} if _SHA256.fullmatch(self.checksum) else {}


Entries = Mapping[str, Entry]
"""The model: version → entry, in the order of the lines."""


class Index(Document[Entries]):
    path = INDEX_FILE
    media_types = ("text/plain",)

    def admit(self, ctx: Context) -> None:
        if ctx["prefix"] != prefix_of(ctx["name"]):
            raise BadPath(f"{ctx['name']} is not in the folder {ctx['prefix']}")

    def select(self, ctx: Context) -> Query:
        return versions_query(ctx["name"])

    def build(self, ctx: Context, components: Iterable[Component]) -> Entries | None:
        released = sorted((c for c in components if c.version and c.assets), key=lambda c: semver_key(c.version))
        return {c.version: published(c) for c in released} or None

    def parse(self, ctx: Context, body: bytes) -> Entries:
        lines = [line for line in body.splitlines() if line.strip()]
        entries = [entry for line in lines if (entry := read_line(line, ctx["name"]))]
        if lines and not entries:
            raise UpstreamDown(f"the upstream's answer for {ctx['name']} is no index file")
        return {entry.version: entry for entry in entries}

    def merge(self, ctx: Context, models: Sequence[Entries]) -> Entries:
        merged: dict[str, Entry] = {}
        for model in models:
            merged = {**merged, **{version: entry for version, entry in model.items() if version not in merged}}
        return merged

    def dump(self, ctx: Context, model: Entries) -> bytes:
        return b"".join(entry.line + b"\n" for entry in model.values())


INDEX = Index()


def read_line(line: bytes, name: str) -> Entry | None:
    """The entry on a line, `None` if it is none of this crate. Schema versions that are not known are kept."""
    try:
        stated = parse_json(line)
    except Invalid:
        return None
    if not isinstance(stated, dict) or not isinstance(stated.get("vers"), str):
        return None
    spelled = stated.get("name")
    if not isinstance(spelled, str) or spelled.lower() != name.lower():
        return None
    checksum = stated.get("cksum")
    return Entry(spelled, stated["vers"], checksum if isinstance(checksum, str) else "", line)


def published(component: Component) -> Entry:
    """The entry as it was published, with what has changed since, and when that was."""
    attributes = component.attributes
    stated = dict(attributes.get("entry", {}))
    checksum = component.asset.blob.digests.sha256
    stated |= {"cksum": checksum, "yanked": bool(attributes.get("yanked"))}
    stated.setdefault("pubtime", stamp(component.published or component.created))
    return Entry(str(stated.get("name")), component.version, checksum, dump_json(stated))


def stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def upstream_entry(upstream: Upstream, name: str, version: str) -> Entry:
    """What the upstream's index says of a version. Raises `NotFound`."""
    name = name.lower()
    entries: Entries = await upstream.model(INDEX, prefix=prefix_of(name), name=name)
    if version not in entries:
        raise NotFound(f"the index of the upstream has no {name} {version}")
    return entries[version]


# config.json of an upstream


@dataclass(frozen=True, slots=True)
class Config:
    """Where an upstream keeps the crates (a template), and its web API (without last slash; empty: it has none)."""

    dl: str
    api: str

    def download(self, entry: Entry) -> str:
        """The URL of a crate file: markers replaced, and the default path where there are none."""
        template = self.dl if _MARKER.search(self.dl) else self.dl + DEFAULT_DOWNLOAD
        values = {
            "crate": entry.name,
            "version": entry.version,
            "prefix": prefix_of(entry.name),
            "lowerprefix": prefix_of(entry.name).lower(),
            "sha256-checksum": entry.checksum,
        }
        return _MARKER.sub(lambda marker: quote(values[marker[1]], safe="/"), template)

    def web(self, path: str) -> str:
        """The URL of a path of the web API. Raises `NotFound` where the upstream has none."""
        if not self.api:
            raise NotFound("the upstream has no web API")
        return f"{self.api}/{path}"


class UpstreamConfig(Document[Config]):
    """An upstream's `config.json`. Never served: the one that clients get is an action of its own."""

    path = "config.json"
    limit = 1 << 20

    def build(self, ctx: Context, components: Iterable[Component]) -> Config | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> Config:
        stated: Any = parse_json(body)
        dl = stated.get("dl") if isinstance(stated, dict) else None
        if not isinstance(dl, str) or not dl:
            raise UpstreamDown("the upstream's config.json does not say where crates are downloaded")
        api = stated.get("api")
        at = urljoin(ctx.source, api).rstrip("/") if isinstance(api, str) and api else ""
        return Config(urljoin(ctx.source, dl), at)

    def merge(self, ctx: Context, models: Sequence[Config]) -> Config:
        return models[0]

    def dump(self, ctx: Context, model: Config) -> bytes:
        return dump_json({"dl": model.dl, "api": model.api})


CONFIG = UpstreamConfig()
