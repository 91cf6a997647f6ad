"""The session of a browser (`/service/rapture/session`), as Nexus's own pages log in and out.

The cookie `NXSESSIONID` is the login. A page sends the cookie `NX-ANTI-CSRF-TOKEN` back as a header of that name with
every request that changes something: foreign pages can make a browser send cookies, but not read them.
"""

from __future__ import annotations

import base64
from datetime import datetime
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response

from pakhus.domain.errors import Invalid, Unauthenticated
from pakhus.rest.bodies import text_body
from pakhus.rest.problems import bare
from pakhus.rest.rights import OPEN_TO_ALL, Caller, Here
from pakhus.services.identity.sessions import Login

SESSION = "NXSESSIONID"
CSRF = "NX-ANTI-CSRF-TOKEN"
router = APIRouter(prefix="/service/rapture/session", tags=["login"])


@router.post("", dependencies=OPEN_TO_ALL, status_code=204, response_class=Response)
async def log_in(request: Request, services: Here, actor: Caller) -> Response:
    """A form with `username` and `password`, both in base64; `code` (plain) for a second factor. 403 if wrong."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise bare(403)
    form = parse_qs(await text_body(request))
    username, password = _decoded(form, "username"), _decoded(form, "password")
    agent = request.headers.get("user-agent", "")
    code = form.get("code", [""])[0] or None
    try:
        login = await services.accounts.open_session(username, password, actor.address, code=code, agent=agent)
    except Unauthenticated as error:
        raise bare(403) from error
    return with_cookies(Response(status_code=204), login, services.now(), str(request.state.base_url))


@router.delete("", dependencies=OPEN_TO_ALL, status_code=204, response_class=Response)
async def log_out(request: Request, services: Here) -> Response:
    await services.identification.sessions.log_out(session_of(request))
    return without_cookies(Response(status_code=204))


def session_of(request: Request) -> str:
    """The token of the login that the request carries, empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(SESSION, "")


def with_cookies(answer: Response, login: Login, now: datetime, base_url: str) -> Response:
    """The answer, with the cookies of a login."""
    seconds = int((login.expires - now).total_seconds())
    secure = base_url.startswith("https:")
    answer.set_cookie(SESSION, login.token, max_age=seconds, httponly=True, secure=secure, samesite="lax")
    answer.set_cookie(CSRF, login.csrf, max_age=seconds, secure=secure, samesite="lax")
    return answer


def without_cookies(answer: Response) -> Response:
    for name in (SESSION, CSRF):
        answer.delete_cookie(name)
    return answer


def _decoded(form: dict[str, list[str]], member: str) -> str:
    try:
        return base64.b64decode(form.get(member, [""])[0], validate=True).decode()
    except ValueError as error:
        raise Invalid("must be UTF-8 in base64", field=member) from error
