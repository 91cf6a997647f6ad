"""Options of apt repositories: the members `apt` and `aptSigning` of the REST objects."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from pakhus.domain.repository import RepositoryType
from pakhus.formats.apt.deb import ARCHITECTURE
from pakhus.formats.apt.places import DISTRIBUTION
from pakhus.kit.context import Settings, SigningKeyPair

ARCHITECTURES = ("amd64", "arm64")
DEFAULT_DISTRIBUTION = "stable"
VALID_DAYS = 14
LINE = r"^[^\r\n\x00]*$"


class Signed(Settings):
    """What a `Release` says beside the indexes. Empty: the repository's name; `valid_days`: 0 is for ever."""

    origin: str = Field(default="", pattern=LINE)
    label: str = Field(default="", pattern=LINE)
    valid_days: int = Field(default=VALID_DAYS, ge=0, le=3650)


class Hosted(Signed):
    """`distribution`: where uploads go that name none. `architectures`: published even when they are empty.

    `flat`: all packages are listed below `flat/`, too.
    """

    distribution: str = DEFAULT_DISTRIBUTION
    architectures: tuple[str, ...] = ARCHITECTURES
    flat: bool = False

    @field_validator("distribution")
    @classmethod
    def is_a_name(cls, value: str) -> str:
        if not DISTRIBUTION.fullmatch(value):
            raise ValueError("must be the name of a distribution")
        return value

    @field_validator("architectures")
    @classmethod
    def are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ARCHITECTURE.fullmatch(each) for each in value):
            raise ValueError("must be names of architectures")
        return tuple(dict.fromkeys(value))


class Proxy(Settings):
    """`flat`: upstream has no `dists/`. `enforce_distribution`: no other distribution is read.

    `architectures`: of which upstream's packages enter a group's indexes.
    """

    distribution: str = DEFAULT_DISTRIBUTION
    flat: bool = False
    enforce_distribution: bool = False
    architectures: tuple[str, ...] = ARCHITECTURES

    _names = field_validator("architectures")(Hosted.are_names.__func__)  # type: ignore[attr-defined]


class HostedSettings(Settings):
    apt: Hosted = Hosted()
    apt_signing: SigningKeyPair | None = None


class ProxySettings(Settings):
    apt: Proxy = Proxy()


class GroupSettings(Settings):
    apt: Signed = Signed()
    apt_signing: SigningKeyPair | None = None


SETTINGS: Mapping[RepositoryType, type[Settings]] = {
    RepositoryType.HOSTED: HostedSettings,
    RepositoryType.PROXY: ProxySettings,
    RepositoryType.GROUP: GroupSettings,
}
