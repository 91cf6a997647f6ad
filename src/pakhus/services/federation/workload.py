"""Workload identity: a build or a service shows the token that its platform signed for it, and acts in a role.

No secret is stored anywhere: GitHub, GitLab, Kubernetes and their like sign short tokens that say which job runs.
A workload role says which of them it is for (issuer, audiences, claims) and what they may do. The token is shown in
place of a password on any route, or exchanged for one of ours (RFC 8693).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.csel import Comparison, Either, Operator, Subject
from pakhus.domain.security import ContentSelector, Grant
from pakhus.services.federation.claims import Bound, matches
from pakhus.services.federation.jwt import texts_of

ACTIONS = ("browse", "read", "edit", "add", "delete")
SCOPES: Mapping[str, tuple[str, ...]] = {"read": ("browse", "read"), "write": ("add", "edit"), "delete": ("delete",)}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a workload role may do in some repositories: patterns of names and of paths (without leading slash)."""

    repositories: tuple[str, ...]
    paths: tuple[str, ...]
    actions: tuple[str, ...]

    def grant(self, role: str, names: Iterable[str]) -> Grant | None:
        """The grant on those of the existing repositories that are meant."""
        meant = frozenset(name for name in names if any(matches(each, name) for each in self.repositories))
        if not meant:
            return None
        parts = (frozenset({"repository-view"}), frozenset({"*"}), meant, frozenset(self.actions))
        return Grant(parts, f"workload {role}", role, None if "*" in self.paths else _selector(role, self.paths))


@dataclass(frozen=True, slots=True)
class WorkloadRole:
    """Who may act in it (`audiences`, `bound`), and what may then be done (`roles`, `rules`). `ttl` in seconds."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    bound: tuple[Bound, ...]
    roles: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    ttl: int = 900
    enabled: bool = True
    description: str = ""

    def flaws(self, claims: Mapping[str, Any]) -> list[str]:
        """Why a verified token of the issuer is not this role's; empty if it is."""
        if not self.enabled:
            return ["the role is disabled"]
        found: list[str] = []
        audiences = texts_of(claims.get("aud"))
        if not any(each in self.audiences for each in audiences):
            found.append(f"aud is {list(audiences)} (wanted one of {list(self.audiences)})")
        return found + [flaw for each in self.bound if (flaw := each.flaw(claims)) is not None]

    @property
    def fingerprint(self) -> str:
        """Of whom the role is for: a token that was given out is void once this changes."""
        bound = sorted([each.claim, *each.patterns] for each in self.bound)
        text = json.dumps([self.issuer, sorted(self.audiences), bound])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def own_grants(self, repositories: Sequence[str]) -> tuple[Grant, ...]:
        grants = (rule.grant(self.name, repositories) for rule in self.rules)
        found = tuple(grant for grant in grants if grant is not None)
        words = {word for rule in self.rules for word in rule.actions}
        extra = [Grant.parse("search:read", privilege=f"workload {self.name}", role=self.name)] if found else []
        if found and words & {"add", "edit"}:
            extra.append(Grant.parse("component:upload", privilege=f"workload {self.name}", role=self.name))
        return (*found, *extra)


def limits(scopes: Sequence[str]) -> tuple[Grant, ...] | None:
    """What an exchanged token may at most, if it asked for less than its role has."""
    if not scopes:
        return None
    actions = ",".join(action for scope in scopes for action in SCOPES[scope])
    grants = [Grant.parse(f"repository-view:*:*:{actions}", privilege="scope")]
    if "read" in scopes:
        grants.append(Grant.parse("search:read", privilege="scope"))
    if "write" in scopes:
        grants.append(Grant.parse("component:upload", privilege="scope"))
    return tuple(grants)


def _selector(role: str, paths: tuple[str, ...]) -> ContentSelector:
    parts = tuple(Comparison(Subject.PATH, Operator.MATCHES, "/" + _regex(each)) for each in paths)
    return ContentSelector(f"workload {role}", " or ".join(paths), parts[0] if len(parts) == 1 else Either(parts))


def _regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in pattern)
