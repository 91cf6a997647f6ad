"""Cleanup policies: which components of a repository have become superfluous."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pakhus.domain.content import Component

ALL_FORMATS = "*"
RELEASES, PRERELEASES, BOTH = "RELEASES", "PRERELEASES", "RELEASES_AND_PRERELEASES"
RELEASE_TYPES = (RELEASES, PRERELEASES, BOTH)
BY_VERSION, BY_DATE = "version", "date"

Matcher = Callable[[str], bool]
"""Does the expression match the whole of a path?"""


@dataclass(frozen=True, slots=True)
class CleanupPolicy:
    """All criteria that are set must hold. Ages are days; `retain` newest versions of each name stay in any case."""

    name: str
    format: str = ALL_FORMATS
    notes: str = ""
    last_blob_updated: int | None = None
    last_downloaded: int | None = None
    release_type: str | None = None
    asset_regex: str | None = None
    retain: int | None = None
    sort_by: str | None = None

    @property
    def has_criteria(self) -> bool:
        """Without a criterion a policy would empty what it is applied to."""
        criteria = (self.last_blob_updated, self.last_downloaded, self.release_type, self.asset_regex, self.retain)
        return any(each is not None for each in criteria)

    def applies_to(self, format: str) -> bool:
        return self.format in (ALL_FORMATS, format)


def superfluous(policy: CleanupPolicy, component: Component, *, now: datetime, matches: Matcher) -> bool:
    """Do the policy's criteria hold, apart from `retain`?"""
    if not policy.has_criteria or not component.assets or not of_type(policy, component):
        return False
    if policy.last_blob_updated is not None:
        newest = max(asset.updated for asset in component.assets)
        if newest > now - timedelta(days=policy.last_blob_updated):
            return False
    if policy.last_downloaded is not None:
        # What was never downloaded counts from the day of its coming.
        used = max(asset.last_downloaded or asset.updated for asset in component.assets)
        if used > now - timedelta(days=policy.last_downloaded):
            return False
    return policy.asset_regex is None or any(matches(asset.path) for asset in component.assets)


def of_type(policy: CleanupPolicy, component: Component) -> bool:
    """Is the component a release, or a pre-release, as the policy wants it?"""
    if policy.release_type in (None, BOTH):
        return True
    return component.prerelease is (policy.release_type == PRERELEASES)


def retained(policy: CleanupPolicy, versions: Iterable[Component], version_key: Callable[[str], Any]) -> frozenset[int]:
    """The identities of the newest versions of one name, which stay."""
    if policy.retain is None:
        return frozenset()
    counted: Sequence[Component] = [each for each in versions if of_type(policy, each)]
    if policy.sort_by == BY_DATE:
        ordered = sorted(counted, key=lambda each: (max(a.updated for a in each.assets), each.id), reverse=True)
    else:
        ordered = sorted(counted, key=lambda each: (version_key(each.version), each.id), reverse=True)
    return frozenset(each.id for each in ordered[: policy.retain])
