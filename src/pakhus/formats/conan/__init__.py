"""Conan: C and C++ packages, for Conan 2 and for Conan 1 with and without revisions.

Nexus's words: the component's group is the user, its version carries the channel. A component is a recipe with all its
revisions and packages; attributes: `baseVersion`, `channel`, `recipe` once its manifest is there, and what
`conanfile.py` says of itself. Attributes of an asset: `revision`, `packageId`, `packageRevision`, `info`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from pakhus.domain.content import Asset
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.conan import files, removal, users, v1
from pakhus.formats.conan.listing import PackageFiles, RecipeFiles
from pakhus.formats.conan.packages import PackageSearch, search_latest
from pakhus.formats.conan.reference import BINARY, BUILD, BUILD_FILE, RECIPE, RECIPE_FILE, REVISION, located, text
from pakhus.formats.conan.revisions import PackageLatest, PackageRevisions, RecipeLatest, RecipeRevisions
from pakhus.formats.conan.search import RecipeSearch, UnrevisedRecipeSearch
from pakhus.formats.conan.settings import ProxySettings
from pakhus.formats.conan.usage import USAGE
from pakhus.kit.context import Call, Reply, Settings, View
from pakhus.kit.format import ANY, BASIC, BEARER, READS, Action, Clue, Format, Route
from pakhus.kit.versions import natural_key

ADD, READ, DELETE = Permission.ADD, Permission.READ, Permission.DELETE
REMOTE = "conan remote list 2>/dev/null | sed -n 's/^conancenter: *\\([^ ]*\\).*/\\1/p'"
"""Prints the address that an installed client of either generation comes with."""
EITHER = "{protocol:v1|v2}"


def reading(
    path: str, run: Callable[[Call, View], Awaitable[Reply]], needs: Permission | None = READ
) -> Sequence[Action]:
    """GET and HEAD of what is computed in a repository of any type."""
    return [Action(method, path, run, on=ANY, needs=needs) for method in READS]


ACCOUNT: tuple[Route, ...] = (
    *reading(EITHER + "/ping", users.ping, None),
    Action("GET", EITHER + "/users/authenticate", users.authenticate, on=ANY, needs=None),
    *reading(EITHER + "/users/check_credentials", users.check_credentials, None),
)
RECIPES: tuple[Route, ...] = (
    RecipeSearch(),
    RecipeLatest(),
    RecipeRevisions(),
    RecipeFiles(),
    PackageSearch(),
    *reading(RECIPE + "/search", search_latest),
    files.RecipeFile(),
    Action("PUT", RECIPE_FILE, files.put),
    Action("DELETE", RECIPE, removal.remove_recipe, needs=DELETE),
    Action("DELETE", REVISION, removal.remove_revision, needs=DELETE),
)
PACKAGES: tuple[Route, ...] = (
    PackageLatest(),
    PackageRevisions(),
    PackageFiles(),
    files.BuildFile(),
    Action("PUT", BUILD_FILE, files.put),
    Action("DELETE", REVISION + "/packages", removal.remove_packages, needs=DELETE),
    Action("DELETE", BINARY, removal.remove_package, needs=DELETE),
    Action("DELETE", BUILD, removal.remove_build, needs=DELETE),
)
UNREVISED: tuple[Route, ...] = (
    UnrevisedRecipeSearch(),
    *reading(v1.RECIPE_V1 + "/search", search_latest),
    *reading(v1.RECIPE_V1 + "/digest", v1.digest),
    *reading(v1.RECIPE_V1 + "/download_urls", v1.download_urls),
    Action("POST", v1.RECIPE_V1 + "/upload_urls", v1.recipe_upload_urls, on=ANY, needs=ADD),
    Action("POST", v1.RECIPE_V1 + "/remove_files", v1.remove_files, needs=DELETE),
    Action("POST", v1.RECIPE_V1 + "/packages/delete", v1.remove_packages, needs=DELETE),
    *reading(v1.RECIPE_V1, v1.snapshot),
    Action("DELETE", v1.RECIPE_V1, v1.remove_recipe, needs=DELETE),
    *reading(v1.PACKAGE_V1, v1.snapshot),
    *reading(v1.PACKAGE_V1 + "/digest", v1.digest),
    *reading(v1.PACKAGE_V1 + "/download_urls", v1.download_urls),
    Action("POST", v1.PACKAGE_V1 + "/upload_urls", v1.package_upload_urls, on=ANY, needs=ADD),
)


class Conan(Format):
    name = "conan"
    routes = (*ACCOUNT, *RECIPES, *PACKAGES, *UNREVISED)
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {RepositoryType.PROXY: ProxySettings}
    credentials = (BEARER, BASIC)
    search: ClassVar[Mapping[str, str]] = {
        "conan.baseVersion": "component.baseVersion",
        "conan.channel": "component.channel",
        "conan.revision": "asset.revision",
        "conan.packageId": "asset.packageId",
        "conan.packageRevision": "asset.packageRevision",
    }
    usage = USAGE
    clues = (Clue(command=("sh", "-c", REMOTE)),)

    def version_key(self, version: str) -> Any:
        return natural_key(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        """`user / name / version / channel / revision / …`, as far as the path says."""
        params = located(asset.path)
        if params is None:
            return super().browse(asset)
        above = [params["user"], params["name"], params["version"], params["channel"], params["revision"]]
        package = [params[part] for part in ("package_id", "package_revision") if part in params]
        return [*above, *package, *params["file"].split("/")]

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        params = located(asset.path)
        if params is None:
            return {}
        told = {"baseVersion": params["version"], "channel": params["channel"], "reference": text(params)}
        return {**told, **{name: value for name, value in asset.attributes.items() if name != "info"}}


__all__ = ["Conan"]
