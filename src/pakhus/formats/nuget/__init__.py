"""NuGet: packages of .NET as dotnet, nuget.exe, Visual Studio and Chocolatey read and publish them, V3 and V2.

Attributes of a version: `id` as published, `entry` (the nuspec in the words of a registration), `listed`, and what
search knows. The component's name is the id in lower case, its version the normalised one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field as Option

from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import PakhusError
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.nuget import feed, index, publish
from pakhus.formats.nuget.content import Beside, PackageFile, SymbolPackage, VersionList
from pakhus.formats.nuget.names import CONTENT, canonical
from pakhus.formats.nuget.registration import REGISTRATION, REGISTRATION_PAGE, RegistrationLeaf
from pakhus.formats.nuget.search import Autocomplete, Search
from pakhus.formats.nuget.symbols import SymbolFile
from pakhus.formats.nuget.usage import CLUES, USAGE
from pakhus.kit.context import Reply, Settings
from pakhus.kit.format import ANY, BASIC, BEARER, Action, Credential, Format, UploadForm
from pakhus.kit.versions import nuget_key, nuget_prerelease

READ, DELETE, EDIT = Permission.READ, Permission.DELETE, Permission.EDIT


class ProxyOptions(Settings):
    """`symbol_server_url`: where the upstream's symbol server is; its index does not say."""

    query_cache_item_max_age: int = Option(default=3600, ge=-1)
    nuget_version: Literal["V2", "V3"] = "V3"
    symbol_server_url: str | None = None


class ProxySettings(Settings):
    nuget_proxy: ProxyOptions = Option(default_factory=ProxyOptions)


class HostedOptions(Settings):
    """`delete_unlists`: a client's `delete` hides the version, as the public gallery does, and keeps it."""

    delete_unlists: bool = False


class HostedSettings(Settings):
    nuget: HostedOptions = Option(default_factory=HostedOptions)


PACKAGE = PackageFile()
PUBLISHING = (
    Action("PUT", "", publish.push),
    Action("PUT", "symbolpackage{slash:/?}", publish.push_symbols),
    Action("DELETE", PackageFile.path, publish.delete, needs=DELETE),
    Action("POST", PackageFile.path, publish.relist, needs=EDIT),
)
VULNERABILITIES = tuple(
    Action(method, path, run, on=ANY, needs=READ)
    for method in ("GET", "HEAD")
    for path, run in (
        (index.Vulnerabilities.path, index.show_index),
        (index.VulnerabilityList.path, index.show_page),
    )
)


class Nuget(Format):
    name = "nuget"
    routes = (
        index.Index(),
        VersionList(),
        PACKAGE,
        SymbolPackage(),
        Beside(),
        REGISTRATION,
        REGISTRATION_PAGE,
        RegistrationLeaf(),
        Search(),
        Autocomplete(),
        SymbolFile(),
        *VULNERABILITIES,
        *feed.ROUTES,
        *PUBLISHING,
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {
        RepositoryType.HOSTED: HostedSettings,
        RepositoryType.PROXY: ProxySettings,
    }
    credentials = (BASIC, BEARER, Credential("header", "x-nuget-apikey"))
    upload = UploadForm(publish.upload)
    search: ClassVar[Mapping[str, str]] = {
        "nuget.id": "component.id",
        "nuget.tags": "component.keywords",
        "nuget.title": "component.title",
        "nuget.authors": "component.author",
        "nuget.description": "component.description",
        "nuget.summary": "component.summary",
        "nuget.is_prerelease": "prerelease",
    }
    usage = USAGE
    clues = CLUES

    def canonical(self, path: str) -> str:
        return canonical(path)

    def version_key(self, version: str) -> Any:
        return nuget_key(version)

    def prerelease(self, version: str) -> bool:
        return nuget_prerelease(version)

    def title(self, component: Component) -> str:
        return str(component.attributes.get("id", component.name))

    def browse(self, asset: Asset) -> Sequence[str]:
        """Id, version, file: without the folder that they are all in."""
        return asset.path.removeprefix(f"{CONTENT}/").split("/")

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        told = asset.attributes
        return {
            "id": told.get("id", asset.coordinates.name),
            "version": told.get("version", asset.coordinates.version),
            "is_prerelease": nuget_prerelease(asset.coordinates.version),
        }

    def problem(self, error: PakhusError) -> Reply:
        """Clients show their user the words after the status, which the engine fills in, and not the body."""
        return Reply(error.status, (error.message + "\n").encode(), {"content-type": "text/plain; charset=utf-8"})


__all__ = ["Nuget"]
