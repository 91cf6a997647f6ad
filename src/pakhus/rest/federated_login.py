"""What trades somebody else's word for ours: codes of a browser login, tokens of workloads (RFC 8693). Native API."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from pakhus.domain.errors import Invalid, Unauthenticated, Unavailable
from pakhus.rest.bodies import Taking, text_body
from pakhus.rest.federation_shapes import ButtonXO, CodeXO, ExchangedXO, SessionXO
from pakhus.rest.rights import OPEN_TO_ALL, Caller, Here
from pakhus.services.federation.workloads import NOT_ACCEPTED

router = APIRouter(tags=["login"])
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPES = frozenset(f"urn:ietf:params:oauth:token-type:{each}" for each in ("jwt", "id_token", "access_token"))
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


@router.get("/login/providers", dependencies=OPEN_TO_ALL)
async def providers(services: Here) -> list[ButtonXO]:
    """The identity providers that a login page offers."""
    found = await services.federation.logins.buttons()
    return [ButtonXO(kind=each.kind, name=each.name, text=each.text, path=each.path) for each in found]


@router.post("/login/code", dependencies=OPEN_TO_ALL)
async def redeem(body: Annotated[CodeXO, Depends(Taking(CodeXO))], services: Here, response: Response) -> SessionXO:
    """Trade the code that a browser brought back for a session."""
    response.headers.update(NO_STORE)
    entered = await services.federation.logins.redeem(body.code, body.verifier)
    return SessionXO(token=entered.login.token, expires=entered.login.expires, username=entered.user_id)


@router.post("/token", dependencies=OPEN_TO_ALL, response_model=ExchangedXO)
async def exchange(request: Request, services: Here, actor: Caller) -> Response:
    """Token exchange (RFC 8693): a form with `subject_token`, and perhaps `role` and `scope`."""
    form = dict(parse_qsl(await text_body(request), keep_blank_values=True, max_num_fields=50))
    try:
        if form.get("grant_type") != EXCHANGE:
            return _refusal("unsupported_grant_type", f"the grant type is {EXCHANGE}")
        if form.get("subject_token_type", "") not in JWT_TYPES or not form.get("subject_token"):
            return _refusal("invalid_request", "subject_token and its type (…:token-type:jwt) are needed")
        made = await services.federation.workloads.exchange(
            form["subject_token"],
            role=form.get("role", ""),
            scopes=form.get("scope", "").split(),
            address=actor.address,
        )
    except Invalid as error:
        return _refusal("invalid_scope", error.message)
    except Unauthenticated:
        return _refusal("invalid_request", NOT_ACCEPTED)
    except Unavailable as error:
        return _refusal("temporarily_unavailable", error.message, 503)
    shape = ExchangedXO(
        access_token=made.token,
        expires_in=int((made.expires - services.now()).total_seconds()),
        scope=" ".join(made.scopes),
        roles=list(made.roles),
    )
    return JSONResponse(shape.model_dump(), headers=NO_STORE)


def _refusal(code: str, words: str, status: int = 400) -> Response:
    """RFC 6749, section 5.2."""
    return JSONResponse({"error": code, "error_description": words}, status, NO_STORE)
