"""What a person is shown who wants to use a repository works as it stands: every snippet of every installed format."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pakhus.app import formats
from pakhus.kit.format import Format, Snippet
from tests.clients import programs
from tests.clients.programs import environment, program
from tests.clients.server import Server
from tests.clients.tls import SecureServer
from tests.clients.upstreams import live_upstream
from tests.samples import sample
from tests.usage import Trial, trials

FORMATS = {format.name: format for format in formats()}


def cases() -> Iterator[Any]:
    for name, format in FORMATS.items():
        for client in dict.fromkeys(snippet.client for snippet in format.usage):
            trial = trials(name).get(client)
            marks = [pytest.mark.live] if trial and trial.live else []
            yield pytest.param(name, client, id=f"{name}-{client.replace(' ', '-')}", marks=marks)


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    server = SecureServer(tmp_path_factory.mktemp("secure") / "data")
    server.start()
    yield server
    server.stop()
    server.http.close()


@pytest.mark.parametrize(("name", "client"), list(cases()))
def test_what_is_shown_works(name: str, client: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    trial = trials(name).get(client)
    if trial is None:
        programs.missed(f"nobody has written how the snippets of {client} are tried: tests/usage/{name}.py")
    if trial.untried:
        pytest.skip(trial.untried)
    server: Server = request.getfixturevalue("secure_server" if trial.secure else "server")
    shown = Shown(server, FORMATS[name], client, trial)

    said = shown.typed(tmp_path)

    assert said.returncode == 0, f"{said.args[-1]}\n{said.stdout}\n{said.stderr}\n{server.said(30)}"


class Shown:
    """The snippets of a client, filled in for a repository and a person of their own."""

    def __init__(self, server: Server, format: Format, client: str, trial: Trial) -> None:
        self.server, self.format, self.client, self.trial = server, format, client, trial
        self.name = "-".join(("".join(c if c.isalnum() else "-" for c in client), format.name)).lower().strip("-")
        self.url = self.repository()
        self.user, self.password = server.writer(f"ada-{self.name}", format.name)

    def repository(self) -> str:
        """A private repository with what its sample publishes."""
        url = self.server.create(self.format.name, "hosted", f"{self.name}-own")
        releases = sample(self.format.name)
        for sent in (*releases.first.publish, *releases.other.publish):
            answer = self.server.http.request(
                sent.method, url + sent.path, content=sent.body, headers=dict(sent.headers)
            )
            assert answer.is_success, answer.text
        members = [f"{self.name}-own"]
        if self.trial.live:
            remote = live_upstream(self.trial.live) + "/"
            members.append(f"{self.name}-live")
            self.server.create(self.format.name, "proxy", members[-1], remote=remote)
        writable = {"writableMember": members[0]}
        return self.server.create(self.format.name, "group", self.name, members=members, group=writable)

    def filled(self, snippet: Snippet) -> Snippet:
        return snippet.filled(self.url, name=self.name, user=self.user, password=self.password)

    def lines(self, text: str) -> str:
        return self.filled(Snippet("", text)).text

    def snippets(self) -> list[Snippet]:
        wanted = (*self.trial.needs, self.client)
        return [self.filled(each) for client in wanted for each in self.format.usage if each.client == client]

    def typed(self, place: Path) -> subprocess.CompletedProcess[str]:
        """Files first, then everything that is typed into one shell."""
        home, project = place / "home", place / "project"
        for folder in (home, project):
            folder.mkdir()
        for name, content in self.trial.files.items():
            write(home, project, name, content)
        script = ["set -euo pipefail", self.lines(self.trial.before)]
        for snippet in self.snippets():
            text = snippet.text
            for word, meant in self.trial.words.items():
                text = text.replace(f"<{word}>", meant)
            if snippet.file:
                write(
                    home,
                    project,
                    snippet.file,
                    self.trial.around.get(snippet.file, "{snippet}").replace("{snippet}", text),
                )
            else:
                script.append(text)
        script.append(self.lines(self.trial.after))
        return subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=project,
            env=self.environment(home, place),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def environment(self, home: Path, place: Path) -> dict[str, str]:
        shims = place / "bin"
        shims.mkdir()
        for command, client in {"curl": "curl", **self.trial.programs}.items():
            found = program(client, place)
            set_up = shlex.join([*(f"{key}={value}" for key, value in found.env.items()), *found.command])
            (shims / command).write_text(f'#!/bin/sh\nexec env {set_up} "$@"\n')
            (shims / command).chmod(0o755)
        env = {**environment(home), **self.trial.env}
        env["PATH"] = f"{shims}{os.pathsep}{env['PATH']}"
        if isinstance(self.server, SecureServer):
            trusted = str(self.server.chain)
            env |= {"SSL_CERT_FILE": trusted, "NODE_EXTRA_CA_CERTS": trusted, "CURL_CA_BUNDLE": trusted}
        return {key: value for key, value in env.items() if value}


def write(home: Path, project: Path, name: str, content: bytes | str) -> None:
    file = home / name[2:] if name.startswith("~/") else project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(0o600)
