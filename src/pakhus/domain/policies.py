"""Rules that answer yes or no, without knowing a format: write policy, routing rule, age."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from functools import lru_cache

from pakhus.domain.repository import Repository, RoutingRule, WritePolicy

WRITE_REFUSED = "Repository does not allow updating assets: {name}"
READ_ONLY = "Repository is read only: {name}"


def write_refusal(repository: Repository, path: str, *, exists: bool, rewritable: bool) -> str | None:
    """Why the write policy refuses `path`, or `None`. `rewritable` paths may be replaced under ALLOW_ONCE."""
    policy = repository.write_policy
    if policy is WritePolicy.DENY:
        return f"{READ_ONLY.format(name=repository.name)} ({repository.name}/{path} is read-only)"
    if policy is WritePolicy.ALLOW_ONCE and exists and not rewritable:
        return f"{WRITE_REFUSED.format(name=repository.name)} ({repository.name}/{path} cannot be updated)"
    return None


def delete_refusal(repository: Repository, path: str) -> str | None:
    """Why a path of this repository cannot be deleted by its protocol, or `None`."""
    if repository.write_policy is WritePolicy.DENY:
        return f"{READ_ONLY.format(name=repository.name)} ({repository.name}/{path} cannot be deleted)"
    return None


@lru_cache(maxsize=1024)
def _compiled(matcher: str) -> re.Pattern[str]:
    return re.compile(matcher)


def routed(rule: RoutingRule | None, path: str) -> bool:
    """Does the rule let this path (with leading slash, and query) through to the upstream?"""
    if rule is None:
        return True
    matched = any(_compiled(matcher).fullmatch(path) for matcher in rule.matchers)
    return matched if rule.mode == "ALLOW" else not matched


def fresh_for(verified: datetime, max_age: float, *, now: datetime, invalidated: datetime | None) -> float:
    """Seconds until a kept copy must be checked with its upstream, 0 for now. `max_age` in minutes, −1 is never."""
    if invalidated is not None and verified <= invalidated:
        return 0.0
    if max_age < 0:
        return math.inf
    return max(0.0, (verified + timedelta(minutes=max_age) - now).total_seconds())
