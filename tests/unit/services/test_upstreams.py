from __future__ import annotations

from pathlib import Path

import pytest

from pakhus.kit.format import Clue, Format
from pakhus.services.upstreams import found

CONFIG = """\
<configuration><packageSources>
  <add key="folder" value="/srv/packages" />
  <add key="public" value="https://packages.example.org/v3/index.json" protocolVersion="3" />
</packageSources></configuration>
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [(CONFIG, {"any": "https://packages.example.org/v3/"}), ("<configuration/>", {}), ("<broken", {})],
)
async def test_an_address_may_stand_in_an_attribute(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    file = tmp_path / "NuGet.Config"
    file.write_text(text)

    class Any(Format):
        name = "any"
        clues = (Clue(glob=str(file), xpath="packageSources/add", attribute="value", without="/index.json"),)

    assert await found([Any()], {}) == expected
