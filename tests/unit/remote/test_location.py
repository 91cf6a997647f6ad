"""URLs of upstream requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pakhus.domain.errors import UpstreamDown
from pakhus.remote.location import directory, origin, redirected, target

BASE = "https://ann:pw@up.test:8443/base"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("a/b", "https://up.test:8443/base/a/b"),
        ("/a/b", "https://up.test:8443/base/a/b"),
        ("./a", "https://up.test:8443/base/a"),
        ("", "https://up.test:8443/base/"),
        ("a b/ü", "https://up.test:8443/base/a%20b/%C3%BC"),
        ("100%/a%2Fb#c", "https://up.test:8443/base/100%25/a%252Fb%23c"),
        ("c++", "https://up.test:8443/base/c%2B%2B"),
        ("@scope/x/-/x-1.tgz", "https://up.test:8443/base/@scope/x/-/x-1.tgz"),
        ("sha256:ab", "https://up.test:8443/base/sha256:ab"),
        ("a?x=1&y=%2F+b", "https://up.test:8443/base/a?x=1&y=%2F+b"),
        ("a?x=ü b", "https://up.test:8443/base/a?x=%C3%BC%20b"),
        ("../a", "https://up.test:8443/a"),
        ("../../../a", "https://up.test:8443/a"),
        ("a//b", "https://up.test:8443/base/a//b"),
        ("//evil.test/x", "https://up.test:8443/base//evil.test/x"),
        ("/http://evil.test/x", "https://up.test:8443/base/http://evil.test/x"),
        ("javascript:x", "https://up.test:8443/base/javascript:x"),
        ("https://cdn.test/a%2Fb c?q=%41+#f", "https://cdn.test/a%2Fb%20c?q=%41+"),
        ("HTTP://eve:pw@cdn.test:80/x", "http://cdn.test:80/x"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
        ("http://bücher.test/ä%20", "http://xn--bcher-kva.test/%C3%A4%20"),
    ],
)
@pytest.mark.parametrize("base", [BASE, BASE + "/", BASE + "/?ignored"])
def test_a_location_becomes_a_url(base: str, location: str, url: str) -> None:
    assert str(target(directory(base), location)).replace("test:80/", "test/") == url.replace("test:80/", "test/")


@given(st.text(st.characters(codec="utf-8"), max_size=60).filter(lambda t: not t.lower().startswith("http")))
def test_a_relative_location_never_leaves_the_origin(location: str) -> None:
    base = directory(BASE)
    url = target(base, location)
    assert origin(url) == origin(base)
    assert url.raw_user is None
    assert str(url).isascii()
    assert not set(str(url)) & set(' \r\n\t"<>\\^`{|}#')


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_every_redirect_is_understood_or_refused(header: str) -> None:
    try:
        url = redirected(URL("https://up.test/a/b"), header)
    except UpstreamDown:
        return
    assert url.scheme in ("http", "https")
    assert str(url).isascii()


@pytest.mark.parametrize("url", ["", "up.test", "ftp://up.test/", "http://", "http://up.test:x/", "file:///etc"])
def test_a_remote_that_is_not_http_is_down(url: str) -> None:
    with pytest.raises(UpstreamDown):
        directory(url)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.test/", "https://A.TEST:443/x", True),
        ("https://a.test/", "http://a.test/", False),
        ("https://a.test/", "https://a.test:444/", False),
        ("https://a.test/", "https://b.a.test/", False),
    ],
)
def test_origins(one: str, other: str, same: bool) -> None:
    assert (origin(URL(one)) == origin(URL(other))) is same
