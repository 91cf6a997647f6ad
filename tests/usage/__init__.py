"""How the snippets that a format shows are tried: for each format a module `tests.usage.<name>` with `TRIALS`.

A trial does what a person does who sees them: puts the files where they belong, and types the commands, in their order,
into one shell in a project folder, against a private repository that holds the first and the last release of the
format's sample.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Trial:
    """The snippets of one client.

    `programs` says which client of `pins.toml` a command is. `files` are in the project before anything else, `words`
    is what the person writes for each `<word>`, `needs` names clients whose snippets come first. `around` gives the
    whole file (with `{snippet}`) where a snippet shows a part of one. `before` and `after` are typed around the
    snippets, with the same fillings: what `after` says must be true. `secure` puts TLS before the server; `live` makes
    the repository a group that also has a proxy of the upstream of that client. `untried` says why nothing is tried.
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    needs: Sequence[str] = ()
    around: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secure: bool = False
    live: str = ""
    untried: str = ""


def trials(format: str) -> Mapping[str, Trial]:
    """Client → trial; empty for a format that has none yet."""
    try:
        module = importlib.import_module(f"tests.usage.{format}")
    except ModuleNotFoundError:
        return {}
    found: Mapping[str, Trial] = module.TRIALS
    return found
