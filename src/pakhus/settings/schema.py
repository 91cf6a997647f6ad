"""The schema of the configuration: every key, its default, its rule and its one-line description.

The models are frozen and read nothing by themselves; `pakhus.settings.load` fills them.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

SHORTEST_SECRET = 32
WEAK = ("secret", "changeme", "change-me", "password", "default", "example", "pakhus", "admin", "0123456789", "test")
ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\[\]:/\s]*):(?P<port>\d{1,5})\Z")
DSN_SCHEMES = ("sqlite", "postgresql", "postgres")

Seconds = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port` or `:port`; an empty host means every interface."""
    match = ADDRESS.match(text)
    if not match or int(match["port"]) > 65535:
        raise ValueError(f"{text!r} is not an address: write host:port, [::1]:port or :port")
    return match["host"].strip("[]"), int(match["port"])


def web_address(text: str) -> str:
    """The text without trailing slash, if it is an absolute http(s) URL; empty stays empty."""
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"{text!r} is not an http or https URL")
    return text.rstrip("/")


def default_data() -> Path:
    """Where a server keeps its state if nobody says: the system's place for root, else the user's."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/pakhus")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pakhus"


class Tls(Section):
    enabled: bool = Field(default=False, description="Serve HTTPS instead of HTTP.")
    cert_file: Path | None = Field(default=None, description="Certificate chain, PEM.")
    key_file: Path | None = Field(default=None, description="Private key of the certificate, PEM, not encrypted.")

    @model_validator(mode="after")
    def complete(self) -> Self:
        if self.enabled and not (self.cert_file and self.key_file):
            raise ValueError("needs cert_file and key_file when enabled")
        return self


class Http(Section):
    addr: str = Field(
        default=":8081", description="Where the server listens: `host:port`, `[::1]:port`, or `:port` for all."
    )
    read_timeout_sec: Seconds = Field(
        default=60, description="A client that sends nothing of its request for so long is cut."
    )
    write_timeout_sec: Seconds = Field(
        default=60, description="A client that takes nothing of its answer for so long is cut."
    )
    max_body_mb: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Largest accepted request body, in MiB; empty: no limit."
    )
    base_url: str = Field(
        default="", description="The address clients use, where a reverse proxy hides it; empty: as asked."
    )
    nexus_version: str = Field(
        default="3.88.0-01",
        pattern=r"^\d+\.\d+\.\d+(-\d+)?$",
        description="The version of Nexus that the `Server` header names: its clients choose by it what they ask for.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Networks (CIDR) whose `X-Forwarded-*` headers are believed; empty: nobody's."
    )
    rate_limit_per_user: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Requests a minute that an account may make, of this process; empty: no limit."
    )
    rate_limit_per_address: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Requests a minute that may come from an address; empty: no limit."
    )
    rate_limit_reads: bool = Field(default=False, description="Count reads (GET, HEAD) for the rate limits, too.")
    rate_limit_exempt: tuple[str, ...] = Field(
        default=(), description="Networks (CIDR) from which requests are not counted; empty: none."
    )
    tls: Tls = Tls()

    _base_url = field_validator("base_url")(web_address)

    @field_validator("addr")
    @classmethod
    def is_address(cls, value: str) -> str:
        address(value)
        return value

    @field_validator("trusted_proxies", "rate_limit_exempt")
    @classmethod
    def are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(item.strip())) for item in value)

    @property
    def host(self) -> str:
        return address(self.addr)[0]

    @property
    def port(self) -> int:
        return address(self.addr)[1]


class Database(Section):
    dsn: str = Field(
        default="", description="`postgresql://…` or `sqlite:///path`; empty: SQLite in the data directory."
    )
    max_conns: Annotated[int, Field(gt=0)] = Field(default=20, description="Most connections of this process.")
    min_conns: Annotated[int, Field(ge=0)] = Field(default=2, description="Connections kept open.")
    max_idle_sec: Seconds = Field(default=300, description="A connection idle for so long is closed.")

    @field_validator("dsn")
    @classmethod
    def is_known(cls, value: str) -> str:
        scheme = value.partition("://")[0].partition("+")[0]
        if value and ("://" not in value or scheme not in DSN_SCHEMES):
            # The value itself may hold a password: it is not repeated.
            raise ValueError("must start with postgresql:// or sqlite:///")
        return value

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.min_conns > self.max_conns:
            raise ValueError(f"min_conns ({self.min_conns}) is more than max_conns ({self.max_conns})")
        return self


class Local(Section):
    base_path: Path | None = Field(
        default=None,
        description="Folder of the default file blob store, relative to the data directory; empty: `blobs`.",
    )


class Storage(Section):
    default_type: Literal["file"] = Field(
        default="file", description="Kind of the blob store that a new server starts with."
    )
    local: Local = Local()
    quota: Literal["report", "refuse"] = Field(
        default="report",
        description="What a blob store beyond its soft quota does with new blobs: takes or refuses them.",
    )


class Auth(Section):
    jwt_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs sessions, at least 32 characters; empty: generated and kept in the data directory.",
    )
    jwt_expiry_hours: Annotated[int, Field(gt=0)] = Field(default=12, description="Lifetime of a login, in hours.")
    anonymous_enabled: bool = Field(default=False, description="Let a new server start with anonymous access.")
    password_min_length: Annotated[int, Field(ge=1)] = Field(
        default=8, description="Shortest password a user may choose."
    )
    password_refuse_common: bool = Field(
        default=True, description="Refuse passwords that are guessed early: common words, names, patterns."
    )
    token_max_days: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Longest life of an access token, in days; empty: no limit."
    )
    lockout_failures: Annotated[int, Field(gt=0)] = Field(
        default=10, description="After so many wrong passwords a user has to wait at the address they came from."
    )
    lockout_address_failures: Annotated[int, Field(gt=0)] = Field(
        default=50, description="After so many wrong passwords from an address, everybody there has to wait."
    )
    lockout_minutes: Annotated[int, Field(gt=0)] = Field(
        default=5, description="How long wrong passwords are remembered, from the first one."
    )
    lockout_exempt: tuple[str, ...] = Field(
        default=(), description="Networks (CIDR) from which wrong passwords are not counted; empty: none."
    )
    remote_user_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Header in which a trusted proxy names the user, for the Rut Auth realm; empty: none.",
    )
    ldap_ca_file: Path | None = Field(
        default=None, description="Certificate authorities of LDAP servers, PEM, beside those of the system."
    )
    ldap_cache_seconds: Annotated[int, Field(gt=0)] = Field(
        default=300, description="How long it is remembered what an LDAP server said of a user and a password."
    )
    login_token_days: Annotated[int, Field(gt=0)] = Field(
        default=30, description="Life of what a client's own login (`npm login`, Conan) gets, in days."
    )

    @field_validator("lockout_exempt")
    @classmethod
    def are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(item.strip())) for item in value)

    @field_validator("jwt_secret")
    @classmethod
    def is_strong(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and (problem := weakness(secret)):
            raise ValueError(f"{problem}; leave it empty to have one generated")
        return value


def weakness(secret: str) -> str | None:
    """Why a signing secret must not be used, or None."""
    if secret.casefold().strip() in WEAK:
        return "is a well-known example value"
    if len(secret) < SHORTEST_SECRET:
        return f"is too short: at least {SHORTEST_SECRET} characters"
    # A pattern repeated to the wanted length is as weak as the pattern ("changemechangeme…", "aaaa…").
    if len(set(secret)) < 8 or any(not secret.casefold().replace(word, "").strip("-_.!0123456789") for word in WEAK):
        return "is easy to guess"
    return None


class Bootstrap(Section):
    admin_username: str = Field(
        default="admin", min_length=1, description="First administrator, made on an empty database."
    )
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="The administrator's first password; empty: generated into `admin.password`."
    )
    admin_email: str = Field(default="admin@example.org", description="The administrator's e-mail address.")
    default_repositories: bool = Field(
        default=True, description="Make repositories of every format on an empty database."
    )
    upstreams: dict[str, str] = Field(
        default_factory=dict, description="Format to URL: what the default `<format>-proxy` repositories mirror."
    )

    @field_validator("upstreams")
    @classmethod
    def are_urls(cls, value: dict[str, str]) -> dict[str, str]:
        return {format: web_address(url) for format, url in value.items()}


class Signing(Section):
    algorithm: Literal["rsa3072", "rsa4096", "ed25519"] = Field(
        default="rsa3072", description="What signing keys of repositories are generated as; RSA suits every client."
    )
    overlap_days: Annotated[int, Field(ge=0)] = Field(
        default=30, description="How long a key that was replaced keeps signing beside the new one."
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important event written."
    )
    format: Literal["json", "text"] = Field(default="text", description="One JSON object a line, or text for people.")

    @field_validator("level", "format", mode="before")
    @classmethod
    def any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class Settings(Section):
    """The whole configuration. `Settings()` is a valid one: a server for one machine on port 8081."""

    data: Path = Field(
        default_factory=default_data, description="The data directory: all state without a home of its own."
    )
    http: Http = Http()
    database: Database = Database()
    storage: Storage = Storage()
    auth: Auth = Auth()
    bootstrap: Bootstrap = Bootstrap()
    signing: Signing = Signing()
    log: Log = Log()

    @field_validator("data")
    @classmethod
    def without_tilde(cls, value: Path) -> Path:
        return value.expanduser()

    @property
    def database_dsn(self) -> str:
        """The DSN that is used: the configured one, or SQLite in the data directory."""
        return self.database.dsn or f"sqlite:///{self.data.absolute() / 'pakhus.db'}"

    @property
    def blob_path(self) -> Path:
        """Folder of the default file blob store."""
        return self.data / (self.storage.local.base_path or "blobs")
