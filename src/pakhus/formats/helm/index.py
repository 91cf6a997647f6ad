"""`index.yaml`: every version of every chart, with all that its Chart.yaml says.

It is written as JSON, which YAML contains, one version a line: Helm reads that many times faster than YAML, and writes
it itself with `helm repo index --json`. Chart URLs are relative, so that one index serves every name of the repository.
Source: helm.sh/docs, "The Chart Repository Guide".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from pakhus.domain.content import Asset, Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.helm.metadata import fields
from pakhus.formats.helm.names import CHART, chart_path
from pakhus.kit.context import Context
from pakhus.kit.format import Document
from pakhus.kit.paths import flaw, quoted
from pakhus.kit.versions import semver_key
from pakhus.kit.wire import dump_json, parse_json, parse_yaml

EPOCH = "1970-01-01T00:00:00Z"
_SHA256 = re.compile("(?:sha256:)?([0-9a-f]{64})")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One version as an index lists it. `path` is empty for a chart that only another protocol has (`oci:`).

    `origin` is where upstream keeps it, `sha256` what it promises of the bytes, empty if nothing.
    """

    name: str
    version: str
    fields: Mapping[str, Any]
    path: str
    origin: str = ""
    sha256: str = ""

    @property
    def created(self) -> str:
        created: str = self.fields.get("created", EPOCH)
        return created


@dataclass(frozen=True, slots=True)
class Index:
    """Name → versions, newest first; `held` has those with a file here, by its path."""

    charts: Mapping[str, Sequence[Entry]]
    held: Mapping[str, Entry]

    def version(self, name: str, version: str) -> Entry | None:
        return next((entry for entry in self.charts.get(name, ()) if entry.version == version), None)


def gathered(entries: Iterable[Entry]) -> Index:
    """The index of these entries; of a version that is there twice the first counts."""
    charts: dict[str, dict[str, Entry]] = {}
    held: dict[str, Entry] = {}
    for entry in entries:
        kept = charts.setdefault(entry.name, {}).setdefault(entry.version, entry)
        if kept is entry and entry.path:
            held.setdefault(entry.path, entry)
    return Index({name: newest_first(charts[name].values()) for name in sorted(charts)}, held)


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (semver_key(entry.version), entry.version), reverse=True)


class IndexPage(Document[Index]):
    path = "index.yaml"
    media_types = ("text/x-yaml",)

    def select(self, ctx: Context) -> Query:
        return Query()

    def build(self, ctx: Context, components: Iterable[Component]) -> Index:
        return gathered(entry for component in components if (entry := held_entry(component)) is not None)

    def parse(self, ctx: Context, body: bytes) -> Index:
        document = _read(body)
        charts = document.get("entries") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(charts or {}, dict) or "apiVersion" not in document:
            raise Invalid("this is no index of charts: it needs apiVersion and entries")
        listed = ((str(name), each) for name, versions in (charts or {}).items() for each in versions or ())
        return gathered(entry for name, each in listed if (entry := upstream_entry(name, each, ctx.source)) is not None)

    def merge(self, ctx: Context, models: Sequence[Index]) -> Index:
        return gathered(entry for model in models for entries in model.charts.values() for entry in entries)

    def dump(self, ctx: Context, model: Index) -> bytes:
        times = (moment(entry.created) for entries in model.charts.values() for entry in entries)
        newest = max((time for time in times if time), default=None)
        head = {
            "apiVersion": "v1",
            "generated": timestamp(newest) if newest else EPOCH,
            # By this cm-push finds the API of a repository that is not at the root of its host.
            "serverInfo": {"contextPath": urlsplit(ctx.link("")).path.rstrip("/")},
        }
        charts = b",\n".join(
            b"%b:[\n%b\n]" % (dump_json(name), b",\n".join(dump_json(entry.fields) for entry in entries))
            for name, entries in model.charts.items()
        )
        written = b'%b,\n"entries":{\n%b\n}}\n' % (dump_json(head)[:-1], charts)
        return _NOT_IN_YAML.sub(lambda m: f"\\u{ord(m[0]):04x}", written.decode()).encode()


INDEX = IndexPage()


def held_entry(component: Component) -> Entry | None:
    """The entry of a chart that is kept here; `None` while there is only its provenance."""
    asset = _chart(component)
    stated = component.attributes.get("chart")
    if asset is None or not isinstance(stated, dict):
        return None
    sha256 = asset.blob.digests.sha256
    more = {"created": timestamp(asset.updated), "digest": sha256, "urls": [quoted(asset.path)]}
    return Entry(component.name, component.version, {**stated, **more}, asset.path, sha256=sha256)


def _chart(component: Component) -> Asset | None:
    return next((asset for asset in component.assets if asset.path.endswith(CHART)), None)


def upstream_entry(name: str, stated: Any, base: str) -> Entry | None:
    """An entry of upstream's index, its URL become a path here; `None` for one that cannot be fetched at all."""
    if not isinstance(stated, dict):
        return None
    known = fields(stated, strict=False)
    version, urls = known.get("version"), known.get("urls")
    urls = [url for url in urls if isinstance(url, str) and url] if isinstance(urls, list) else []
    path = chart_path(name, version or "")
    if not isinstance(version, str) or not version or not urls or "/" in path or flaw(path):
        return None
    digest = _SHA256.fullmatch(str(known.pop("digest", "")).lower())
    created = known.pop("created", None)
    known.setdefault("name", name)
    if isinstance(created, str) and _TIME.fullmatch(created) and moment(created):
        known["created"] = created
    if digest:
        known["digest"] = digest[1]
    origin = urljoin(base, urls[0])
    if urlsplit(origin).scheme not in ("http", "https"):
        known["urls"] = urls
        return Entry(name, version, known, "")
    known["urls"] = [quoted(path)]
    return Entry(name, version, known, path, origin, digest[1] if digest else "")


def _read(body: bytes) -> Any:
    if body[:64].lstrip().startswith(b"{"):
        try:
            return parse_json(body)
        except Invalid:
            pass  # YAML may begin with a brace, too
    return parse_yaml(body)


def timestamp(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(text: str) -> datetime | None:
    """A time of an index (RFC 3339), `None` if there is no such day or hour."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
