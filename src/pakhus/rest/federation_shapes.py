"""Identity providers, issuers and workload roles as JSON of the native API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from pakhus.rest.bodies import Moment, NativeShape, Text
from pakhus.services.federation.jwt import ALGORITHMS
from pakhus.services.federation.workload import ACTIONS

Hours = Annotated[int, Field(ge=1, le=24 * 90)]
Algorithm = Annotated[str, Field(pattern=f"^({'|'.join(sorted(ALGORITHMS))})$")]
Action = Annotated[str, Field(pattern=f"^({'|'.join(ACTIONS)})$")]
Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=512)]], Field(max_length=1000)]


class Strict(NativeShape):
    """A misspelt member of what decides who somebody is must not go unnoticed."""

    model_config = ConfigDict(extra="forbid")


class GroupRuleXO(Strict):
    """Who is in a group of that name (`*` and `?` match) has the roles."""

    group: Text
    roles: list[str]


class AdmissionXO(Strict):
    """Who may come in, and as what. `provisioning`: everybody (jit), those listed, or those with an account."""

    enabled: bool = True
    button: Annotated[str, Field(max_length=100)] = ""
    provisioning: Literal["jit", "allowlist", "manual"] = "jit"
    allowlist: Patterns = []
    required_group: str = ""
    admin_group: str = ""
    role_mapping: list[GroupRuleXO] = []
    default_roles: list[str] = []
    groups_are_roles: bool = False
    session_hours: Hours = 12
    login_days: Annotated[int, Field(ge=0, le=3650)] = 0
    leeway_seconds: Annotated[int, Field(ge=0, le=600)] = 60


class OidcXO(AdmissionXO):
    """An OpenID provider. `client_secret` is only ever taken, never shown; left out of a change, it stays."""

    issuer: Text
    client_id: Text
    client_secret: str | None = None
    token_auth: Literal["", "basic", "post", "none"] = ""
    discovery_url: str = ""
    jwks_url: str = ""
    ca_certificates: str = ""
    insecure: bool = False
    algorithms: list[Algorithm] = []
    scopes: list[str] = ["openid", "profile", "email"]
    parameters: dict[str, str] = {}
    username_claim: Text = "preferred_username"
    email_claim: str = "email"
    first_name_claim: str = "given_name"
    last_name_claim: str = "family_name"
    groups_claim: str = "groups"
    userinfo: bool = False
    recheck_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 0


class SamlXO(AdmissionXO):
    """A SAML identity provider; without `username_attribute`, the NameID names the account."""

    idp_metadata: Text
    entity_id: str = ""
    username_attribute: str = ""
    email_attribute: str = ""
    first_name_attribute: str = ""
    last_name_attribute: str = ""
    groups_attribute: str = ""
    signed_response: bool | None = None
    signed_assertion: bool | None = None


class IssuerXO(Strict):
    """Who signs tokens of builds: keys by discovery, at `jwks_url`, or given (`jwks`: a key set, or PEM)."""

    issuer: Text
    jwks: str = ""
    jwks_url: str = ""
    discovery_url: str = ""
    ca_certificates: str = ""
    insecure: bool = False
    algorithms: list[Algorithm] = []
    leeway_seconds: Annotated[int, Field(ge=0, le=600)] = 60


class RuleXO(Strict):
    """What may be done in repositories of these names, on these paths (`*` and `?` match; no leading slash)."""

    repositories: Annotated[Patterns, Field(min_length=1)]
    paths: Patterns = ["*"]
    actions: Annotated[list[Action], Field(min_length=1)]


class RoleXO(Strict):
    """A workload role. `bound_claims`: claim → pattern, or a list of them, of which one must match."""

    issuer: Text
    description: str = ""
    enabled: bool = True
    audiences: list[Text]
    bound_claims: dict[str, Any]
    roles: list[str] = []
    rules: list[RuleXO] = []
    ttl_seconds: Annotated[int, Field(ge=60, le=86_400)] = 900


class FederatedUserXO(Strict):
    """What is kept here of somebody of a provider: roles on top of the groups', and the state."""

    roles: list[str] = []
    status: Literal["active", "disabled"] = "active"


class ButtonXO(NativeShape):
    """A way to log in: send the browser to `path`."""

    kind: str
    name: str
    text: str
    path: str


class CodeXO(NativeShape):
    """What the browser brought back, and what the challenge was made of."""

    code: str
    verifier: str


class SessionXO(NativeShape):
    token: str
    expires: Moment
    username: str


class TokenXO(NativeShape):
    """A token of a workload."""

    token: Text


class ExplainedXO(NativeShape):
    """What a token says, and what becomes of it: `refused`, or for each role why not (empty: accepted)."""

    issuer: str
    claims: dict[str, Any]
    refused: str
    roles: dict[str, list[str]]


class RefusalXO(NativeShape):
    """A login or a token that was not accepted by this node, and why."""

    moment: Moment
    kind: str
    name: str
    subject: str
    address: str
    why: str


class ExchangedXO(NativeShape):
    """RFC 8693, section 2.2.1, with the names of the roles."""

    access_token: str
    issued_token_type: str = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 -- a name
    token_type: str = "Bearer"  # noqa: S105 -- a name
    expires_in: int
    scope: str = ""
    roles: list[str]
