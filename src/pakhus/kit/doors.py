"""How clients reach a repository and say who they are: mounts, ports and host names, kinds of credentials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mount:
    """A URL outside `/repository/<name>/`: `outside` has `{repository}` and `{rest}`, `inside` the latter.

    `enabled` says by a repository's settings whether it can be reached so.
    """

    outside: str
    inside: str
    enabled: Callable[[Any], bool] = lambda settings: True


@dataclass(frozen=True)
class Doors:
    """Where else a repository can be reached, its paths starting at the root: on ports, and under a host name.

    `ports` are opened by every node while the repository exists, `tls_ports` with the server's certificate. `label` is
    the first label of the Host that leads to the repository.
    """

    ports: Sequence[int] = ()
    tls_ports: Sequence[int] = ()
    label: str = ""


NO_DOORS = Doors()


@dataclass(frozen=True)
class Credential:
    """A way for a client of this format to say who it is.

    `scheme` is `basic`, `bearer`, `raw` (the token is the whole Authorization header) or `header` (in `header`).
    """

    scheme: str
    header: str = "authorization"


BASIC = Credential("basic")
BEARER = Credential("bearer")
