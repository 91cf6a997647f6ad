"""A small server that speaks the REST routes which the client uses, with faults that a test can order.

It stands for the other end of the wire: real sockets, real HTTP, no code of ours in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PASSWORD = "correct horse"
PAGE = 2


@dataclass
class State:
    """What the peer holds, and what it was asked."""

    repositories: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    assets: dict[tuple[str, str], bytes] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    posted: list[tuple[str, str, str]] = field(default_factory=list)
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)
    """Names of the form fields that were posted and are no files."""
    elsewhere: str = ""
    """Downloads are redirected to this URL."""
    faults: list[int] = field(default_factory=list)
    """Statuses answered to the next uploads and downloads instead of doing them; 0 drops the connection."""
    cut: int = 0
    """The next download ends after so many bytes."""
    etag: bool = True
    corrupt: bool = False
    lose_answer: bool = False
    """The next PUT is stored, but its answer never arrives."""
    searchable: bool = True
    open: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, format: str, type: str = "hosted", **settings: Any) -> None:
        self.repositories.append({"name": name, "format": format, "type": type, "url": f"/repository/{name}"})
        self.settings[name] = {"name": name, "format": format, "type": type, **settings}

    def asked(self, method: str) -> list[str]:
        return [path for verb, path in self.requests if verb == method]


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_any()

    do_POST = do_PUT = do_DELETE = do_GET

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        with self.state.lock:
            self.state.requests.append((self.command, self.path))
            self.state.authorizations.append(self.headers.get("authorization", ""))
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if path == "/api/v1/login":
            self.login(json.loads(body))
        elif path in ("/service/rest/v1/status", "/service/rest/v1/status/writable"):
            self.answer(200)
        elif path == "/api/v1/status":
            self.answer(200, {"version": "0.1.0"})
        elif (
            not self.state.open and self.headers.get("authorization", "").removeprefix("Bearer ") not in self.secrets()
        ):
            self.answer(401, {"message": "who are you?"})
        else:
            self.known(path, query, body)

    def secrets(self) -> set[str]:
        return {"session", *(token["token"] for token in self.state.tokens.values())}

    def login(self, wanted: dict[str, str]) -> None:
        if wanted["password"] == PASSWORD:
            self.answer(200, {"token": "session", "expires": "2099-01-01T00:00:00Z"})
        else:
            self.answer(401, {"message": "wrong"})

    def known(self, path: str, query: dict[str, str], body: bytes) -> None:
        state = self.state
        if path == "/api/v1/tokens":
            self.tokens(body)
        elif path.startswith("/api/v1/tokens/"):
            self.answer(204 if state.tokens.pop(path.rpartition("/")[2], None) else 404)
        elif path == "/service/rest/v1/repositories":
            self.answer(200, state.repositories)
        elif match := re.fullmatch(r"/service/rest/v1/repositories/([^/]+)", path):
            self.one(match[1])
        elif match := re.fullmatch(r"/service/rest/v1/repositories/([^/]+)/([^/]+)(?:/([^/]+))?", path):
            self.settings(match, body)
        elif path == "/service/rest/v1/search/assets" and not state.searchable:
            self.answer(403)
        elif path in ("/service/rest/v1/assets", "/service/rest/v1/search/assets"):
            self.page(list(self.found(query)), query)
        elif path == "/service/rest/v1/search":
            self.page(
                [{"repository": "r", "group": None, "name": "lib", "version": str(n), "assets": []} for n in range(5)],
                query,
            )
        elif match := re.fullmatch(r"/service/rest/v1/formats/([^/]+)/upload-specs", path):
            self.answer(200, state.forms[match[1]]) if match[1] in state.forms else self.answer(404)
        elif path == "/service/rest/v1/components":
            self.form(query["repository"], body)
        elif match := re.fullmatch(r"/repository/([^/]+)/(.+)", path):
            self.content(match[1], match[2], body)
        else:
            self.answer(404, "no such path")

    def tokens(self, body: bytes) -> None:
        if self.command == "GET":
            listed = [{k: v for k, v in token.items() if k != "token"} for token in self.state.tokens.values()]
            self.answer(200, listed)
            return
        wanted = json.loads(body)
        made = {**wanted, "token": f"phk_{len(self.state.tokens)}", "expires": None}
        self.state.tokens[wanted["name"]] = made
        self.answer(201, made)

    def one(self, name: str) -> None:
        found = next((r for r in self.state.repositories if r["name"] == name), None)
        if found and self.command == "DELETE":
            self.state.repositories.remove(found)
            self.answer(204)
        elif found:
            self.answer(200, found)
        else:
            self.answer(404)

    def settings(self, match: re.Match[str], body: bytes) -> None:
        if self.command == "POST":
            wanted = json.loads(body)
            if any(r["name"] == wanted["name"] for r in self.state.repositories):
                self.answer(400, [{"id": "FIELD name", "message": "Name is already used"}])
                return
            self.state.add(wanted.pop("name"), match[1], match[2], **wanted)
            self.answer(201)
        else:
            self.answer(200, self.state.settings[match[3]])

    def found(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        for (repository, path), body in sorted(self.state.assets.items()):
            digest = hashlib.sha256(body).hexdigest()
            if query.get("repository") == repository and query.get("sha256", digest) == digest:
                checksum = {"sha256": digest if not self.state.corrupt else "0" * 64}
                yield {"repository": repository, "path": f"/{path}", "checksum": checksum, "fileSize": len(body)}

    def page(self, items: list[dict[str, Any]], query: dict[str, str]) -> None:
        start = int(query.get("continuationToken", 0))
        following = str(start + PAGE) if start + PAGE < len(items) else None
        self.answer(200, {"items": items[start : start + PAGE], "continuationToken": following})

    def form(self, repository: str, body: bytes) -> None:
        if self.fault():
            return
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + body).get_payload():
            assert isinstance(part, Message)
            if name := part.get_filename():
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                self.state.posted.append((repository, str(part.get_param("name", header="content-disposition")), name))
                self.state.assets[repository, f"packages/{name}"] = payload
            else:
                self.state.fields.append(str(part.get_param("name", header="content-disposition")))
        self.answer(204)

    def content(self, repository: str, path: str, body: bytes) -> None:
        if self.fault():
            return
        key = (repository, path)
        if self.command == "PUT":
            if key in self.state.assets:
                self.answer(400, "Repository does not allow updating assets", kind="text/plain")
                return
            self.state.assets[key] = body
            if self.state.lose_answer:
                self.state.lose_answer = False
                self.drop()
            else:
                self.answer(201)
        elif self.state.elsewhere:
            self.send_response(302)
            self.send_header("location", self.state.elsewhere + self.path)
            self.send_header("content-length", "0")
            self.end_headers()
        elif key not in self.state.assets:
            self.answer(404, "not here")
        else:
            self.send_content(self.state.assets[key])

    def send_content(self, body: bytes) -> None:
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if asked and self.headers.get("if-range", etag) == etag:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("content-range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if self.state.etag:
            self.send_header("etag", etag)
        self.send_header("content-length", str(len(body) - start))
        self.end_headers()
        if self.state.cut:
            self.wfile.write(body[start : start + self.state.cut])
            self.state.cut = 0
            self.drop()
        else:
            self.wfile.write(body[start:])

    def fault(self) -> bool:
        with self.state.lock:
            status = self.state.faults.pop(0) if self.state.faults else None
        if status is None:
            return False
        if status:
            self.answer(status, "ordered by the test")
        else:
            self.drop()
        return True

    def drop(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def answer(self, status: int, body: Any = None, *, kind: str = "application/json") -> None:
        payload = b"" if body is None else body.encode() if kind == "text/plain" else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        if status != 204:
            self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@contextmanager
def serving(state: State) -> Iterator[str]:
    """The peer's URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
