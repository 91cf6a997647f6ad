"""The legacy JSON API: `pypi/{name}/json` and `pypi/{name}/{version}/json`, the facts of a project or a release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pakhus.domain.content import Asset, Component, Query
from pakhus.formats.pypi.documents import distributions, json_object, timestamp
from pakhus.formats.pypi.filenames import is_safe, normalise_version, package_path
from pakhus.kit.context import Context
from pakhus.kit.format import Document
from pakhus.kit.versions import pep440_key, pep440_prerelease
from pakhus.kit.wire import dump_json, parse_json

Entry = Mapping[str, Any]
"""A file as the API describes it, but for its `url`: `path` says where this repository serves it."""

_TEXTS = (
    "author",
    "author_email",
    "description",
    "description_content_type",
    "download_url",
    "home_page",
    "license",
    "maintainer",
    "maintainer_email",
    "summary",
)
_OPTIONAL = ("dynamic", "license_expression", "license_files", "project_urls", "provides_extra", "requires_dist")


@dataclass(frozen=True, slots=True)
class Releases:
    """`info` is that of the newest release (or of the one asked for); `files` are by version."""

    info: Mapping[str, Any]
    files: Mapping[str, tuple[Entry, ...]]
    vulnerabilities: tuple[Any, ...] = ()


class ProjectJson(Document[Releases]):
    path = "pypi/{name}/json"

    def build(self, ctx: Context, components: Iterable[Component]) -> Releases | None:
        held = [component for component in components if component.version and distributions(component)]
        if not held:
            return None
        newest = max(held, key=lambda component: _rank(component.version))
        files = {component.version: tuple(map(_entry, distributions(component))) for component in held}
        if yanked := {component.version: component for component in held if "yanked" in component.attributes}:
            files |= {version: _yanked(files[version], component) for version, component in yanked.items()}
        return Releases(_facts(newest), files)

    def parse(self, ctx: Context, body: bytes) -> Releases:
        page = json_object(parse_json(body), "the upstream's JSON page")
        info = json_object(page.get("info"), "its member info")
        listed = page.get("releases")
        releases = dict(listed) if isinstance(listed, dict) else {}
        releases.setdefault(str(info.get("version", "")), page.get("urls") or [])
        files = {
            normalise_version(version): tuple(_relocated(ctx, entry) for entry in entries if _is_entry(entry))
            for version, entries in releases.items()
            if isinstance(entries, list)
        }
        return Releases(info, files, tuple(page.get("vulnerabilities") or ()))

    def merge(self, ctx: Context, models: Sequence[Releases]) -> Releases:
        """The newest release gives the facts; of files with one name the first member's counts."""
        newest = max(models, key=lambda model: _rank(str(model.info.get("version", ""))))
        files: dict[str, dict[str, Entry]] = {}
        for model in models:
            for version, entries in model.files.items():
                known = files.setdefault(version, {})
                for entry in entries:
                    known.setdefault(entry["filename"], entry)
        return replace(newest, files={version: tuple(known.values()) for version, known in files.items()})

    def dump(self, ctx: Context, model: Releases) -> bytes:
        releases = {version: _linked(ctx, model.files[version]) for version in sorted(model.files, key=pep440_key)}
        return dump_json(_page(ctx, model) | {"releases": releases})


class ReleaseJson(ProjectJson):
    path = "pypi/{name}/{version}/json"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["name"], version=ctx["version"])

    def dump(self, ctx: Context, model: Releases) -> bytes:
        return dump_json(_page(ctx, model))


def _rank(version: str) -> tuple[bool, Any]:
    """Final releases come before prereleases, however high these are."""
    return not pep440_prerelease(version), pep440_key(version)


def _page(ctx: Context, model: Releases) -> dict[str, Any]:
    version = normalise_version(str(model.info.get("version", "")))
    return {
        "info": {**model.info, "package_url": ctx.link(f"simple/{ctx['name']}/")},
        "last_serial": 0,
        "urls": _linked(ctx, model.files.get(version, ())),
        "vulnerabilities": list(model.vulnerabilities),
    }


def _linked(ctx: Context, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in entry.items() if key != "path"} | {"url": ctx.link(entry["path"])}
        for entry in entries
    ]


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("filename"), str) and is_safe(entry["filename"])


def _relocated(ctx: Context, entry: Entry) -> Entry:
    return {**entry, "path": package_path(ctx["name"], entry["filename"])}


def _facts(component: Component) -> dict[str, Any]:
    known = component.attributes
    keywords = known.get("keywords") or ()
    return {
        **{name: known.get(name) or "" for name in _TEXTS},
        **{name: known.get(name) for name in _OPTIONAL},
        "classifiers": known.get("classifiers") or [],
        "keywords": keywords if isinstance(keywords, str) else ",".join(keywords),
        "name": known.get("project_name") or component.name,
        "requires_python": known.get("requires_python") or None,
        "version": component.version,
        "yanked": "yanked" in known,
        "yanked_reason": known.get("yanked") or None,
    }


def _entry(asset: Asset) -> Entry:
    digests, known = asset.blob.digests, asset.attributes
    uploaded = timestamp(asset.updated)
    blake2 = {"blake2b_256": known["blake2_256"]} if known.get("blake2_256") else {}
    return {
        "comment_text": known.get("comment") or "",
        "digests": {"md5": digests.md5, "sha256": digests.sha256, **blake2},
        "downloads": -1,
        "filename": asset.filename,
        "has_sig": False,
        "md5_digest": digests.md5,
        "packagetype": known.get("packagetype", "sdist"),
        "path": asset.path,
        "python_version": known.get("python_version") or "source",
        "requires_python": known.get("requires_python") or None,
        "size": asset.blob.size,
        "upload_time": uploaded.partition(".")[0],
        "upload_time_iso_8601": uploaded,
        "yanked": False,
        "yanked_reason": None,
    }


def _yanked(entries: Iterable[Entry], component: Component) -> tuple[Entry, ...]:
    reason = component.attributes["yanked"] or None
    return tuple({**entry, "yanked": True, "yanked_reason": reason} for entry in entries)
