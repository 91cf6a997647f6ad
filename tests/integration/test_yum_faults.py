"""A yum server that ends without warning while packages arrive: afterwards its metadata tell of what it took."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.clients.server import ADMIN, Server
from tests.samples.rpm_metadata import read
from tests.samples.rpm_packages import rpm


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    data = tmp_path / "data"
    data.mkdir()
    made = Server(data, settings={"PAKHUS_SIGNING_ALGORITHM": "ed25519"}).start()
    yield made
    made.stop()
    made.http.close()


class Uploads(threading.Thread):
    """Uploads packages until the server is gone; `taken` are those that it answered for."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__()
        self.url, self.prefix = url, prefix
        self.taken: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        with httpx2.Client(auth=ADMIN, timeout=60, trust_env=False) as http:
            for number in range(10_000):
                name = f"{self.prefix}{number}"
                try:
                    answer = http.put(f"{self.url}Packages/{name}.rpm", content=rpm(name))
                except httpx2.TransportError:
                    return
                assert answer.status_code == 200, answer.text
                self.taken.append(name)
                if number == 25:
                    self.enough.set()


async def test_after_a_crash_the_metadata_tell_of_every_package_that_was_taken(server: Server) -> None:
    url = server.create("yum", "hosted", "crashed")
    server.get(f"{url}repodata/repomd.xml").raise_for_status()
    known: set[str] = set()
    for turn in ("a", "b"):
        uploads = Uploads(url, turn)
        uploads.start()
        assert uploads.enough.wait(120)
        server.stop(signal.SIGKILL)
        uploads.join()
        server.start()
        known |= set(uploads.taken)

        async def get(path: str) -> bytes:
            return server.get(url + path).raise_for_status().content

        listed = {re.sub("-1.0-1.noarch$", "", each) for each in (await read(get)).listed}

        assert known <= listed
        assert len(listed - known) <= 1  # the one that was stored, and whose answer was cut off
        known = listed
