from pakhus.kit.usage import Snippet

URL = "https://packages.example.org:8443/nexus/repository/own/"


def filled(text: str, *, user: str = "ada", password: str = "secret") -> str:
    return Snippet("any", text).filled(URL, name="own", user=user, password=password).text


def test_every_part_of_the_address_is_filled_in() -> None:
    assert filled("{url} {name} {user} {password}") == f"{URL} own ada secret"
    assert filled("//{below}: {host} {hostname}") == (
        "//packages.example.org:8443/nexus/repository/own/: packages.example.org:8443 packages.example.org"
    )


def test_credentials_in_an_address_are_escaped() -> None:
    assert filled("{login_url}", user="a@b", password="p/w:x").startswith(
        "https://a%40b:p%2Fw%3Ax@packages.example.org"
    )


def test_other_braces_and_what_is_filled_in_stay_as_they_are() -> None:
    assert filled("repositories { maven { url = {url} } } ${TOKEN}", user="{name}") == (
        f"repositories {{ maven {{ url = {URL} }} }} ${{TOKEN}}"
    )
    assert filled("{user}", user="{password}") == "{password}"
