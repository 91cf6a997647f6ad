"""The Atom entries of the version 2 feed, read and written.

Source: NuGet's V2 feed as its clients 2.x to 6.x read it; OData 2.0, "Atom Format"; RFC 4287.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from pakhus.domain.content import ALGORITHMS
from pakhus.formats.nuget.leaves import UNLISTED, Leaf
from pakhus.formats.nuget.names import full, normal_range
from pakhus.formats.nuget.nuspec import semver2
from pakhus.kit.context import Context, Headers
from pakhus.kit.format import BREAK, Document, Model
from pakhus.kit.wire import parse_xml

ATOM = "http://www.w3.org/2005/Atom"
D = "http://schemas.microsoft.com/ado/2007/08/dataservices"
M = D + "/metadata"
SCHEME = D + "/scheme"
TERM = "NuGetGallery.OData.V2FeedPackage"
MEDIA_TYPE = "application/atom+xml;type=feed;charset=utf-8"
ENTRY_TYPE = "application/atom+xml;type=entry;charset=utf-8"
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Feed:
    """What an upstream's feed tells; `next` is the URL where it goes on."""

    leaves: tuple[Leaf, ...]
    next: str = ""


class Fed(Document[Model]):
    """A document that an upstream of version 2 tells by a feed, in pages."""

    pages = 100

    def following(self, ctx: Context, headers: Headers, body: Callable[[], bytes]) -> str:
        pages = body()
        return _page(ctx, pages.rpartition(BREAK)[2]).next if is_feed(pages) else ""


def by_id(id: str) -> str:
    """The location of all versions of a package below a version 2 feed."""
    return f"FindPackagesById()?id='{quote(id, safe='')}'&semVerLevel=2.0.0"


def by_key(id: str, version: str) -> str:
    """The location of one version."""
    return f"Packages(Id='{quote(id, safe='')}',Version='{quote(version, safe='')}')"


def base64_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


# Reading


def is_feed(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<"


def read(ctx: Context, body: bytes) -> Feed:
    """All pages of a feed. Raises `Invalid` for what is no XML."""
    pages = [_page(ctx, page) for page in body.split(BREAK)]
    return Feed(tuple(leaf for page in pages for leaf in page.leaves), pages[-1].next)


def _page(ctx: Context, body: bytes) -> Feed:
    root = parse_xml(body)
    entries = [root] if root.tag == f"{{{ATOM}}}entry" else list(root.iter(f"{{{ATOM}}}entry"))
    links = root.findall(f"{{{ATOM}}}link[@rel='next']")
    following = urljoin(ctx.source, links[0].get("href", "")) if links else ""
    return Feed(tuple(leaf for each in entries if (leaf := _leaf(ctx, each)) is not None), following)


def _leaf(ctx: Context, element: Element) -> Leaf | None:
    properties = element.find(f".//{{{M}}}properties")
    if properties is None:
        return None
    told = {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in properties}
    id = told.get("Id") or (element.findtext(f"{{{ATOM}}}title") or "").strip()
    if not id or not told.get("Version"):
        return None
    version = full(told["Version"])
    content = element.find(f"{{{ATOM}}}content")
    source = content.get("src", "") if content is not None else ""
    published = told.get("Published", "")
    return Leaf(
        id,
        version,
        _entry(element, id, version, told),
        listed=told.get("Listed", "").lower() != "false" and not published.startswith("1900"),
        published=published,
        size=int(told["PackageSize"]) if told.get("PackageSize", "").isdigit() else None,
        downloads=int(told["DownloadCount"]) if told.get("DownloadCount", "").isdigit() else 0,
        source=urljoin(ctx.source, source) if source else "",
        digests=_digests(told),
    )


def _entry(element: Element, id: str, version: str, told: Mapping[str, str]) -> dict[str, Any]:
    authors = [(name.text or "").strip() for name in element.findall(f"{{{ATOM}}}author/{{{ATOM}}}name")]
    summary = told.get("Summary") or (element.findtext(f"{{{ATOM}}}summary") or "").strip()
    entry: dict[str, Any] = {
        "id": id,
        "version": version,
        "authors": told.get("Authors") or ", ".join(authors),
        "summary": summary,
        "tags": told.get("Tags", "").split(),
        "dependencyGroups": _groups(told.get("Dependencies", "")),
        "requireLicenseAcceptance": told.get("RequireLicenseAcceptance", "").lower() == "true",
    }
    entry |= {member: told.get(name, "") for name, member in _TEXTS.items()}
    if semver2(version, entry["dependencyGroups"]):
        entry["semVer2"] = True
    return {name: value for name, value in entry.items() if value}


_TEXTS = {
    "Title": "title",
    "Description": "description",
    "ReleaseNotes": "releaseNotes",
    "Copyright": "copyright",
    "Language": "language",
    "ProjectUrl": "projectUrl",
    "IconUrl": "iconUrl",
    "LicenseUrl": "licenseUrl",
    "MinClientVersion": "minClientVersion",
}


def _digests(told: Mapping[str, str]) -> dict[str, str]:
    algorithm = told.get("PackageHashAlgorithm", "").lower().replace("-", "")
    if algorithm not in ALGORITHMS or not told.get("PackageHash"):
        return {}
    try:
        return {algorithm: base64.b64decode(told["PackageHash"], validate=True).hex()}
    except (binascii.Error, ValueError):
        return {}


def _groups(written: str) -> list[dict[str, Any]]:
    """`id:range:framework|…`; a framework without dependencies is `::framework`."""
    groups: dict[str, list[dict[str, str]]] = {}
    for part in written.split("|"):
        if not part.strip(":| "):
            continue
        id, range, framework = (*part.split(":"), "", "")[:3]
        wanted = groups.setdefault(framework, [])
        if id:
            wanted.append({"id": id, "range": normal_range(range)})
    return [
        {**({"targetFramework": framework} if framework else {}), **({"dependencies": wanted} if wanted else {})}
        for framework, wanted in groups.items()
    ]


# Writing


def dependencies(leaf: Leaf) -> str:
    """The dependencies as the feed packs them into one text."""
    parts: list[str] = []
    for group in leaf.entry.get("dependencyGroups") or ():
        framework = group.get("targetFramework", "")
        wanted = group.get("dependencies") or ()
        parts += [f"{each.get('id', '')}:{each.get('range', '')}:{framework}" for each in wanted]
        if not wanted and framework:
            parts.append(f"::{framework}")
    return "|".join(parts)


def properties(ctx: Context, leaf: Leaf, *, latest: bool, absolute: bool) -> dict[str, Any]:
    """The properties of a package in the feed; filters and orders look at these, too."""
    entry = leaf.entry
    published = leaf.published if leaf.listed else UNLISTED
    authors = entry.get("authors", "")
    return {
        "Id": leaf.id,
        "Version": leaf.version,
        "NormalizedVersion": leaf.version.partition("+")[0],
        "Authors": authors if isinstance(authors, str) else ", ".join(authors),
        "Copyright": entry.get("copyright", ""),
        "Created": _moment(leaf.published),
        "Dependencies": dependencies(leaf),
        "Description": entry.get("description", ""),
        "DownloadCount": leaf.downloads,
        "GalleryDetailsUrl": entry.get("projectUrl", ""),
        "IconUrl": entry.get("iconUrl", "") or _icon(ctx, leaf),
        "IsLatestVersion": latest,
        "IsAbsoluteLatestVersion": absolute,
        "IsPrerelease": leaf.prerelease,
        "Language": entry.get("language", ""),
        "LastUpdated": _moment(leaf.published),
        "LicenseUrl": entry.get("licenseUrl", ""),
        "Listed": leaf.listed,
        "MinClientVersion": entry.get("minClientVersion", ""),
        "PackageHash": base64_of(leaf.sha512) if leaf.sha512 else "",
        "PackageHashAlgorithm": "SHA512" if leaf.sha512 else "",
        "PackageSize": leaf.size or 0,
        "ProjectUrl": entry.get("projectUrl", ""),
        "Published": _moment(published),
        "ReleaseNotes": entry.get("releaseNotes", ""),
        "ReportAbuseUrl": "",
        "RequireLicenseAcceptance": bool(entry.get("requireLicenseAcceptance")),
        "Summary": entry.get("summary", ""),
        "Tags": _tags(entry),
        "Title": entry.get("title", "") or leaf.id,
        "VersionDownloadCount": leaf.downloads,
    }


def _tags(entry: Mapping[str, Any]) -> str:
    tags = entry.get("tags", ())
    return tags if isinstance(tags, str) else " ".join(tags)


def _icon(ctx: Context, leaf: Leaf) -> str:
    return ctx.link(f"{leaf.path.rpartition('/')[0]}/icon") if leaf.entry.get("iconFile") else ""


def _moment(text: str) -> str:
    """Edm.DateTime has no offset."""
    return re.sub(r"(?:Z|[+-]\d\d:\d\d)$", "", text) or "1900-01-01T00:00:00"


KINDS = {
    **dict.fromkeys(("Created", "LastUpdated", "Published"), "Edm.DateTime"),
    **dict.fromkeys(("DownloadCount", "VersionDownloadCount"), "Edm.Int32"),
    "PackageSize": "Edm.Int64",
    **dict.fromkeys(
        ("IsLatestVersion", "IsAbsoluteLatestVersion", "IsPrerelease", "Listed", "RequireLicenseAcceptance"),
        "Edm.Boolean",
    ),
}

PROPERTIES = (
    "Id",
    "Version",
    "NormalizedVersion",
    "Authors",
    "Copyright",
    "Created",
    "Dependencies",
    "Description",
    "DownloadCount",
    "GalleryDetailsUrl",
    "IconUrl",
    "IsLatestVersion",
    "IsAbsoluteLatestVersion",
    "IsPrerelease",
    "Language",
    "LastUpdated",
    "LicenseUrl",
    "Listed",
    "MinClientVersion",
    "PackageHash",
    "PackageHashAlgorithm",
    "PackageSize",
    "ProjectUrl",
    "Published",
    "ReleaseNotes",
    "ReportAbuseUrl",
    "RequireLicenseAcceptance",
    "Summary",
    "Tags",
    "Title",
    "VersionDownloadCount",
)


def text(value: object) -> str:
    written = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return escape(_CONTROLS.sub("\ufffd", written))


def write_entry(ctx: Context, leaf: Leaf, told: Mapping[str, Any], *, root: bool = False) -> str:
    link = ctx.link(f"Packages(Id='{leaf.id}',Version='{leaf.version.partition('+')[0]}')")
    spaces = f' xmlns="{ATOM}" xmlns:d="{D}" xmlns:m="{M}" xml:base={quoteattr(ctx.link(""))}' if root else ""
    written = "".join(_property(name, value) for name, value in told.items())
    return (
        f"<entry{spaces}><id>{text(link)}</id>"
        f'<category term="{TERM}" scheme="{SCHEME}"/><link rel="edit" title="V2FeedPackage" href={quoteattr(link)}/>'
        f'<title type="text">{text(leaf.id)}</title><summary type="text">{text(told["Summary"])}</summary>'
        f"<updated>{text(told['LastUpdated'])}Z</updated><author><name>{text(told['Authors'])}</name></author>"
        f'<content type="application/zip" src={quoteattr(ctx.link(leaf.path))}/>'
        f"<m:properties>{written}</m:properties></entry>"
    )


def _property(name: str, value: object) -> str:
    kind = f' m:type="{KINDS[name]}"' if name in KINDS else ""
    if value == "":
        return f'<d:{name}{kind} m:null="true"/>'
    return f"<d:{name}{kind}>{text(value)}</d:{name}>"


def write_feed(ctx: Context, title: str, entries: Iterable[str], *, count: int | None, following: str) -> bytes:
    body = "".join(entries)
    counted = f"<m:count>{count}</m:count>" if count is not None else ""
    more = f'<link rel="next" href={quoteattr(following)}/>' if following else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xml:base={quoteattr(ctx.link(""))} xmlns="{ATOM}" '
        f'xmlns:d="{D}" xmlns:m="{M}">{counted}<id>{text(ctx.link(title))}</id><title type="text">{text(title)}</title>'
        f'<updated>1970-01-01T00:00:00Z</updated><link rel="self" title="{text(title)}" href="{text(title)}"/>'
        f"{body}{more}</feed>"
    ).encode()
