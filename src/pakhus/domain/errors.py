"""What can go wrong: raised anywhere, caught once in `pakhus.web.problems`.

The class decides the HTTP status; the message is written for the person who reads it in a terminal.
`None` means "not here, go on"; an exception means "stop".
"""

from __future__ import annotations

from typing import ClassVar


class PakhusError(Exception):
    """A refusal or a failure that the caller is told about."""

    status: ClassVar[int] = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message or type(self).__name__


class NotFound(PakhusError):
    """`path` is what is not there, inside the repository, where that is known."""

    status = 404

    def __init__(self, message: str = "", *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class RepositoryNotFound(NotFound):
    pass


class AssetNotFound(NotFound):
    pass


class ComponentNotFound(NotFound):
    pass


class NoSuchUpload(NotFound):
    pass


class UploadOutOfOrder(PakhusError):
    """A chunk of an upload does not begin where the last one ended, which is at `size` bytes."""

    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"the upload has {size} bytes so far, and goes on from there")
        self.size = size


class Invalid(PakhusError):
    """The request or its body is wrong.

    `field` names the offending member where there is one (Nexus's validation errors carry it).
    """

    status = 400

    def __init__(self, message: str = "", *, field: str = "*") -> None:
        super().__init__(message)
        self.field = field


class BadPath(Invalid):
    pass


class BadPackage(Invalid):
    pass


class DigestMismatch(Invalid):
    pass


class MissingReference(Invalid):
    """What is to be stored refers to paths that are not there: `missing`."""

    def __init__(self, message: str = "", *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class PolicyViolation(Invalid):
    """A write policy, a version policy or a layout policy refuses the path."""


class Unauthenticated(PakhusError):
    """No credentials, or wrong ones: answered with the format's challenge."""

    status = 401


class Denied(PakhusError):
    status = 403


class Forbidden(Denied):
    pass


class OutOfScope(Forbidden):
    """The user may, but the token that came with the request was made for something else."""


class QuotaExceeded(Denied):
    pass


class Blocked(Denied):
    """A routing rule or a guard refuses the request."""


class Conflict(PakhusError):
    status = 409


class AlreadyExists(Conflict):
    pass


class StillInUse(Conflict):
    pass


class NotAllowed(PakhusError):
    """The method is not possible here: a proxy, a group without writable member, an unknown method."""

    status = 405

    def __init__(self, message: str = "", *, allow: tuple[str, ...] = ("GET", "HEAD")) -> None:
        super().__init__(message)
        self.allow = allow


class PreconditionFailed(PakhusError):
    status = 412


class TooLarge(PakhusError):
    status = 413


class TooManyRequests(PakhusError):
    status = 429

    def __init__(self, message: str = "", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(PakhusError):
    status = 503


class Offline(Unavailable):
    pass


class Busy(Unavailable):
    pass


class Frozen(Unavailable):
    """An administrator has put the server into read-only mode."""


class StorageFull(Unavailable):
    """The blob store has no room for the body."""

    status = 507


class UpstreamDown(Unavailable):
    """The upstream could not be asked: unlike "not found", this says nothing of what it holds."""

    status = 502


class UpstreamRefused(UpstreamDown):
    """The upstream answered, and its answer was not usable (401, 429, 5xx).

    Nexus answers 503 when nothing is cached.
    """

    status = 503


class UpstreamBlocked(UpstreamDown):
    """The upstream is blocked, by an administrator or by auto-block.

    Nexus answers 404 with a message when nothing is cached.
    """

    status = 404
