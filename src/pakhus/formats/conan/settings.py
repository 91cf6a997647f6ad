"""The options of a Conan proxy, in Nexus's words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field as Option

from pakhus.kit.context import Settings


class ProxyOptions(Settings):
    """`V1` offers clients no revisions. Upstreams are asked by the protocol's version 2 either way."""

    conan_version: Literal["V1", "V2"] = "V2"


class ProxySettings(Settings):
    conan_proxy: ProxyOptions = Option(default_factory=ProxyOptions)
