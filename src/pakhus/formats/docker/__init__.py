"""Docker and OCI images, and whatever else is kept in an OCI registry (Distribution specification 1.1).

Nexus's words: the component's name is the image, its version the tag. A manifest pushed by digest is a component, too,
whose version is the digest; both carry what the manifest says of itself: `digest`, `mediaType`, `artifactType`,
`subject`, `annotations`, `layers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pakhus.domain import errors
from pakhus.domain.errors import PakhusError
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.docker import blobs, lists, manifests, names, tokens
from pakhus.formats.docker.settings import GroupSettings, HostedSettings, ProxySettings
from pakhus.kit.context import Context, Reply, Settings
from pakhus.kit.format import ANY, READS, Action, Doors, Format, Mount, Route, Snippet
from pakhus.kit.versions import natural_key
from pakhus.kit.wire import dump_json

DELETE = Permission.DELETE

CODES: tuple[tuple[type[PakhusError], str], ...] = (
    (names.NameInvalid, "NAME_INVALID"),
    (names.TagInvalid, "MANIFEST_INVALID"),
    (errors.DigestMismatch, "DIGEST_INVALID"),
    (errors.MissingReference, "MANIFEST_BLOB_UNKNOWN"),
    (errors.BadPackage, "MANIFEST_INVALID"),
    (errors.PolicyViolation, "DENIED"),
    (errors.NoSuchUpload, "BLOB_UPLOAD_UNKNOWN"),
    (errors.UploadOutOfOrder, "BLOB_UPLOAD_INVALID"),
    (errors.RepositoryNotFound, "NAME_UNKNOWN"),
    (errors.Unauthenticated, "UNAUTHORIZED"),
    (errors.Denied, "DENIED"),
    (errors.StillInUse, "DENIED"),
    (errors.NotAllowed, "UNSUPPORTED"),
    (errors.TooLarge, "SIZE_INVALID"),
    (errors.TooManyRequests, "TOOMANYREQUESTS"),
    (errors.Invalid, "UNSUPPORTED"),
)

FRONT: tuple[Route, ...] = (
    *(Action(method, "v2/", tokens.ping, on=ANY, needs=None) for method in READS),
    Action("GET", "v2/token", tokens.token, on=ANY, needs=None),
    Action("POST", "v2/token", tokens.exchange, on=ANY, needs=None),
    Action("GET", "v1/_ping", tokens.ping_v1, on=ANY, needs=None),
    Action("GET", "v1/search", tokens.search_v1, on=ANY, needs=Permission.READ),
)
UPLOADS: tuple[Route, ...] = (
    Action("POST", blobs.UPLOADS, blobs.start),
    Action("PATCH", blobs.UPLOAD, blobs.append),
    Action("PUT", blobs.UPLOAD, blobs.finish),
    Action("GET", blobs.UPLOAD, blobs.progress),
    Action("DELETE", blobs.UPLOAD, blobs.cancel),
)


def _path_enabled(settings: Any) -> bool:
    return settings.docker.path_enabled is not False


class Docker(Format):
    name = "docker"
    routes = (
        *FRONT,
        lists.Catalog(),
        lists.Tags(),
        lists.Referrers(),
        manifests.ManifestFile(),
        Action("PUT", manifests.PATH, manifests.put),
        Action("DELETE", manifests.PATH, manifests.delete, needs=DELETE),
        *UPLOADS,
        blobs.BlobFile(),
        Action("DELETE", blobs.BLOB, blobs.delete, needs=DELETE),
    )
    mounts = (Mount("/v2/{repository}/{rest:path}", "v2/{rest}", _path_enabled),)
    entrance = (
        *(Action(method, "v2/", tokens.ping, on=ANY, needs=None) for method in READS),
        Action("GET", "v2/token", tokens.token, on=ANY, needs=None),
        Action("POST", "v2/token", tokens.exchange, on=ANY, needs=None),
        Action("GET", "v2/_catalog", tokens.catalog, on=ANY, needs=None),
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {
        RepositoryType.HOSTED: HostedSettings,
        RepositoryType.PROXY: ProxySettings,
        RepositoryType.GROUP: GroupSettings,
    }
    search: ClassVar[Mapping[str, str]] = {
        "docker.imageName": "name",
        "docker.imageTag": "version",
        "docker.contentDigest": "component.digest",
        "docker.layerId": "component.layers",
    }
    usage = (
        Snippet("docker", "docker login --username {user} --password-stdin {host}"),
        Snippet("docker", "docker push {host}/{name}/image:tag"),
        Snippet("docker", "docker pull {host}/{name}/image:tag"),
    )

    def version_key(self, version: str) -> Any:
        return natural_key(version)

    def doors(self, settings: Any) -> Doors:
        options = settings.docker
        return Doors(
            () if options.http_port is None else (options.http_port,),
            () if options.https_port is None else (options.https_port,),
            options.subdomain or "",
        )

    def open_to_anonymous(self, settings: Any) -> bool:
        return not settings.docker.force_basic_auth

    def challenge(self, ctx: Context) -> str:
        """Bearer, unless the repository insists on Basic; the token service itself takes Basic."""
        if ctx.path.endswith("v2/token") or (ctx.settings is not None and ctx.settings.docker.force_basic_auth):
            return ""
        realm = ctx.link("v2/token")
        scope = _scope(ctx)
        return f'Bearer realm="{realm}",service="{urlsplit(realm).netloc}"' + (f',scope="{scope}"' if scope else "")

    def problem(self, error: PakhusError) -> Reply:
        path = error.path if isinstance(error, errors.NotFound) else ""
        code = next((code for kind, code in CODES if isinstance(error, kind)), _unknown(path))
        detail = {"path": path} if path else {}
        body = dump_json({"errors": [{"code": code, "message": error.message, "detail": detail}]})
        headers = {**manifests.VERSION, "content-type": "application/json"}
        if isinstance(error, errors.UploadOutOfOrder):
            headers["range"] = f"0-{max(0, error.size - 1)}"
        return Reply(error.status, body, headers)


def _scope(ctx: Context) -> str:
    """What a token must be good for to do what the request wants."""
    if ctx.path == tokens.CATALOG.path:
        return "registry:catalog:*"
    image = ctx.path.removeprefix("v2/")
    for mark in ("/manifests/", "/blobs/", "/tags/list", "/referrers/"):
        head, found, _ = image.rpartition(mark)
        if found:
            actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(ctx.method, "pull,push")
            return f"repository:{lists.outside(ctx, head)}:{actions}"
    return ""


def _unknown(path: str) -> str:
    """The code for what is not there, by its path."""
    if "/manifests/" in path:
        return "MANIFEST_UNKNOWN"
    if "/blobs/" in path:
        return "BLOB_UNKNOWN"
    return "NAME_UNKNOWN" if path else "UNKNOWN"


__all__ = ["Docker"]
