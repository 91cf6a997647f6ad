"""Logins by browser through identity providers: away, back, and the few plain pages in between."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Mapping
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from pakhus.domain.errors import Invalid, NotFound, PakhusError, Unauthenticated
from pakhus.domain.security import Actor
from pakhus.rest.bodies import text_body
from pakhus.rest.rapture import with_cookies
from pakhus.rest.rights import OPEN_TO_ALL, BaseUrl, Caller, Here
from pakhus.services.federation.logins import LOGIN_SECONDS, Begun, Browser, Ended, Goal, cookie_of
from pakhus.services.federation.saml import NEXUS

router = APIRouter(prefix="/login", tags=["login"], include_in_schema=False)
nexus = APIRouter(include_in_schema=False)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:4em auto;padding:0 1em}code{word-break:break-all}"
)


@router.get("", dependencies=OPEN_TO_ALL)
async def choose(request: Request, services: Here, base_url: BaseUrl) -> Response:
    """The providers to choose from; the only one is taken at once."""
    buttons = await services.federation.logins.buttons()
    query = f"?{request.url.query}" if request.url.query else ""
    if len(buttons) == 1:
        return RedirectResponse(base_url + buttons[0].path + query, 303, HEADERS)
    links = "".join(
        f'<p><a href="{html.escape(base_url + each.path + query)}">{html.escape(each.text)}</a></p>' for each in buttons
    )
    return page("Log in", links or "<p>There is no identity provider here: log in with name and password.</p>")


@router.get("/oidc/{name}", dependencies=OPEN_TO_ALL)
async def begin_oidc(name: str, request: Request, services: Here, base_url: BaseUrl) -> Response:
    return await shown(_begun(services.federation.logins.begin_oidc(name, base_url, _goal(request)), base_url))


@router.get("/oidc/{name}/callback", dependencies=OPEN_TO_ALL)
async def end_oidc(name: str, request: Request, services: Here, actor: Caller, base_url: BaseUrl) -> Response:
    query = dict(request.query_params)
    ended = services.federation.logins.end_oidc(name, query, cookies_of(request), _browser(request, actor))
    return await shown(_ended(ended, cookie_of(query.get("state", "")), services.now(), base_url))


@router.post("/oidc/{name}/backchannel", dependencies=OPEN_TO_ALL)
async def log_out(name: str, request: Request, services: Here, actor: Caller) -> Response:
    """OpenID Connect Back-Channel Logout 1.0, section 2.5 and 2.8."""
    form = dict(parse_qsl(await text_body(request), max_num_fields=10))
    try:
        await services.federation.logins.log_out(name, form.get("logout_token", ""), actor.address)
    except (Invalid, NotFound):
        return Response('{"error":"invalid_request"}', 400, {"cache-control": "no-store"}, "application/json")
    return Response(b"", 200, {"cache-control": "no-store"})


@router.get("/saml/{name}", dependencies=OPEN_TO_ALL)
async def begin_saml(name: str, request: Request, services: Here, base_url: BaseUrl) -> Response:
    return await shown(_begun(services.federation.logins.begin_saml(name, base_url, _goal(request)), base_url))


@router.post("/saml/{name}/acs", dependencies=OPEN_TO_ALL)
async def answer_saml(name: str, request: Request, services: Here, actor: Caller, base_url: BaseUrl) -> Response:
    form = dict(parse_qsl(await text_body(request), max_num_fields=10))

    async def sent_on() -> Response:
        answer = form.get("SAMLResponse", "")
        ticket = await services.federation.logins.answer_saml(name, base_url, answer, _browser(request, actor))
        query = urlencode({"ticket": ticket})
        return RedirectResponse(f"{base_url}/login/saml/{quote(name)}/done?{query}", 303, HEADERS)

    return await shown(sent_on())


@nexus.post("/saml", dependencies=OPEN_TO_ALL)
async def answer_nexus_saml(request: Request, services: Here, actor: Caller, base_url: BaseUrl) -> Response:
    """Where Nexus takes the answers of its one SAML provider."""
    return await answer_saml(NEXUS, request, services, actor, base_url)


@router.get("/saml/{name}/done", dependencies=OPEN_TO_ALL)
async def end_saml(name: str, request: Request, services: Here, actor: Caller, base_url: BaseUrl) -> Response:
    ticket = request.query_params.get("ticket", "")
    ended = services.federation.logins.end_saml(name, ticket, cookies_of(request), _browser(request, actor))
    return await shown(_ended(ended, "", services.now(), base_url))


@router.get("/saml/{name}/metadata", dependencies=OPEN_TO_ALL)
async def saml_metadata(name: str, services: Here, base_url: BaseUrl) -> Response:
    """What the identity provider wants to know of this server."""
    provider = await services.federation.logins.saml_provider(name)
    return Response(services.federation.saml.metadata(provider, base_url), media_type="application/samlmetadata+xml")


# -- the parts -----------------------------------------------------------------------------------------------------


def _goal(request: Request) -> Goal:
    query = request.query_params
    port = query.get("port", "0")
    return Goal(
        query.get("to", "")[:2000],
        int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1,
        query.get("challenge", "")[:200],
        query.get("state", "")[:1000],
    )


async def _begun(begun: Awaitable[Begun], base_url: str) -> Response:
    found = await begun
    response = RedirectResponse(found.location, 303, HEADERS)
    response.set_cookie(
        found.cookie,
        found.value,
        max_age=LOGIN_SECONDS,
        path=_path(base_url),
        secure=base_url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


async def _ended(ended: Awaitable[Ended], cookie: str, now: datetime, base_url: str) -> Response:
    found = await ended
    entered = found.entered
    if entered is None:
        response: Response = RedirectResponse(found.location, 303, HEADERS)
    elif found.location:
        response = RedirectResponse(base_url + found.location, 303, HEADERS)
        with_cookies(response, entered.login, now, base_url)
    else:
        response = page(
            "Logged in",
            f"<p>Logged in as <b>{html.escape(entered.user_id)}</b>. Until {entered.login.expires:%Y-%m-%d %H:%M} UTC "
            "this token stands for your password, in any client:</p>"
            f'<p><code id="token">{html.escape(entered.login.token)}</code></p>',
        )
    if cookie:
        response.delete_cookie(cookie, path=_path(base_url))
    return response


def _path(base_url: str) -> str:
    """Where the cookie of a login under way is sent to: below the prefix of a reverse proxy, if there is one."""
    return urlsplit(base_url).path + "/login"


def _browser(request: Request, actor: Actor) -> Browser:
    return Browser(actor.address, request.headers.get("user-agent", ""))


async def shown(work: Awaitable[Response]) -> Response:
    """The answer, or a page with what went wrong: never a challenge, which would make a browser ask for a password."""
    try:
        return await work
    except PakhusError as error:
        status = 403 if isinstance(error, Unauthenticated) else error.status
        words = html.escape(error.message)
        return page("Not logged in", f"<p>{words}</p>", status)


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    text = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} - Pakhus</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>\n"
    )
    return HTMLResponse(text, status, HEADERS)


def cookies_of(request: Request) -> Mapping[str, str]:
    """Each cookie parsed by itself, so that somebody else's broken one does not hide ours."""
    found: dict[str, str] = {}
    for part in request.headers.get("cookie", "").split(";"):
        try:
            found.update({name: morsel.value for name, morsel in SimpleCookie(part.strip()).items()})
        except CookieError:
            continue
    return found
