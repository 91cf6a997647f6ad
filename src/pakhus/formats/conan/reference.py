"""References: how Conan names recipes and packages, and where their files stand.

`name/version@user/channel#revision:package_id#package_revision`; a missing user or channel is `_` in paths. Paths are
those of the protocol's version 2, so that a file has one path whichever version of the protocol moved it.
Source: the routes of conan_server; the reference syntax of Conan 1 and 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pakhus.domain.content import Coordinates, Query
from pakhus.domain.errors import BadPath
from pakhus.kit.paths import expand, template

NONE = "_"
"""Stands in paths for the user or channel that a reference does not have."""
UNREVISED = "0"
"""The revision of all that clients without revisions upload: the only one whose files change."""

REFERENCE = "{name}/{version}/{user}/{channel}"
RECIPE = "v2/conans/" + REFERENCE
REVISION = RECIPE + "/revisions/{revision}"
BINARY = REVISION + "/packages/{package_id}"
BUILD = BINARY + "/revisions/{package_revision}"
RECIPE_FILE = REVISION + "/files/{file:path}"
BUILD_FILE = BUILD + "/files/{file:path}"

MANIFEST = "conanmanifest.txt"
"""The last file of an upload: a revision is there when its manifest is."""
INFO = "conaninfo.txt"
RECIPE_SOURCE = "conanfile.py"
METADATA = "metadata/"
"""Files below it may be added to a revision later, and replaced."""

_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_+.-]{0,99}")
_REVISION = re.compile(r"[a-zA-Z0-9_.-]{1,100}")
_RULES = {
    "name": _NAME,
    "version": _NAME,
    "user": _NAME,
    "channel": _NAME,
    "revision": _REVISION,
    "package_id": _REVISION,
    "package_revision": _REVISION,
}


def coordinates(params: Mapping[str, str]) -> Coordinates:
    """Nexus's words: the group is the user, and the version carries the channel."""
    version, channel = params["version"], params["channel"]
    return Coordinates(
        params["name"],
        version if channel == NONE else f"{version}-{channel}",
        "" if params["user"] == NONE else params["user"],
    )


def recipe_query(params: Mapping[str, str]) -> Query:
    """The component of a recipe: all its revisions, and all packages of each."""
    wanted = coordinates(params)
    return Query(namespace=wanted.namespace, name=wanted.name, version=wanted.version)


def text(params: Mapping[str, str]) -> str:
    """`name/version@user/channel`, as much of it as there is."""
    user, channel = params["user"], params["channel"]
    tail = "" if user == NONE else f"@{user}" if channel == NONE else f"@{user}/{channel}"
    return f"{params['name']}/{params['version']}{tail}"


def full_text(params: Mapping[str, str]) -> str:
    """The reference with the revisions and the package that the parameters name."""
    package = f":{params['package_id']}" if "package_id" in params else ""
    revision = f"#{params['revision']}" if "revision" in params else ""
    built = f"#{params['package_revision']}" if "package_revision" in params else ""
    return text(params) + revision + package + built


def check(params: Mapping[str, str]) -> None:
    """Raise `BadPath` for what no client would call a name, a version or a revision."""
    for part, rule in _RULES.items():
        if part in params and not rule.fullmatch(params[part]):
            raise BadPath(f"'{params[part]}' is not a {part.replace('_', ' ')} that Conan can have")


def located(path: str) -> dict[str, str] | None:
    """The parameters of a stored file's path, with `package_id` if it belongs to a package."""
    return template(BUILD_FILE).match(path) or template(RECIPE_FILE).match(path)


def files_below(template_text: str, params: Mapping[str, str]) -> str:
    """The folder that holds what such a template names."""
    return expand(template_text, **params) + "/"


def is_fixed(params: Mapping[str, str]) -> bool:
    """Do the files of this revision never change?"""
    return UNREVISED not in (params["revision"], params.get("package_revision"))
