"""Why somebody may do something, or not (`/api/v1/explain`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from pakhus.domain.security import Permission
from pakhus.engine.inquiry import Answer, Change, Check
from pakhus.rest.bodies import NativeShape
from pakhus.rest.rights import Caller, Here, needs

router = APIRouter(prefix="/explain", tags=["security: explain"])
User = Annotated[str, Query(description="A user's name; empty for a caller without credentials.")]
Action = Annotated[Literal["browse", "read", "edit", "add", "delete"], Query()]
Path = Annotated[str, Query(description="In the repository, with or without a leading slash.")]


class DetailXO(NativeShape):
    """One privilege or scope that was asked."""

    rule: str
    allowed: bool
    reason: str


class StepXO(NativeShape):
    """One check. `subject` is an account, a repository or a path."""

    rule: str
    subject: str
    allowed: bool
    reason: str
    details: list[DetailXO]


class ChangeXO(NativeShape):
    """What an administrator can do; `about` names the things that it concerns."""

    kind: str
    text: str
    about: dict[str, str]


class ExplanationXO(NativeShape):
    """`changes` together are the smallest that would make the answer yes; empty where it is, or nothing would."""

    allowed: bool
    user: str
    action: str
    repository: str
    path: str
    steps: list[StepXO]
    changes: list[ChangeXO]


@router.get("", dependencies=needs("privileges", "read"))
async def explain(
    services: Here, caller: Caller, action: Action, repository: str, user: User = "", path: Path = ""
) -> ExplanationXO:
    """All checks that such a request meets, made by the code that makes them for a request."""
    path = path.removeprefix("/")
    found = await services.explain.explain(user, Permission(action), repository, path, by=caller)
    return _shown(found, user=user, action=action, repository=repository, path="/" + path)


def _shown(answer: Answer, **asked: str) -> ExplanationXO:
    return ExplanationXO(
        allowed=answer.allowed,
        steps=[_step(each) for each in answer.checks],
        changes=[_change(each) for each in answer.changes],
        **asked,
    )


def _step(check: Check) -> StepXO:
    details = [DetailXO(rule=each.rule, allowed=each.allowed, reason=each.reason) for each in check.details]
    return StepXO(rule=check.rule, subject=check.subject, allowed=check.allowed, reason=check.reason, details=details)


def _change(change: Change) -> ChangeXO:
    return ChangeXO(kind=change.kind, text=change.text, about=dict(change.about))
