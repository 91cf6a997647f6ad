"""What all proxies share when they ask their upstreams, unless a repository says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlsplit

from pakhus.domain.repository import Repository


@dataclass(frozen=True, slots=True)
class OutboundProxy:
    """A forward proxy; with a user, one that wants credentials."""

    host: str
    port: int
    username: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.username else ""
        return f"http://{login}{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Outbound:
    """`timeout` in seconds. `direct` are patterns of hosts that no proxy stands before (`*.example.org`)."""

    user_agent: str = ""
    timeout: int | None = None
    retries: int | None = None
    direct: tuple[str, ...] = ()
    http_proxy: OutboundProxy | None = None
    https_proxy: OutboundProxy | None = None
    trusted: tuple[str, ...] = ()
    """Certificates in PEM that repositories with `useTrustStore` trust."""

    def proxy_for(self, url: str) -> str:
        """The URL of the proxy through which a server is asked; empty for none."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if any(fnmatchcase(host, pattern.lower()) for pattern in self.direct):
            return ""
        # As in Nexus, https goes through the proxy for http where it has none of its own.
        chosen = (self.https_proxy or self.http_proxy) if parts.scheme == "https" else self.http_proxy
        return chosen.url if chosen is not None else ""

    def applied(self, repository: Repository) -> Repository:
        """The repository, with what its own connection leaves open."""
        remote = repository.remote
        if remote is None:
            return repository
        own = (repository.settings.get("httpClient") or {}).get("connection") or {}
        connection = remote.connection
        agent = " ".join(each for each in (self.user_agent, connection.user_agent_suffix) if each)
        trusted = "\n".join((connection.ca_certificates, *self.trusted)).strip() if own.get("useTrustStore") else ""
        connection = replace(
            connection,
            user_agent_suffix=agent,
            timeout=connection.timeout if self.timeout is None or own.get("timeout") else float(self.timeout),
            retries=connection.retries if self.retries is None or own.get("retries") is not None else self.retries,
            proxy_url=connection.proxy_url or self.proxy_for(remote.url),
            ca_certificates=trusted or connection.ca_certificates,
        )
        return replace(repository, remote=replace(remote, connection=connection))


def outbound_of(kept: Mapping[str, Any], trusted: Sequence[str]) -> Outbound:
    """The domain's settings from the (opened) object of the REST API."""
    return Outbound(
        user_agent=kept.get("userAgent") or "",
        timeout=kept.get("timeout"),
        retries=kept.get("retries"),
        direct=tuple(kept.get("nonProxyHosts") or ()),
        http_proxy=_proxy(kept.get("httpProxy")),
        https_proxy=_proxy(kept.get("httpsProxy")),
        trusted=tuple(trusted),
    )


def _proxy(kept: Mapping[str, Any] | None) -> OutboundProxy | None:
    if not kept or not kept.get("enabled"):
        return None
    login = kept.get("authInfo") or {}
    if not login.get("enabled"):
        login = {}
    port = int(kept.get("port") or 80)
    return OutboundProxy(kept.get("host") or "", port, login.get("username") or "", login.get("password") or "")
