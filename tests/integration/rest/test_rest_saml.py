"""SAML as Nexus configures it, and that everything about identity providers is kept on every database."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.federation.builds import platform
from tests.integration.rest.conftest import BASE, BOTH, Rest
from tests.peers.saml_idp import Idp

IDP = Idp()
CONFIGURATION: dict[str, Any] = {
    "idpMetadata": IDP.metadata,
    "entityId": None,
    "usernameAttribute": "uid",
    "firstNameAttribute": None,
    "lastNameAttribute": None,
    "emailAttribute": "mail",
    "groupsAttribute": "groups",
    "validateResponseSignature": True,
    "validateAssertionSignature": None,
}
PROVIDERS = f"{BASE}/api/v1/security"


@BOTH
async def test_configuration_is_made_shown_changed_and_removed(admin: httpx2.AsyncClient) -> None:
    before = await admin.get("security/saml")
    made = await admin.put("security/saml", json=CONFIGURATION)
    shown = await admin.get("security/saml")
    pem = (await admin.get("security/saml/pem")).text
    changed = await admin.put("security/saml", json={**CONFIGURATION, "entityId": "https://nexus.example.org"})
    same_pem = (await admin.get("security/saml/pem")).text
    metadata = await admin.get("security/saml/metadata")
    gone = await admin.delete("security/saml")
    after = await admin.get("security/saml")

    assert [each.status_code for each in (before, made, changed, gone, after)] == [404, 201, 204, 204, 404]
    assert shown.json() == CONFIGURATION
    assert pem.startswith("-----BEGIN CERTIFICATE-----") and pem == same_pem
    assert 'entityID="https://nexus.example.org"' in metadata.text
    assert f'Location="{BASE}/saml"' in metadata.text


async def test_metadata_is_for_the_provider_and_the_rest_for_administrators(
    rest: Rest, admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    await admin.put("security/saml", json=CONFIGURATION)
    settings = await rest.user("settings", "nx-settings-all", "nx-users-all", "nx-roles-all")

    assert (await anonymous.get("security/saml/metadata")).status_code == 200
    assert (await anonymous.get("security/saml")).status_code == 401
    assert (await settings.put("security/saml", json=CONFIGURATION)).status_code == 403


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"idpMetadata": "rubbish"}, "idp_metadata"),
        ({"idpMetadata": "<a/>"}, "idp_metadata"),
        ({"idpMetadata": ""}, "idpMetadata"),
        ({"usernameAttribute": ""}, "usernameAttribute"),
    ],
)
async def test_configuration_that_nobody_could_log_in_by_is_refused(
    admin: httpx2.AsyncClient, change: dict[str, Any], member: str
) -> None:
    answer = await admin.put("security/saml", json={**CONFIGURATION, **change})

    assert answer.status_code == 400
    assert answer.json()[0]["id"] == member


@BOTH
async def test_build_acts_in_a_role_on_every_database(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    async with platform() as builds:
        issuer = await admin.post(f"{PROVIDERS}/workload/issuers/ci", json={"issuer": builds.url})
        body = {
            "issuer": "ci",
            "audiences": ["https://pakhus.test"],
            "bound_claims": {"repository": "acme/*"},
            "rules": [{"repositories": ["fil?s"], "actions": ["add", "edit", "read"]}],
        }
        role = await admin.post(f"{PROVIDERS}/workload/roles/deploy", json=body)
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": builds.token(),
        }
        async with rest.caller() as stranger:
            made = (await stranger.post(f"{BASE}/api/v1/token", data=form)).json()["access_token"]
            bearer = {"authorization": f"Bearer {made}"}
            put = await stranger.put(f"{BASE}/repository/files/a", content=b"a", headers=bearer)
            in_use = await admin.delete(f"{PROVIDERS}/workload/issuers/ci")
            removed = await admin.delete(f"{PROVIDERS}/workload/roles/deploy")
            after = await stranger.put(f"{BASE}/repository/files/a", content=b"a", headers=bearer)
        gone = await admin.delete(f"{PROVIDERS}/workload/issuers/ci")

    assert (issuer.status_code, role.status_code, put.status_code) == (201, 201, 201), role.text
    assert (in_use.status_code, removed.status_code, after.status_code, gone.status_code) == (400, 204, 401, 204)
