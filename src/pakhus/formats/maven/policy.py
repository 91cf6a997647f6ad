"""What a Maven repository takes: its options, and which versions and paths they refuse, in Nexus's words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic import Field as Option
from pydantic_core import PydanticCustomError

from pakhus.domain.errors import PolicyViolation
from pakhus.formats.maven.layout import Gav, Place, is_snapshot, parse
from pakhus.kit.context import Settings

VersionPolicy = Literal["RELEASE", "SNAPSHOT", "MIXED"]
LayoutPolicy = Literal["STRICT", "PERMISSIVE"]
Disposition = Literal["INLINE", "ATTACHMENT"]

BAD_LAYOUT = "Invalid mavenPath for a Maven 2 repository"
BAD_VERSION = "Repository version policy: {policy} does not allow version: {version}"
BAD_METADATA = "Repository version policy: {policy} does not allow metadata in path: {path}"
INDEX = ".index/"
"""Where repositories publish the search index that IDEs download."""
PREFIXES = ".meta/"
"""A list of the groups that a repository has. It would be wrong as soon as the repository is a member of a group."""


def one_of(*words: str) -> BeforeValidator:
    """Exactly these words, and an error that names them."""

    def check(value: Any) -> Any:
        if value not in words:
            raise PydanticCustomError("one_of", "must be one of {words}", {"words": ", ".join(words)})
        return value

    return BeforeValidator(check)


class MavenOptions(Settings):
    version_policy: Annotated[VersionPolicy, one_of("RELEASE", "SNAPSHOT", "MIXED")] = "MIXED"
    layout_policy: Annotated[LayoutPolicy, one_of("STRICT", "PERMISSIVE")] = "STRICT"
    content_disposition: Annotated[Disposition, one_of("INLINE", "ATTACHMENT")] | None = None


class MavenSettings(Settings):
    maven: MavenOptions = Option(default_factory=MavenOptions)


OPEN = MavenOptions(version_policy="MIXED", layout_policy="PERMISSIVE")
"""Where a repository has no policies of its own, those of its members count."""


def options(settings: Any) -> MavenOptions:
    """The Maven options among a repository's settings."""
    found = getattr(settings, "maven", OPEN)
    return found if isinstance(found, MavenOptions) else OPEN


def allows(settings: Any, version: str) -> bool:
    """Does the version policy let this base version in?"""
    policy = options(settings).version_policy
    return policy == "MIXED" or (policy == "SNAPSHOT") == is_snapshot(version)


def admit_path(settings: Any, path: str) -> Gav | None:
    """The coordinates of a path that the policies let in, `None` for a path without. Raises `PolicyViolation`."""
    gav = parse(path)
    if gav is None:
        strict = options(settings).layout_policy == "STRICT" and not path.startswith(INDEX)
        if strict or path.startswith(PREFIXES) or path.endswith("/"):
            raise PolicyViolation(BAD_LAYOUT)
    elif not allows(settings, gav.base_version):
        policy = options(settings).version_policy
        raise PolicyViolation(BAD_VERSION.format(policy=policy, version=gav.version))
    return gav


def admit_metadata(settings: Any, path: str, place: Place) -> None:
    """Raises `PolicyViolation` for metadata of a version that the policy refuses."""
    if place.is_version and not allows(settings, place.version):
        policy = options(settings).version_policy
        raise PolicyViolation(BAD_METADATA.format(policy=policy, path=path))
