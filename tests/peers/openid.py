"""A certified OpenID provider of the test's own, and a browser that logs in there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.clients.install import node
from tests.clients.programs import path_of

SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
FORM = re.compile(r"<form[^>]*?action=\"([^\"]*)\"[^>]*>(.*?)</form>", re.S)
INPUT = re.compile(r"<(?:input|button)\b([^>]*)>", re.S)
ATTRIBUTE = re.compile(r"([\w-]+)=\"([^\"]*)\"")


@dataclass
class OpenId:
    """A provider at `issuer`."""

    issuer: str

    def account(self, login: str, **claims: Any) -> None:
        """What the provider says of somebody from now on."""
        httpx2.post(f"{self.issuer}/control", json={login: claims}, trust_env=False).raise_for_status()

    def forget(self, login: str) -> None:
        httpx2.post(f"{self.issuer}/control", json={login: None}, trust_env=False).raise_for_status()


@contextmanager
def running(*clients: Mapping[str, Any], port: int = 0) -> Iterator[OpenId]:
    """Start one with these clients registered."""
    package = path_of("oidc-provider")
    port = port or free_port()
    program = shutil.which("node", path=str(node())) or "node"
    command = [program, str(SCRIPT), str(package), str(port), json.dumps(clients)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.strip() == "ready":
                break
        else:
            raise AssertionError("".join(said))
        yield OpenId(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Browser:
    """Follows redirects, keeps the cookies of each server apart, and fills in forms. It does not open `stop_at`."""

    stop_at: str = ""
    stopped: str = ""
    jars: dict[str, dict[str, str]] = field(default_factory=dict)
    page: httpx2.Response | None = None

    def __post_init__(self) -> None:
        self.http = httpx2.Client(trust_env=False, timeout=60)

    def open(self, url: str) -> httpx2.Response:
        return self._go("GET", url)

    def submit(self, **filled: str) -> httpx2.Response:
        """Send the page's form, with these fields filled in."""
        assert self.page is not None
        form = FORM.search(self.page.text)
        assert form is not None, self.page.text
        data: dict[str, str] = {}
        for attributes in INPUT.findall(form[2]):
            found = {name: unescape(value) for name, value in ATTRIBUTE.findall(attributes)}
            if found.get("name"):
                data[found["name"]] = found.get("value", "")
        return self._go("POST", urljoin(str(self.page.url), unescape(form[1])), {**data, **filled})

    def log_in(self, url: str, login: str, password: str = "x") -> httpx2.Response:
        """Through the provider's forms (name and password, then consent) and back."""
        page = self.open(url)
        while "<form" in page.text and page.status_code < 400:
            fields = {"login": login, "password": password} if 'name="password"' in page.text else {}
            page = self.submit(**fields)
        return page

    def _go(self, method: str, url: str, data: Mapping[str, str] | None = None) -> httpx2.Response:
        while True:
            host = urlsplit(url).netloc
            jar = self.jars.setdefault(host, {})
            cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
            headers = {"cookie": cookies} if cookies else {}
            self.page = self.http.request(method, url, data=data, headers=headers)
            for each in self.page.headers.get_list("set-cookie"):
                name, _, value = each.partition(";")[0].partition("=")
                jar.pop(name, None)
                if value and value != '""' and "max-age=0" not in each.lower():
                    jar[name] = value
            if self.page.status_code not in (301, 302, 303, 307, 308):
                return self.page
            url = urljoin(url, self.page.headers["location"])
            method, data = "GET", None
            if self.stop_at and url.startswith(self.stop_at):
                self.stopped = url
                return self.page
