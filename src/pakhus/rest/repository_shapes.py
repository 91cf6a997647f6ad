"""The JSON of repositories: one object per format and type, made of common members and the format's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from pakhus.domain.repository import Repository, RepositoryType
from pakhus.kit.format import Format
from pakhus.kit.paths import quoted
from pakhus.rest.bodies import Shape

SECRETS = frozenset({"password", "bearerToken", "passphrase", "keypair", "secretAccessKey", "sessionToken"})
AUTHENTICATION = ("type", "username", "ntlmHost", "ntlmDomain")


class StorageAttributes(Shape):
    blob_store_name: str = "default"
    strict_content_type_validation: bool = True


class HostedStorageAttributes(StorageAttributes):
    write_policy: str = "ALLOW"


class CleanupAttributes(Shape):
    policy_names: list[str] = []


class ComponentAttributes(Shape):
    proprietary_components: bool = False


class ProxyAttributes(Shape):
    """Ages in minutes, -1 is "never expires"."""

    remote_url: str
    content_max_age: int = 1440
    metadata_max_age: int = 1440


class NegativeCacheAttributes(Shape):
    enabled: bool = True
    time_to_live: int = 1440


class ConnectionAttributes(Shape):
    retries: int | None = None
    user_agent_suffix: str | None = None
    timeout: int | None = None
    enable_circular_redirects: bool = False
    enable_cookies: bool = False
    use_trust_store: bool = False


class AuthenticationAttributes(Shape):
    type: str = "username"
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    preemptive: bool = False


class HttpClientAttributes(Shape):
    blocked: bool = False
    auto_block: bool = True
    connection: ConnectionAttributes | None = None
    authentication: AuthenticationAttributes | None = None


class ReplicationAttributes(Shape):
    preemptive_pull_enabled: bool = False
    asset_path_regex: str | None = None


class GroupAttributes(Shape):
    member_names: list[str]
    writable_member: str | None = None


class _Common(Shape):
    name: str
    online: bool = True


class _Hosted(_Common):
    storage: HostedStorageAttributes
    cleanup: CleanupAttributes | None = None
    component: ComponentAttributes | None = None


class _Proxy(_Common):
    storage: StorageAttributes
    cleanup: CleanupAttributes | None = None
    proxy: ProxyAttributes
    negative_cache: NegativeCacheAttributes
    http_client: HttpClientAttributes
    routing_rule: str | None = None
    replication: ReplicationAttributes | None = None


class _Group(_Common):
    storage: StorageAttributes
    group: GroupAttributes


COMMON: Mapping[RepositoryType, type[Shape]] = {
    RepositoryType.HOSTED: _Hosted,
    RepositoryType.PROXY: _Proxy,
    RepositoryType.GROUP: _Group,
}


def request_model(format: Format, type: RepositoryType) -> type[BaseModel]:
    """What a create or update of this format and type takes; for the OpenAPI document, the service validates."""
    options = format.options(type)
    own: dict[str, Any] = {
        name: (field.annotation, Field(default=None, alias=field.alias)) for name, field in options.model_fields.items()
    }
    title = f"{format.name.capitalize()}{type.value.capitalize()}RepositoryApiRequest"
    model = create_model(title, __base__=COMMON[type], **own)
    model.model_config = ConfigDict(**{**model.model_config, "title": title})
    return model


class RepositoryXO(Shape):
    """A repository in the list."""

    name: str
    format: str
    type: str
    url: str
    attributes: dict[str, Any]


def listed(repository: Repository, base_url: str) -> RepositoryXO:
    attributes: dict[str, Any] = {}
    if repository.remote is not None:
        attributes["proxy"] = {"remoteUrl": repository.remote.url}
    return RepositoryXO(
        name=repository.name,
        format=repository.format,
        type=repository.type.value,
        url=url_of(repository, base_url),
        attributes=attributes,
    )


def described(repository: Repository, format: Format, base_url: str) -> dict[str, Any]:
    """The object that the per-format GET answers with: unset members are null, secrets are left out."""
    settings = repository.settings
    shown: dict[str, Any] = {
        "name": repository.name,
        "url": url_of(repository, base_url),
        "online": repository.online,
        "storage": settings["storage"],
    }
    if "group" in settings:
        shown["group"] = settings["group"]
    else:
        shown["cleanup"] = settings.get("cleanup")
    if "proxy" in settings:
        shown |= _upstream(repository)
    for name, field in format.options(repository.type).model_fields.items():
        member = field.alias or to_camel(name)
        if member in settings:
            shown[member] = _public(settings[member])
    if not ("group" in settings or "proxy" in settings):
        shown["component"] = settings.get("component")
    return shown | {"format": repository.format, "type": repository.type.value}


def url_of(repository: Repository, base_url: str) -> str:
    return f"{base_url}/repository/{quoted(repository.name)}"


def _upstream(repository: Repository) -> dict[str, Any]:
    settings = repository.settings
    client = settings["httpClient"]
    return {
        "proxy": settings["proxy"],
        "negativeCache": settings["negativeCache"],
        "httpClient": {**client, "authentication": _authentication(client.get("authentication"))},
        "routingRuleName": repository.routing_rule.name if repository.routing_rule else None,
        "replication": settings.get("replication"),
    }


def _authentication(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How a proxy logs in, without what it says there."""
    if not kept:
        return None
    shown = {name: kept.get(name) for name in AUTHENTICATION}
    return {**shown, "preemptive": kept["preemptive"]} if "preemptive" in kept else shown


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(each) for name, each in value.items() if name not in SECRETS}
    return [_public(each) for each in value] if isinstance(value, list) else value
