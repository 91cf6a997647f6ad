"""How an LDAP server is reached, and where in it people and groups are. The members are Nexus's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pakhus.domain.errors import Invalid
from pakhus.remote.ldap import filters
from pakhus.remote.ldap.sasl import CRAM_MD5, DIGEST_MD5

NONE, SIMPLE = "NONE", "SIMPLE"
RESERVED = frozenset({"cache", "templates"})
"""What stands in the REST API where a name would."""
SCHEMES = (NONE, SIMPLE, DIGEST_MD5, CRAM_MD5)
_ATTRIBUTE = re.compile(rf"{filters.ATTRIBUTE}\Z")
_MEMBER_ATTRIBUTE = re.compile(rf"{filters.ATTRIBUTE}(?::[0-9.]+:?)?\Z")


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """`user_base_dn` and `group_base_dn` are relative to `search_base`.

    Groups become roles with `ldap_groups_as_roles`: static ones have a member list (`group_member_attribute` has
    `group_member_format`, in which `${username}` and `${dn}` are replaced), dynamic ones stand in the user's own entry
    (`user_member_of_attribute`).
    """

    name: str
    protocol: str
    host: str
    port: int
    search_base: str
    auth_scheme: str = NONE
    auth_realm: str | None = None
    auth_username: str | None = None
    auth_password: str | None = None
    use_trust_store: bool = False
    use_start_tls: bool = False
    connection_timeout_seconds: int = 30
    connection_retry_delay_seconds: int = 300
    max_incidents_count: int = 3
    user_base_dn: str | None = None
    user_subtree: bool = False
    user_object_class: str = "inetOrgPerson"
    user_ldap_filter: str | None = None
    user_id_attribute: str = "uid"
    user_real_name_attribute: str = "cn"
    user_email_address_attribute: str = "mail"
    user_password_attribute: str | None = None
    ldap_groups_as_roles: bool = False
    group_type: str | None = None
    group_base_dn: str | None = None
    group_subtree: bool = False
    group_object_class: str | None = None
    group_id_attribute: str | None = None
    group_member_attribute: str | None = None
    group_member_format: str | None = None
    user_member_of_attribute: str | None = None

    @property
    def scheme(self) -> str:
        """As the protocol spells it, however it was posted."""
        return self.auth_scheme.upper().replace("_", "-")

    @property
    def dynamic(self) -> bool:
        """Do the groups stand in the user's entry?"""
        if self.group_type:
            return self.group_type.lower() == "dynamic"
        return bool(self.user_member_of_attribute) and not self.group_member_attribute

    @property
    def place(self) -> tuple[str, str, int]:
        return self.protocol, self.host.lower(), self.port

    @property
    def user_base(self) -> str:
        return below(self.user_base_dn, self.search_base)

    @property
    def group_base(self) -> str:
        return below(self.group_base_dn, self.search_base)

    def kept(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> LdapSettings:
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in known})


def below(relative: str | None, base: str) -> str:
    return f"{relative},{base}" if relative else base


def check(settings: LdapSettings) -> None:
    """Raises `Invalid` for what could never work."""
    if settings.name in RESERVED or "/" in settings.name:
        raise Invalid(f"{settings.name!r} cannot be the name of an LDAP server", field="name")
    if settings.scheme not in SCHEMES:
        raise Invalid("must be one of NONE, SIMPLE, DIGEST_MD5, CRAM_MD5", field="authScheme")
    if settings.scheme != NONE:
        for member, value in (("authUsername", settings.auth_username), ("authPassword", settings.auth_password)):
            if not value:
                raise Invalid("must not be empty for this authScheme", field=member)
    if settings.user_ldap_filter:
        try:
            filters.parse(settings.user_ldap_filter)
        except filters.BadFilter as error:
            raise Invalid(str(error), field="userLdapFilter") from error
    if settings.ldap_groups_as_roles:
        _check_groups(settings)
    for member, text in (
        ("userIdAttribute", settings.user_id_attribute),
        ("userRealNameAttribute", settings.user_real_name_attribute),
        ("userEmailAddressAttribute", settings.user_email_address_attribute),
        ("userPasswordAttribute", settings.user_password_attribute),
        ("userMemberOfAttribute", settings.user_member_of_attribute),
        ("groupIdAttribute", settings.group_id_attribute),
    ):
        if text and not _ATTRIBUTE.match(text):
            raise Invalid(f"{text!r} is not the name of an attribute", field=member)
    if settings.group_member_attribute and not _MEMBER_ATTRIBUTE.match(settings.group_member_attribute):
        raise Invalid(
            f"{settings.group_member_attribute!r} is not the name of an attribute", field="groupMemberAttribute"
        )
    if settings.use_start_tls and settings.protocol == "LDAPS":
        raise Invalid("LDAPS is encrypted from the start", field="useStartTls")


def _check_groups(settings: LdapSettings) -> None:
    needed: tuple[tuple[str, str | None], ...] = (
        ("groupObjectClass", settings.group_object_class),
        ("groupIdAttribute", settings.group_id_attribute),
        ("groupMemberAttribute", settings.group_member_attribute),
        ("groupMemberFormat", settings.group_member_format),
    )
    if settings.dynamic:
        needed = (("userMemberOfAttribute", settings.user_member_of_attribute),)
    for member, value in needed:
        if not value:
            raise Invalid("must not be empty for this kind of group", field=member)


TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "Active Directory": {
        "user_object_class": "user",
        "user_id_attribute": "sAMAccountName",
        "user_real_name_attribute": "cn",
        "user_email_address_attribute": "mail",
        "user_subtree": True,
        "ldap_groups_as_roles": True,
        "group_type": "dynamic",
        "user_member_of_attribute": "memberOf",
    },
    "Generic Ldap Server": {
        "user_object_class": "inetOrgPerson",
        "user_id_attribute": "uid",
        "user_real_name_attribute": "cn",
        "user_email_address_attribute": "mail",
        "ldap_groups_as_roles": True,
        "group_type": "static",
        "group_object_class": "groupOfUniqueNames",
        "group_id_attribute": "cn",
        "group_member_attribute": "uniqueMember",
        "group_member_format": "${dn}",
    },
    "Posix with Dynamic Groups": {
        "user_object_class": "posixAccount",
        "user_id_attribute": "uid",
        "user_real_name_attribute": "cn",
        "user_email_address_attribute": "mail",
        "ldap_groups_as_roles": True,
        "group_type": "dynamic",
        "user_member_of_attribute": "memberOf",
    },
    "Posix with Static Groups": {
        "user_object_class": "posixAccount",
        "user_id_attribute": "uid",
        "user_real_name_attribute": "cn",
        "user_email_address_attribute": "mail",
        "ldap_groups_as_roles": True,
        "group_type": "static",
        "group_object_class": "posixGroup",
        "group_id_attribute": "cn",
        "group_member_attribute": "memberUid",
        "group_member_format": "${username}",
    },
}
"""What usual directories want."""
