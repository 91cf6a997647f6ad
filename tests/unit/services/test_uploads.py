"""Forms of uploads: which part belongs to which file."""

from __future__ import annotations

from typing import cast

import pytest

from pakhus.domain.errors import Invalid
from pakhus.formats.raw import Raw
from pakhus.kit.context import Draft
from pakhus.kit.forms import FormData, FormFile
from pakhus.services.metrics import NAMED, bounded
from pakhus.services.uploads import label, sorted_form

DRAFT = cast(Draft, object())


def file(name: str, filename: str = "x.bin") -> FormFile:
    return FormFile(name, filename, "", DRAFT)


def test_prefixes_go_and_fields_find_their_files() -> None:
    parts = FormData(
        (("raw.directory", "/d"), ("raw.asset1.filename", "a"), ("asset2.filename", "b"), ("raw.blank", " ")),
        (file("raw.asset1"), file("asset2")),
    )

    form = sorted_form(parts, Raw())

    assert form.fields == {"directory": "/d"}
    assert [(each.part, each.fields) for each in form.assets] == [
        ("asset1", {"filename": "a"}),
        ("asset2", {"filename": "b"}),
    ]


def test_file_of_any_name_is_a_file() -> None:
    form = sorted_form(FormData((("package.extra", "1"),), (file("package", "left-pad.tgz"),)), Raw())

    assert [(each.part, each.filename, each.fields) for each in form.assets] == [
        ("package", "left-pad.tgz", {"extra": "1"})
    ]


def test_field_of_a_missing_file_is_refused() -> None:
    with pytest.raises(Invalid, match="Missing file on asset"):
        sorted_form(FormData((("asset2.filename", "b"),), (file("asset1"),)), Raw())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("groupId", "Group ID"), ("filename", "Filename"), ("generate-pom", "Generate Pom"), ("version", "Version")],
)
def test_label_reads_like_words(name: str, expected: str) -> None:
    assert label(name) == expected


def test_figures_of_many_repositories_are_added_up() -> None:
    found = bounded({f"r{number:04}": (1, 2) for number in range(NAMED + 10)})

    assert len(found) == NAMED + 1
    assert found[""] == (10, 20)
