"""The settings of docker repositories, in Nexus's words and with two of our own."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from pakhus.kit.context import Settings

Port = int | None
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)


class Spare(Settings):
    """Members that were not given are not shown: clients compare what they get with what they sent."""

    @model_serializer(mode="wrap")
    def without_unset(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class DockerOptions(Spare):
    """`untagged_days`: manifests that no tag and no index needs go after so many days; unset: they stay."""

    v1_enabled: bool = False
    force_basic_auth: bool = True
    http_port: Port = Field(default=None, ge=1, le=65535)
    https_port: Port = Field(default=None, ge=1, le=65535)
    subdomain: str | None = None
    path_enabled: bool | None = None
    untagged_days: int | None = Field(default=None, ge=1)

    @field_validator("subdomain")
    @classmethod
    def is_label(cls, value: str | None) -> str | None:
        if value and LABEL.fullmatch(value) is None:
            raise ValueError("must be 1 to 63 letters, digits and hyphens, beginning and ending with no hyphen")
        return value or None

    @model_validator(mode="after")
    def ports_differ(self) -> Self:
        if self.http_port is not None and self.http_port == self.https_port:
            raise ValueError("httpPort and httpsPort must not be the same")
        return self


class StorageOptions(Settings):
    """`latest_policy`: the tag `latest` may be moved although the write policy is ALLOW_ONCE."""

    latest_policy: bool = False


class HostedSettings(Settings):
    docker: DockerOptions = Field(default_factory=DockerOptions)
    storage: StorageOptions = Field(default_factory=StorageOptions, exclude=True)


class ProxyOptions(Spare):
    """`index_type` HUB knows that images without a folder are in `library/`."""

    index_type: Literal["HUB", "REGISTRY", "CUSTOM"] = "REGISTRY"
    index_url: str | None = None
    cache_foreign_layers: bool = False
    foreign_layer_url_whitelist: list[str] = []

    @field_validator("foreign_layer_url_whitelist")
    @classmethod
    def are_expressions(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                re.compile(each)
            except re.error as error:
                raise ValueError(f"'{each}' is not a regular expression: {error}") from error
        return value


class ProxySettings(Settings):
    docker: DockerOptions = Field(default_factory=DockerOptions)
    docker_proxy: ProxyOptions = Field(default_factory=ProxyOptions)


class GroupSettings(Settings):
    docker: DockerOptions = Field(default_factory=DockerOptions)
