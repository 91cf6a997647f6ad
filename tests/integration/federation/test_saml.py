"""A SAML login from the browser's first step to the last, with a provider that answers as a test wants."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio
from lxml import etree

from tests.contract.serving import ADMIN, Serving, serving
from tests.peers.saml_idp import Idp, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")
IDP = Idp()
TOKEN = re.compile(r'id="token">([^<]+)<')


class Visit:
    """One browser on its way through a login."""

    def __init__(self, near: Serving, http: httpx2.AsyncClient, name: str = "corp") -> None:
        self.near = near
        self.http = http
        self.name = name
        self.request = ""

    async def begin(self, query: str = "") -> None:
        answer = await self.http.get(f"{self.near.url}/login/saml/{self.name}{query}")
        assert answer.status_code == 303, answer.text
        self.location = answer.headers["location"]
        packed = parse_qs(urlsplit(self.location).query)["SAMLRequest"][0]
        text = zlib.decompress(base64.b64decode(packed), -15)
        self.request = str(etree.fromstring(text).get("ID"))

    def said(self, **changes: Any) -> str:
        root = self.near.url
        said = {
            "acs": f"{root}/login/saml/{self.name}/acs",
            "audience": f"{root}/login/saml/{self.name}/metadata",
            "request": self.request,
            **changes,
        }
        return sent(IDP.answer(**said))

    async def post(self, answer: str) -> httpx2.Response:
        """As the provider's page makes the browser do: from another site, so without cookies."""
        async with httpx2.AsyncClient(trust_env=False) as elsewhere:
            at = f"{self.near.url}/login/saml/{self.name}/acs"
            return await elsewhere.post(at, data={"SAMLResponse": answer})

    async def finish(self, posted: httpx2.Response) -> httpx2.Response:
        return await self.http.get(posted.headers["location"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def near(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    async with serving(tmp_path_factory.mktemp("saml") / "data") as running:
        body = {
            "idp_metadata": IDP.metadata,
            "username_attribute": "uid",
            "groups_attribute": "groups",
            "role_mapping": [{"group": "developers", "roles": ["nx-admin"]}],
        }
        async with httpx2.AsyncClient(auth=ADMIN, trust_env=False) as admin:
            made = await admin.post(f"{running.url}/api/v1/security/saml/providers/corp", json=body)
        assert made.status_code == 201, made.text
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(near: Serving) -> AsyncIterator[Visit]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Visit(near, http)


async def refusal(near: Serving) -> str:
    async with httpx2.AsyncClient(auth=ADMIN, trust_env=False) as admin:
        found = (await admin.get(f"{near.url}/api/v1/security/federation/refusals")).json()
    return str(found[0]["why"])


async def test_login_gives_a_session(visit: Visit) -> None:
    await visit.begin()
    page = await visit.finish(await visit.post(visit.said()))
    found = TOKEN.search(page.text)

    assert found is not None, page.text
    bearer = {"authorization": f"Bearer {found[1]}"}
    async with httpx2.AsyncClient(trust_env=False, headers=bearer) as ann:
        assert (await ann.get(f"{visit.near.url}/service/rest/v1/security/users")).status_code == 200


async def test_login_from_a_page_of_ours_comes_back_with_the_cookies_of_a_session(visit: Visit) -> None:
    await visit.begin("?to=/ui/browse%23files")
    back = await visit.finish(await visit.post(visit.said()))
    listed = await visit.http.get(f"{visit.near.url}/api/v1/tokens")

    assert (back.status_code, back.headers["location"]) == (303, f"{visit.near.url}/ui/browse#files")
    assert listed.status_code == 200
    assert "token" not in back.text


async def test_answer_is_good_for_one_login(visit: Visit) -> None:
    await visit.begin()
    answer = visit.said()
    first = await visit.post(answer)
    again = await visit.post(answer)

    assert (first.status_code, again.status_code) == (303, 403)
    assert "used before" in await refusal(visit.near)


async def test_ticket_is_good_for_one_login(visit: Visit) -> None:
    await visit.begin()
    posted = await visit.post(visit.said())
    first, again = await visit.finish(posted), await visit.finish(posted)

    assert TOKEN.search(first.text)
    assert again.status_code == 403


async def test_answer_for_another_browser_is_refused_and_its_login_ends(visit: Visit) -> None:
    """Somebody logs a victim's browser in as himself, to see what the victim does."""
    await visit.begin()
    posted = await visit.post(visit.said())
    async with httpx2.AsyncClient(trust_env=False) as victim:
        page = await victim.get(posted.headers["location"])

    assert page.status_code == 403
    assert not TOKEN.search(page.text)
    assert "another browser" in await refusal(visit.near)


async def test_answer_that_nobody_asked_for_is_refused(visit: Visit) -> None:
    for request in ("", "_" + "0" * 64, "_made-up"):
        visit.request = request

        assert (await visit.post(visit.said())).status_code == 403


async def test_request_of_one_provider_is_not_answered_by_another(visit: Visit, near: Serving) -> None:
    other = Idp(entity_id="https://other.test")
    body = {"idp_metadata": other.metadata, "username_attribute": "uid", "default_roles": ["nx-admin"]}
    async with httpx2.AsyncClient(auth=ADMIN, trust_env=False) as admin:
        await admin.post(f"{near.url}/api/v1/security/saml/providers/other", json=body)
    await visit.begin()
    elsewhere = Visit(near, visit.http, "other")
    elsewhere.request = visit.request
    root = other.answer(
        acs=f"{near.url}/login/saml/other/acs",
        audience=f"{near.url}/login/saml/other/metadata",
        request=visit.request,
    )

    assert (await elsewhere.post(sent(root))).status_code == 403
    assert "no request of ours" in await refusal(near)


async def test_old_answer_is_refused(visit: Visit) -> None:
    from datetime import UTC, datetime, timedelta

    await visit.begin()
    old = datetime.now(UTC) - timedelta(hours=1)

    assert (await visit.post(visit.said(now=old))).status_code == 403
    assert "expired" in await refusal(visit.near)


async def test_request_goes_to_the_provider_with_a_signature(visit: Visit) -> None:
    await visit.begin()

    assert visit.location.startswith("https://idp.test/sso?SAMLRequest=")
    assert "&Signature=" in visit.location
