"""Webhooks: receivers of events, what was delivered to them, and what was not. Native API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from pakhus.database.webhooks import Delivery
from pakhus.domain.events import TYPES
from pakhus.domain.webhooks import Webhook
from pakhus.rest.bodies import Moment, NativeShape, Taking, Text
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class WebhookFieldsXO(NativeShape):
    """`events` are actions (`artifact.created`), `artifact.*` or `*`; no repositories are all."""

    url: Text
    events: list[str] = ["*"]
    repositories: list[str] = []
    enabled: bool = True
    retention_days: int = 14


class NewWebhookXO(WebhookFieldsXO):
    """Without `secret` one is made."""

    name: Text
    secret: str = ""


class WebhookXO(WebhookFieldsXO):
    """`disabled` says why the server itself has switched it off."""

    name: str
    disabled: str
    created: Moment | None
    updated: Moment | None


class MadeWebhookXO(WebhookXO):
    """With the secret, which is shown this one time."""

    secret: str


class SecretXO(NativeShape):
    """Empty: one is made."""

    secret: str = ""


class DeliveryXO(NativeShape):
    """`state` is pending, delivered or dead; `log` has the attempts, `due` is when the next is made."""

    id: int
    message: str
    action: str
    state: str
    attempts: int
    created: Moment
    due: Moment | None
    finished: Moment | None
    log: list[dict[str, Any]]


class WholeDeliveryXO(DeliveryXO):
    payload: str


class DeliveryPageXO(NativeShape):
    items: list[DeliveryXO]
    continuation_token: str | None


class RedeliveredXO(NativeShape):
    redelivered: int


@router.get("", dependencies=needs("webhooks", "read"))
async def everything(services: Here) -> list[WebhookXO]:
    return [WebhookXO(**_members(each)) for each in await services.webhooks.everything()]


@router.post("", dependencies=needs("webhooks", "create"), status_code=201)
async def create(body: Annotated[NewWebhookXO, Depends(Taking(NewWebhookXO))], services: Here) -> MadeWebhookXO:
    secret = await services.webhooks.create(_webhook(body.name, body), body.secret)
    return MadeWebhookXO(secret=secret, **_members(await services.webhooks.get(body.name)))


@router.get("/{name}", dependencies=needs("webhooks", "read"))
async def one(name: str, services: Here) -> WebhookXO:
    return WebhookXO(**_members(await services.webhooks.get(name)))


@router.put("/{name}", dependencies=needs("webhooks", "update"))
async def update(
    name: str, body: Annotated[WebhookFieldsXO, Depends(Taking(WebhookFieldsXO))], services: Here
) -> WebhookXO:
    await services.webhooks.update(name, _webhook(name, body))
    services.deliverer.wake()
    return WebhookXO(**_members(await services.webhooks.get(name)))


@router.delete("/{name}", dependencies=needs("webhooks", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    """What was not delivered yet is not delivered any more."""
    await services.webhooks.delete(name)


@router.post("/{name}/secret", dependencies=needs("webhooks", "update"))
async def exchange_secret(name: str, body: Annotated[SecretXO, Depends(Taking(SecretXO))], services: Here) -> SecretXO:
    """A new secret, shown this once; the one before signs too for another day."""
    return SecretXO(secret=await services.webhooks.exchange_secret(name, body.secret))


@router.post("/{name}/test", dependencies=needs("webhooks", "update"))
async def test(name: str, services: Here) -> WholeDeliveryXO:
    """Send a message now, and tell what came of it."""
    delivery = await services.webhooks.test(name)
    await services.deliverer.deliver_now(delivery)
    return _whole(await services.webhooks.delivery(name, delivery.id))


@router.get("/{name}/deliveries", dependencies=needs("webhooks", "read"))
async def deliveries(
    name: str,
    services: Here,
    state: Literal["", "pending", "delivered", "dead"] = "",
    action: str = "",
    token: Annotated[str | None, Query(alias="continuation_token")] = None,
    limit: int = 100,
) -> DeliveryPageXO:
    """Deliveries, the newest first."""
    page = await services.webhooks.deliveries(name, state=state, action=action, token=token, limit=limit)
    return DeliveryPageXO(items=[DeliveryXO(**_shown(each)) for each in page.items], continuation_token=page.token)


@router.get("/{name}/deliveries/{id}", dependencies=needs("webhooks", "read"))
async def delivery(name: str, id: int, services: Here) -> WholeDeliveryXO:
    return _whole(await services.webhooks.delivery(name, id))


@router.post("/{name}/deliveries/{id}/redeliver", dependencies=needs("webhooks", "update"), status_code=202)
async def redeliver(name: str, id: int, services: Here) -> RedeliveredXO:
    """Deliver once more, with the same id."""
    await services.webhooks.redeliver(name, id)
    services.deliverer.wake()
    return RedeliveredXO(redelivered=1)


@router.post("/{name}/redeliver", dependencies=needs("webhooks", "update"), status_code=202)
async def redeliver_dead(name: str, services: Here) -> RedeliveredXO:
    """Deliver all that was given up."""
    number = await services.webhooks.redeliver_dead(name)
    services.deliverer.wake()
    return RedeliveredXO(redelivered=number)


kinds = APIRouter(tags=["webhooks"])


@kinds.get("/webhook-events", dependencies=needs("webhooks", "read"))
async def events() -> dict[str, list[str]]:
    """What a webhook can be told of: type → verbs."""
    return {type: [words.split()[0] for words in verbs.split(", ")] for type, verbs in TYPES.items()}


def _webhook(name: str, body: WebhookFieldsXO) -> Webhook:
    return Webhook(name, body.url, tuple(body.events), tuple(body.repositories), body.enabled, body.retention_days)


def _members(found: Webhook) -> dict[str, Any]:
    return {
        "name": found.name,
        "url": found.url,
        "events": list(found.events),
        "repositories": list(found.repositories),
        "enabled": found.enabled,
        "retention_days": found.retention_days,
        "disabled": found.disabled,
        "created": found.created,
        "updated": found.updated,
    }


def _shown(found: Delivery) -> Mapping[str, Any]:
    return {
        "id": found.id,
        "message": found.message,
        "action": found.action,
        "state": found.state,
        "attempts": found.attempts,
        "created": found.created,
        "due": found.due if found.finished is None else None,
        "finished": found.finished,
        "log": [dict(each) for each in found.log],
    }


def _whole(found: Delivery) -> WholeDeliveryXO:
    return WholeDeliveryXO(payload=found.payload, **_shown(found))
