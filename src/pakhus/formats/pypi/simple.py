"""The simple repository API: one model of a project's page, read from and written to both of its forms.

HTML: PEP 503, with 592 (yanked), 629 (versioning), 658/714 (metadata files), 708 (tracks, alternate locations),
740 (provenance), 792 (project status). JSON: PEP 691, with 700 (versions, size, upload time) and the same additions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from pakhus.domain.errors import UpstreamRefused
from pakhus.formats.pypi.filenames import is_safe, normalise_version, package_path, provenance_path, version_of
from pakhus.kit.context import Context
from pakhus.kit.versions import pep440_key
from pakhus.kit.wire import dump_json, parse_json

HTML_V1 = "application/vnd.pypi.simple.v1+html"
JSON_V1 = "application/vnd.pypi.simple.v1+json"
HTML_LATEST = "application/vnd.pypi.simple.latest+html"
JSON_LATEST = "application/vnd.pypi.simple.latest+json"
MEDIA_TYPES = ("text/html", HTML_V1, JSON_V1, HTML_LATEST, JSON_LATEST)
UPSTREAM_ACCEPT = f"{JSON_V1}, {HTML_V1};q=0.2, text/html;q=0.1"

API_VERSION = "1.4"
API_WITHOUT_SIZES = "1.0"
"""From 1.1 on every file must have its size (PEP 700), which an HTML upstream does not tell."""

_HASH = re.compile(r"(?P<algorithm>[a-z0-9_]+)[=:](?P<digest>[0-9a-fA-F]+)\Z")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One file of a project. `path` is where this repository serves it, `url` where the upstream has it.

    `size` in bytes; `upload_time` as ISO 8601 in UTC; `yanked` is the reason, empty when none is given, `None` for a
    file that is not yanked; `metadata` has the digests of the metadata file, empty when it exists without digests.
    `provenance` is the path of the provenance file, `provenance_url` its place upstream.
    """

    filename: str
    path: str
    url: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str = ""
    size: int | None = None
    upload_time: str = ""
    yanked: str | None = None
    metadata: Mapping[str, str] | None = None
    provenance: str = ""
    provenance_url: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A project's page; `name` is normalised."""

    name: str
    files: tuple[ProjectFile, ...]
    versions: tuple[str, ...] = ()
    status: str = ""
    status_reason: str = ""
    tracks: tuple[str, ...] = ()
    alternates: tuple[str, ...] = ()

    def at(self, path: str) -> ProjectFile | None:
        """The file that this repository serves under the path."""
        return next((file for file in self.files if file.path == path), None)


def is_json(accept: str) -> bool:
    return accept.endswith("+json")


def settled(accept: str) -> str:
    """The media type of the answer: "latest" is never one (PEP 691)."""
    return {HTML_LATEST: HTML_V1, JSON_LATEST: JSON_V1}.get(accept, accept)


def ordered(versions: Iterable[str]) -> tuple[str, ...]:
    """Each version once, normalised, oldest first."""
    return tuple(sorted({normalise_version(version) for version in versions if version}, key=pep440_key))


# Reading


def read_project(ctx: Context, body: bytes, name: str) -> Project:
    """The page that an upstream sent from `ctx.source`, in whichever form. Raises `UpstreamRefused`."""
    return _project_of_json(ctx, body, name) if _looks_like_json(body) else _project_of_html(ctx, body, name)


def read_index(body: bytes) -> tuple[str, ...]:
    """The names on a root index."""
    if _looks_like_json(body):
        page = _json_page(body)
        return tuple(_text(project.get("name")) for project in _objects(page.get("projects")) if project.get("name"))
    reader = _Page.read(body)
    names = (text.strip() or unquote(_joined("", a.get("href") or "").strip("/")) for a, text in reader.anchors)
    return tuple(name for name in names if name)


def _looks_like_json(body: bytes) -> bool:
    return body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _json_page(body: bytes) -> Mapping[str, Any]:
    page = parse_json(body)
    if not isinstance(page, dict):
        raise UpstreamRefused("the upstream's index page is not a JSON object")
    _check_version(_text(_mapping(page.get("meta")).get("api-version")))
    return page


def _check_version(version: str) -> None:
    """PEP 629: another major version means another protocol; a newer minor one only adds."""
    if version and version.partition(".")[0] != "1":
        raise UpstreamRefused(f"the upstream speaks version {version} of the simple API; only 1.x is understood")


def _project_of_json(ctx: Context, body: bytes, name: str) -> Project:
    page = _json_page(body)
    files = tuple(filter(None, (_file_of_json(ctx, entry, name) for entry in _objects(page.get("files")))))
    status = page.get("project-status")
    return Project(
        name,
        files,
        ordered(_strings(page.get("versions"))) or versions_of(files),
        status=_text(_mapping(status).get("status")) if isinstance(status, dict) else _text(status),
        status_reason=_text(_mapping(status).get("reason")),
        tracks=tuple(_strings(_mapping(page.get("meta")).get("tracks"))),
        alternates=tuple(_strings(page.get("alternate-locations"))),
    )


def _file_of_json(ctx: Context, entry: Mapping[str, Any], name: str) -> ProjectFile | None:
    filename, url = _text(entry.get("filename")), _joined(ctx.source, _text(entry.get("url")))
    if not is_safe(filename) or not url:
        return None
    yanked, size = entry.get("yanked"), entry.get("size")
    return _project_file(
        name,
        filename,
        url=urldefrag(url).url,
        hashes=_hashes(entry.get("hashes")),
        requires_python=_text(entry.get("requires-python")),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        upload_time=_text(entry.get("upload-time")),
        yanked=yanked if isinstance(yanked, str) else "" if yanked else None,
        metadata=_metadata_of_json(entry),
        provenance_url=_joined(ctx.source, _text(entry.get("provenance"))),
    )


def _project_file(name: str, filename: str, *, provenance_url: str, **members: Any) -> ProjectFile:
    path = package_path(name, filename)
    provenance = provenance_path(path) if provenance_url else ""
    return ProjectFile(filename, path, provenance=provenance, provenance_url=provenance_url, **members)


def _metadata_of_json(entry: Mapping[str, Any]) -> Mapping[str, str] | None:
    """PEP 714: the first of the two spellings that is there counts."""
    value = entry.get("core-metadata", entry.get("dist-info-metadata"))
    return _hashes(value) if isinstance(value, dict) else {} if value is True else None


class _Page(HTMLParser):
    """The anchors, the base and the `pypi:` metas of an HTML page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self.base = ""
        self.metas: list[tuple[str, str]] = []
        self._open = False

    @classmethod
    def read(cls, body: bytes) -> _Page:
        reader = cls()
        reader.feed(body.decode("utf-8", "replace"))
        reader.close()
        _check_version(reader.meta("pypi:repository-version"))
        return reader

    def meta(self, name: str) -> str:
        return next((content for known, content in self.metas if known == name), "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a":
            self.anchors.append((attributes, ""))
            self._open = True
        elif tag == "base" and not self.base:
            self.base = attributes.get("href") or ""
        elif tag == "meta":
            self.metas.append((attributes.get("name") or "", attributes.get("content") or ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._open:
            attributes, text = self.anchors[-1]
            self.anchors[-1] = (attributes, text + data)


def _project_of_html(ctx: Context, body: bytes, name: str) -> Project:
    reader = _Page.read(body)
    base = _joined(ctx.source, reader.base) or ctx.source
    files = tuple(filter(None, (_file_of_html(base, attributes, name) for attributes, _ in reader.anchors)))
    return Project(
        name,
        files,
        versions_of(files),
        status=reader.meta("pypi:project-status"),
        status_reason=reader.meta("pypi:project-status-reason"),
        tracks=tuple(content for known, content in reader.metas if known == "pypi:tracks"),
        alternates=tuple(content for known, content in reader.metas if known == "pypi:alternate-locations"),
    )


def _file_of_html(base: str, attributes: Mapping[str, str | None], name: str) -> ProjectFile | None:
    """A file from its anchor: the name is the last segment of the URL, which is what installers go by."""
    url, fragment = urldefrag(_joined(base, (attributes.get("href") or "").strip()))
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    if not is_safe(filename):
        return None
    return _project_file(
        name,
        filename,
        url=url,
        hashes=dict(filter(None, map(_hash, fragment.split("&")))),
        requires_python=attributes.get("data-requires-python") or "",
        yanked=(attributes["data-yanked"] or "") if "data-yanked" in attributes else None,
        metadata=_metadata_of_html(attributes),
        provenance_url=_joined(base, attributes.get("data-provenance") or ""),
    )


def _metadata_of_html(attributes: Mapping[str, str | None]) -> Mapping[str, str] | None:
    value = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    if value is None or value == "false":
        return None
    found = _hash(value)
    return dict((found,)) if found else {}


def _hash(text: str) -> tuple[str, str] | None:
    found = _HASH.match(text.strip())
    return (found["algorithm"], found["digest"].lower()) if found else None


def versions_of(files: Iterable[ProjectFile]) -> tuple[str, ...]:
    """The versions that the file names tell."""
    return ordered({version_of(file.path) for file in files})


def _joined(base: str, url: str) -> str:
    """The absolute URL; nothing for nothing, and for what is no URL: one bad link must not hide a whole project."""
    try:
        joined = urljoin(base, url) if url else ""
        urlsplit(joined)
    except ValueError:
        return ""
    return joined


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _hashes(value: object) -> dict[str, str]:
    return {k.lower(): v.lower() for k, v in _mapping(value).items() if isinstance(k, str) and isinstance(v, str)}


# Writing


def write_project(ctx: Context, project: Project) -> bytes:
    """The page as the client wants it; links lead into the repository that the client addressed."""
    return _project_to_json(ctx, project) if is_json(ctx.accept) else _project_to_html(ctx, project)


def write_index(ctx: Context, names: Iterable[str]) -> bytes:
    if is_json(ctx.accept):
        return dump_json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in names]})
    anchors = (f'<a href="{escape(ctx.link(f"simple/{name}/"))}">{escape(name)}</a><br>' for name in names)
    return _html("Simple index", [_meta("repository-version", API_VERSION)], anchors)


def _project_to_json(ctx: Context, project: Project) -> bytes:
    complete = all(file.size is not None for file in project.files)
    meta: dict[str, Any] = {"api-version": API_VERSION if complete else API_WITHOUT_SIZES}
    if project.tracks:
        meta["tracks"] = list(project.tracks)
    page: dict[str, Any] = {"meta": meta, "name": project.name, "versions": list(project.versions)}
    if project.alternates:
        page["alternate-locations"] = list(project.alternates)
    if project.status:
        reason = {"reason": project.status_reason} if project.status_reason else {}
        page["project-status"] = {"status": project.status, **reason}
    page["files"] = [_file_to_json(ctx, file) for file in project.files]
    return dump_json(page)


def _file_to_json(ctx: Context, file: ProjectFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"filename": file.filename, "url": ctx.link(file.path), "hashes": dict(file.hashes)}
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.size is not None:
        entry["size"] = file.size
    if file.upload_time:
        entry["upload-time"] = file.upload_time
    entry["yanked"] = False if file.yanked is None else file.yanked or True
    metadata = False if file.metadata is None else dict(file.metadata) or True
    entry |= {"core-metadata": metadata, "dist-info-metadata": metadata}
    if file.provenance:
        entry["provenance"] = ctx.link(file.provenance)
    return entry


def _project_to_html(ctx: Context, project: Project) -> bytes:
    metas = [_meta("repository-version", API_VERSION)]
    metas += [_meta("tracks", url) for url in project.tracks]
    metas += [_meta("alternate-locations", url) for url in project.alternates]
    if project.status:
        metas.append(_meta("project-status", project.status))
    if project.status_reason:
        metas.append(_meta("project-status-reason", project.status_reason))
    return _html(f"Links for {project.name}", metas, (_file_to_html(ctx, file) for file in project.files))


def _file_to_html(ctx: Context, file: ProjectFile) -> str:
    algorithm = "sha256" if "sha256" in file.hashes else next(iter(file.hashes), "")
    fragment = f"#{algorithm}={file.hashes[algorithm]}" if algorithm else ""
    attributes = {"href": ctx.link(file.path) + fragment}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    if file.metadata is not None:
        metadata = f"sha256={file.metadata['sha256']}" if "sha256" in file.metadata else "true"
        attributes |= {"data-core-metadata": metadata, "data-dist-info-metadata": metadata}
    if file.provenance:
        attributes["data-provenance"] = ctx.link(file.provenance)
    written = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"<a {written}>{escape(file.filename)}</a><br>"


def _meta(name: str, content: str) -> str:
    return f'<meta name="pypi:{name}" content="{escape(content)}">'


def _html(title: str, metas: Iterable[str], lines: Iterable[str]) -> bytes:
    head = ["<!DOCTYPE html>", "<html>", "<head>", '<meta charset="utf-8">', *metas]
    head += [f"<title>{escape(title)}</title>", "</head>", "<body>", f"<h1>{escape(title)}</h1>"]
    return "\n".join((*head, *lines, "</body>", "</html>", "")).encode()
