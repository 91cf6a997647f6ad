"""npm: the registry protocol of npm, pnpm and yarn.

Nexus's words: the component's group is the scope without `@`, its name the name within the scope. Attributes of a
version: `manifest` as published, `deprecated`, `attestations`, and what search knows; of the package itself (the
component without version): `tags`, `maintainers`, `description`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field as Option

from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError, Unauthenticated
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.npm import audit, package, tags, users
from pakhus.formats.npm.names import NAME, canonical, full
from pakhus.formats.npm.packument import Packument
from pakhus.formats.npm.publish import upload
from pakhus.formats.npm.search import Search
from pakhus.formats.npm.tarball import Tarball
from pakhus.formats.npm.usage import USAGE
from pakhus.kit.context import Reply, Settings
from pakhus.kit.format import ANY, BASIC, BEARER, Action, Clue, Format, UploadForm
from pakhus.kit.versions import semver_key, semver_prerelease
from pakhus.kit.wire import dump_json

READ, EDIT, DELETE = Permission.READ, Permission.EDIT, Permission.DELETE
TAGS = "-/package/" + NAME + "/dist-tags"
USER = "-/user/org.couchdb.user:{user}"
CHALLENGE = 'Bearer realm="npm", Basic realm="Sonatype Nexus Repository Manager"'
"""Where "Bearer" comes first, npm advises to log in again; where it does not, it only says that something is wrong."""

ACCOUNT = (
    Action("PUT", USER, users.login, on=ANY, needs=None),
    Action("GET", USER, users.show_user, on=ANY, needs=None),
    Action("POST", "-/v1/login", users.web_login, on=ANY, needs=None),
    Action("DELETE", "-/user/token/{token:path}", users.logout, on=ANY, needs=None),
    Action("GET", "-/whoami", users.whoami, on=ANY, needs=None),
    Action("GET", "-/npm/v1/user", users.profile, on=ANY, needs=None),
    Action("GET", "-/ping", users.ping, on=ANY, needs=None),
)
SECURITY = (
    Action("POST", "-/npm/v1/security/advisories/bulk", audit.bulk, on=ANY, needs=READ),
    Action("POST", "-/npm/v1/security/audits{kind:(?:/quick)?}", audit.full, on=ANY, needs=READ),
    audit.Keys(),
    audit.Attestations(),
)
DIST_TAGS = (
    Action("GET", TAGS, tags.show_tags, on=ANY, needs=READ),
    Action("PUT", TAGS, tags.set_tags, needs=EDIT),
    Action("POST", TAGS, tags.set_tags, needs=EDIT),
    Action("PUT", TAGS + "/{tag}", tags.set_tag, needs=EDIT),
    Action("POST", TAGS + "/{tag}", tags.set_tag, needs=EDIT),
    Action("DELETE", TAGS + "/{tag}", tags.remove_tag, needs=EDIT),
    Action("GET", "-/package/" + NAME + "/collaborators", tags.show_collaborators, on=ANY, needs=READ),
    Action("GET", "-/package/" + NAME + "/visibility", tags.show_visibility, on=ANY, needs=READ),
)
PACKAGES = (
    Action("DELETE", NAME + "/-/{file}/-rev/{revision}", package.delete_tarball, needs=DELETE),
    Tarball(),
    Action("PUT", NAME + "/-rev/{revision}", package.put_revision, needs=EDIT),
    Action("DELETE", NAME + "/-rev/{revision}", package.delete_package, needs=DELETE),
    Packument(),
    Action("PUT", NAME, package.put),
    Action("GET", NAME + "/{version}", tags.show_version, on=ANY, needs=READ),
    Action("HEAD", NAME + "/{version}", tags.show_version, on=ANY, needs=READ),
)


class ProxyOptions(Settings):
    """Nexus's clients send these and want to read them back; what they steer is Sonatype's own firewall."""

    remove_non_cataloged: bool = False
    remove_quarantined: bool = False


class ProxySettings(Settings):
    npm: ProxyOptions = Option(default_factory=ProxyOptions)


class Npm(Format):
    name = "npm"
    routes = (*ACCOUNT, *SECURITY, Search(), *DIST_TAGS, *PACKAGES)
    credentials = (BEARER, BASIC)
    upload = UploadForm(upload)
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {RepositoryType.PROXY: ProxySettings}
    search: ClassVar[Mapping[str, str]] = {
        "npm.scope": "namespace",
        "npm.author": "component.author",
        "npm.description": "component.description",
        "npm.keywords": "component.keywords",
        "npm.license": "component.license",
        "npm.tagged_is": "package.tags",
        "npm.tagged_not": "not package.tags",
    }
    usage = USAGE
    clues = (Clue(command=("npm", "config", "get", "registry")),)

    def canonical(self, path: str) -> str:
        return canonical(path)

    def version_key(self, version: str) -> Any:
        return semver_key(version)

    def prerelease(self, version: str) -> bool:
        return semver_prerelease(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        """`@scope / name / name-1.0.0.tgz`: without the separator that is only a part of the protocol."""
        return [segment for segment in asset.path.split("/") if segment != "-"]

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        return {"name": full(asset.coordinates), "version": asset.coordinates.version}

    def problem(self, error: PakhusError) -> Reply:
        """npm prints `error`; yarn prints `error` or `message`."""
        body = dump_json({"error": error.message, "message": error.message})
        challenge = {"www-authenticate": CHALLENGE} if isinstance(error, Unauthenticated) else {}
        return Reply(error.status, body, {"content-type": "application/json", **challenge})


__all__ = ["Npm"]
