"""Identity providers as an administrator describes them, and the people that they vouch for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.services.federation.claims import matches, value_at
from pakhus.services.federation.jwt import text_of, texts_of
from pakhus.services.federation.keys import Issuer
from pakhus.services.federation.refusal import Refused

ADMIN = "nx-admin"
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One rule from groups to roles: who is in a group of that pattern has the roles."""

    group: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attributes:
    """Which claim (OIDC) or attribute (SAML) says what of a person. An empty subject's name is the protocol's own."""

    username: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    groups: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who of a provider's people may come in, and as what.

    `jit`: everybody, with an account made at the first login. `allowlist`: those whose user id, e-mail address or group
    matches a pattern. `manual`: those whose account an administrator has made. `required_group` is asked of all.
    """

    provisioning: str = "jit"
    allowlist: tuple[str, ...] = ()
    required_group: str = ""
    admin_group: str = ""
    roles: tuple[GroupRule, ...] = ()
    default_roles: tuple[str, ...] = ()
    groups_are_roles: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a provider vouches for. `subject` never changes and is never given to another."""

    provider: str
    subject: str
    user_id: str
    email: str = ""
    email_is_verified: bool = False
    first_name: str = ""
    last_name: str = ""
    groups: tuple[str, ...] = ()
    session: str = ""


def person_of(provider: str, subject: str, values: Mapping[str, Any], names: Attributes) -> Person:
    """The person that claims or attributes describe. Raises `Refused` for one without a usable name."""
    if len(subject) > 1000 or not subject.isprintable():
        raise Refused("the subject is no name that can be kept")
    user_id = _first(values, names.username).strip()
    if not user_id:
        raise Refused(f"'{names.username}' is missing: there is no name for the account")
    if len(user_id) > 200 or any(c in ":/\\" or c.isspace() or not c.isprintable() for c in user_id):
        raise Refused(f"'{names.username}' is {user_id[:200]!r}, which cannot be the name of an account")
    return Person(
        provider,
        subject,
        user_id,
        _first(values, names.email),
        values.get("email_verified") in (True, "true"),
        _first(values, names.first_name),
        _first(values, names.last_name),
        _groups(values, names.groups),
        text_of(values.get("sid")),
    )


def roles_of(person: Person, admission: Admission) -> tuple[str, ...]:
    """The roles that the person's groups mean here, without those that merely have a group's name."""
    found = list(admission.default_roles)
    for rule in admission.roles:
        if any(matches(rule.group, group) for group in person.groups):
            found.extend(rule.roles)
    if admission.admin_group and admission.admin_group in person.groups:
        found.append(ADMIN)
    return tuple(dict.fromkeys(found))


def admits(person: Person, admission: Admission, *, exists: bool) -> None:
    """Raises `Refused` with what is missing. `exists`: there is an account for the person."""
    if admission.required_group and not any(matches(admission.required_group, each) for each in person.groups):
        raise Refused(
            f"groups are {list(person.groups)[:20]}, without the required '{admission.required_group}'",
            f"the account '{person.user_id}' has no access here",
        )
    if admission.provisioning == "manual" and not exists:
        raise Refused(
            f"there is no account '{person.user_id}' of '{person.provider}', and provisioning is manual",
            f"the account '{person.user_id}' has no access here",
        )
    if admission.provisioning == "allowlist" and not _listed(person, admission.allowlist):
        raise Refused(
            f"neither the user id '{person.user_id}' nor the e-mail address '{person.email}' nor a group of "
            f"{list(person.groups)[:20]} matches the allowlist",
            f"the account '{person.user_id}' has no access here",
        )


def _listed(person: Person, patterns: Sequence[str]) -> bool:
    """An e-mail address counts only where the provider has verified it, as a user id too: anybody can claim one."""
    names = list(person.groups)
    if person.email_is_verified:
        names += [person.user_id, person.email]
    elif person.user_id.lower() != person.email.lower():
        names.append(person.user_id)
    return any(matches(pattern.lower(), name.lower()) for pattern in patterns for name in names)


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An OpenID provider and this server's registration there.

    A login lasts `session_hours`. With `recheck_minutes` the provider is asked again so often whether it still stands
    by the person; with `login_days` tokens of people who have not logged in for so long do not count. 0: never.
    """

    name: str
    issuer: Issuer
    client_id: str
    client_secret: str = ""
    token_auth: str = ""
    button: str = ""
    enabled: bool = True
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    parameters: Mapping[str, str] | None = None
    attributes: Attributes = Attributes("preferred_username", "email", "given_name", "family_name", "groups")
    userinfo: bool = False
    admission: Admission = Admission()
    session_hours: int = 12
    recheck_minutes: int = 0
    login_days: int = 0


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """A SAML identity provider: what its metadata says, and what we demand of its answers.

    `signed_…`: `None` is "if it is signed, rightly"; one of the two always has to be. `keypair` (PEM) is this server's.
    """

    name: str
    idp_metadata: str
    entity_id: str = ""
    button: str = ""
    enabled: bool = True
    attributes: Attributes = Attributes("")
    admission: Admission = Admission()
    signed_response: bool | None = None
    signed_assertion: bool | None = None
    keypair: str = ""
    certificate: str = ""
    session_hours: int = 12
    login_days: int = 0
    leeway: float = 60.0


def _first(values: Mapping[str, Any], name: str) -> str:
    found = _texts(values, name)
    return found[0][:500] if found else ""


def _groups(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_texts(values, name)))[:MOST_GROUPS]


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a claim; those that no log and no database could take are left out."""
    found = texts_of(value_at(values, name)) if name else ()
    return tuple(each for each in found if each and each.isprintable())
