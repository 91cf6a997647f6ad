"""The members that repositories of all formats share, as the REST API takes them: checked, and kept as they came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from pakhus.domain.errors import Invalid


def _any_case(value: Any) -> Any:
    known = {each.lower(): each for each in ("username", "ntlm", "bearerToken")}
    return known.get(value.lower(), value) if isinstance(value, str) else value


class Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Cleanup(Section):
    """The cleanup policies that apply."""

    policy_names: list[str] = []


class Component(Section):
    proprietary_components: bool = False


class Replication(Section):
    preemptive_pull_enabled: bool = False
    asset_path_regex: str | None = None


class Connection(Section):
    """How a proxy talks to its upstream; `timeout` in seconds."""

    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    user_agent_suffix: str | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] | None = None
    enable_circular_redirects: bool = False
    enable_cookies: bool = False
    use_trust_store: bool = False
    proxy_url: str | None = None
    ca_certificates: str | None = None

    @model_serializer(mode="wrap")
    def _as_nexus(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Members that Nexus does not have are shown where they are set."""
        shown: dict[str, Any] = handler(self)
        return {k: v for k, v in shown.items() if v is not None or k not in ("proxyUrl", "caCertificates")}


class Authentication(Section):
    """How a proxy logs in."""

    type: Annotated[Literal["username", "ntlm", "bearerToken"], BeforeValidator(_any_case)] = "username"
    username: str | None = None
    password: str | None = None
    ntlm_host: str | None = None
    ntlm_domain: str | None = None
    bearer_token: str | None = None
    preemptive: bool | None = None

    @model_serializer(mode="wrap")
    def _set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = handler(self)
        return {k: v for k, v in shown.items() if v is not None}


class NegativeCache(Section):
    """How long "upstream has no such thing" is remembered, in minutes."""

    enabled: bool = True
    time_to_live: Annotated[int, Field(ge=-1)] = 1440


class HttpClient(Section):
    blocked: bool = False
    auto_block: bool = True
    connection: Connection | None = None
    authentication: Authentication | None = None


class Proxy(Section):
    """Ages in minutes, -1 is "never expires"."""

    remote_url: str = ""
    content_max_age: Annotated[int, Field(ge=-1)] = 1440
    metadata_max_age: Annotated[int, Field(ge=-1)] = 1440


SHARED: dict[str, type[Section]] = {"cleanup": Cleanup, "component": Component, "replication": Replication}


def checked(model: type[Section], name: str, given: Any) -> dict[str, Any]:
    """The member `name` of a repository's object, with its defaults. Raises `Invalid`."""
    try:
        return model.model_validate(_without_null(given)).model_dump(by_alias=True)
    except ValidationError as error:
        raise first(error, name) from error


def _without_null(given: Any) -> Any:
    """Null stands for the default."""
    if isinstance(given, Mapping):
        return {key: _without_null(value) for key, value in given.items() if value is not None}
    return given


def first(error: ValidationError, *above: str) -> Invalid:
    """The first flaw, named by its place in the body."""
    flaw = error.errors()[0]
    message = re.sub(r"^(Value error|Assertion failed), ", "", flaw["msg"])
    return Invalid(message, field=".".join([*above, *(str(each) for each in flaw["loc"])]) or "*")
