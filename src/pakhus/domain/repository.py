"""A repository and the settings that every format shares, in Nexus's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9\-][a-zA-Z0-9_\-.]*\Z")
NAME_RULE = (
    "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed "
    "and may not start with underscore or dot."
)


class RepositoryType(StrEnum):
    HOSTED = "hosted"
    PROXY = "proxy"
    GROUP = "group"


HOSTED = frozenset({RepositoryType.HOSTED})
PROXY = frozenset({RepositoryType.PROXY})
GROUP = frozenset({RepositoryType.GROUP})
ANY = frozenset(RepositoryType)


class WritePolicy(StrEnum):
    ALLOW = "ALLOW"
    ALLOW_ONCE = "ALLOW_ONCE"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a proxy presents itself: `username` (Basic, also answering token challenges) or `bearerToken`."""

    type: str = "username"
    username: str = ""
    password: str = ""
    bearer_token: str = ""
    preemptive: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """How a proxy talks to its upstream. Times in seconds."""

    retries: int = 0
    timeout: float = 20.0
    user_agent_suffix: str = ""
    circular_redirects: bool = False
    cookies: bool = False
    proxy_url: str = ""
    ca_certificates: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """The upstream of a proxy. Ages in minutes, −1 means "never expires"."""

    url: str
    content_max_age: int = 1440
    metadata_max_age: int = 1440
    negative_cache: bool = True
    negative_ttl: int = 1440
    blocked: bool = False
    auto_block: bool = True
    authentication: Authentication | None = None
    connection: Connection = Connection()


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """`mode` ALLOW lets only matching paths through, BLOCK all but matching ones.

    A path has its leading slash.
    """

    name: str
    mode: str
    matchers: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository. `settings` is the object that the REST API takes and gives, without name and type."""

    id: int
    name: str
    format: str
    type: RepositoryType
    online: bool = True
    blob_store: str = "default"
    write_policy: WritePolicy = WritePolicy.ALLOW
    strict_content_type: bool = False
    members: tuple[str, ...] = ()
    writable_member: str | None = None
    remote: Remote | None = None
    routing_rule: RoutingRule | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    invalidated: datetime | None = None
