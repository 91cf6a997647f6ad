"""What a person is shown who wants to use a repository with a client."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

_PLACE = re.compile(r"\{(url|login_url|below|host|hostname|name|user|password)\}")


@dataclass(frozen=True)
class Snippet:
    """How a client is set up. Those of the same `client` belong together, in their order.

    `file` is where the text belongs (`~/.npmrc`, or below the project), or empty for commands. `filled` replaces
    `{url}` (with slash at its end), `{login_url}` (the same with the credentials in it), `{below}` (the same without
    its scheme), `{host}` (with the port), `{hostname}` (without), `{name}`, `{user}` and `{password}`. Other braces
    stay as they are; `<words>` are for the person to replace.
    """

    client: str
    text: str
    file: str = ""
    language: str = "shell"

    def filled(self, url: str, *, name: str, user: str, password: str) -> Snippet:
        """The snippet for one repository and one person."""
        parts = urlsplit(url)
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@"
        values = {
            "url": url,
            "login_url": parts._replace(netloc=login + parts.netloc).geturl(),
            "below": f"{parts.netloc}{parts.path}",
            "host": parts.netloc,
            "hostname": parts.hostname or "",
            "name": name,
            "user": user,
            "password": password,
        }
        return replace(self, text=_PLACE.sub(lambda found: values[found[1]], self.text))
