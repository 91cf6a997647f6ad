"""How proxies reach their upstreams (`/v1/http`)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BeforeValidator, Field, model_validator

from pakhus.rest.bodies import Shape, Taking
from pakhus.rest.rights import Here, needs
from pakhus.services.outbound import PLACEHOLDER

router = APIRouter(prefix="/http", tags=["http"])


def _port(value: Any) -> Any:
    """Nexus takes and gives the port as a text."""
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    if isinstance(number, int) and not 1 <= number <= 65535:
        raise ValueError("must be between 1 and 65535")
    return str(number) if isinstance(number, int) else value


class LoginXO(Shape):
    """How the server presents itself to the proxy. NTLM is not spoken: name and password are sent as Basic."""

    enabled: bool = False
    username: str | None = None
    password: str | None = None
    ntlm_host: str | None = None
    ntlm_domain: str | None = None


class ForwardProxyXO(Shape):
    enabled: bool = False
    host: str | None = None
    port: Annotated[str | None, BeforeValidator(_port), Field(pattern=r"^\d{1,5}$")] = None
    auth_info: LoginXO | None = None

    @model_validator(mode="after")
    def reachable(self) -> ForwardProxyXO:
        if self.enabled and not (self.host and self.port):
            raise ValueError("an enabled proxy needs host and port")
        if self.auth_info is not None and (self.auth_info.ntlm_host or self.auth_info.ntlm_domain):
            raise ValueError("NTLM is not supported")
        return self


class HttpSettingsXO(Shape):
    """`timeout` in seconds; `nonProxyHosts` may have `*`."""

    user_agent: str | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] | None = None
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    non_proxy_hosts: list[str] | None = None
    http_proxy: ForwardProxyXO | None = None
    https_proxy: ForwardProxyXO | None = None


@router.get("", dependencies=needs("settings", "read"))
async def read(services: Here) -> HttpSettingsXO:
    """With a placeholder for passwords; who sends it back keeps them."""
    found = HttpSettingsXO.model_validate(await services.outbound.get())
    for proxy in (found.http_proxy, found.https_proxy):
        if proxy is not None and proxy.auth_info is not None and proxy.auth_info.password:
            proxy.auth_info.password = PLACEHOLDER
    return found


@router.put("", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def change(body: Annotated[HttpSettingsXO, Depends(Taking(HttpSettingsXO))], services: Here) -> None:
    await services.outbound.put(body.model_dump(by_alias=True))


@router.delete("", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def reset(services: Here) -> None:
    await services.outbound.reset()
