"""Raw: what Nexus calls group and name, and what a browser is told to do with a file."""

from __future__ import annotations

import pytest

from pakhus.domain.content import Coordinates
from pakhus.domain.repository import RepositoryType
from pakhus.formats.raw import Anything, Raw, RawSettings
from pakhus.kit.context import Content, Context

CONTENT = Content("text/plain", 3, None, {})


def request(path: str, disposition: str = "ATTACHMENT") -> Context:
    settings = RawSettings.model_validate({"raw": {"contentDisposition": disposition}})
    return Context("files", path, {"path": path}, {}, "*/*", settings, link=lambda it: f"http://host/{it}")


@pytest.mark.parametrize(
    ("path", "folder"),
    [("file.bin", "/"), ("a/file.bin", "/a"), ("a/b/c/file.bin", "/a/b/c"), ("no-extension", "/")],
)
def test_the_group_of_a_file_is_its_folder_and_its_name_is_the_path(path: str, folder: str) -> None:
    assert Anything().identify(request(path)) == Coordinates(path, namespace=folder)


def test_a_file_is_saved_under_its_own_name_unless_told_otherwise() -> None:
    headers = Anything().headers(request("a/b/größe %.txt"), CONTENT)

    # RFC 8187: percent-encoded UTF-8
    assert headers == {"content-disposition": "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%25.txt"}


def test_an_inline_repository_lets_the_browser_show_files() -> None:
    headers = Anything().headers(request("index.html", "INLINE"), CONTENT)

    assert headers["content-disposition"].startswith("inline;")


def test_a_file_may_change_so_a_proxy_asks_again() -> None:
    assert not Anything().immutable(request("a.bin"))


@pytest.mark.parametrize("type", RepositoryType)
def test_every_type_takes_the_same_options(type: RepositoryType) -> None:
    assert Raw.settings[type].model_validate({}).model_dump(by_alias=True) == {
        "raw": {"contentDisposition": "ATTACHMENT"}
    }
