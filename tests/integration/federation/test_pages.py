"""What the pages on single sign-on and on builds tell people to send is accepted, and every member they name exists."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from pakhus.rest.federation_shapes import IssuerXO, OidcXO, RoleXO, SamlXO
from tests.docs.pages import ROOT
from tests.integration.federation.conftest import Setting

pytestmark = pytest.mark.asyncio(loop_scope="module")
SENT = re.compile(r"(?P<url>\"\$api/[^\"]+\"|https://\S+/providers/\w+).*?--data '(?P<body>\{.*?\})'", re.S)
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.M)
ROLES = ("developer", "reader")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its rank."""
    return re.split(r"^## ", text.split(f"## {heading}", 1)[1], flags=re.M)[0]


def members(text: str) -> set[str]:
    return {name for row in ROW.findall(text) for name in re.findall(r"\w+", row)} - {"member"}


@pytest.mark.parametrize("name", ["guide/ci.md", "operations/sso.md"])
async def test_what_the_page_sends_is_accepted(setting: Setting, name: str) -> None:
    for role in ROLES:
        body = {"id": role, "name": role, "privileges": [], "roles": []}
        await setting.admin.post(f"{setting.url}/service/rest/v1/security/roles", json=body)
    sent = 0
    for found in SENT.finditer(page(name)):
        path = found["url"].strip('"').replace("$api", "/api/v1/security/workload")
        path = path.removeprefix("https://packages.example.org")
        body: dict[str, Any] = json.loads(found["body"].replace("…", "secret"))
        if "client_id" in body:
            body["issuer"] = setting.provider.issuer

        answer = await setting.admin.post(f"{setting.url}{path}", json=body)

        assert answer.status_code == 201, f"{path}: {answer.text}"
        sent += 1
    assert sent


@pytest.mark.parametrize(
    ("name", "heading", "shape"),
    [
        ("operations/sso.md", "An OpenID provider", OidcXO),
        ("guide/ci.md", "Kubernetes, Vault and others", IssuerXO),
        ("guide/ci.md", "Roles", RoleXO),
    ],
)
async def test_members_that_the_page_names_exist(name: str, heading: str, shape: type[BaseModel]) -> None:
    named = members(section(page(name), heading))

    assert named and named <= set(shape.model_fields)


async def test_page_names_every_member_on_who_may_come_in() -> None:
    named = members(section(page("operations/sso.md"), "An OpenID provider"))

    assert set(OidcXO.model_fields) == named
    for name in set(SamlXO.model_fields) - set(OidcXO.model_fields):
        assert f"`{name}`" in page("operations/sso.md")
