"""PyPI: a package is installed from the repository, a distribution of one's own is published there."""

from __future__ import annotations

from tests.samples.pypi_packages import core_metadata, wheel, wheel_name
from tests.usage import Trial

WORDS = {"package": "beta"}
PROJECT = '[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.11"\n'

BACKEND = """\
import pathlib, shutil, tarfile

HERE = pathlib.Path(__file__).parent

def build_wheel(folder, config_settings=None, metadata_directory=None):
    (file,) = HERE.glob("built/*.whl")
    return pathlib.Path(shutil.copy(file, folder)).name

def build_sdist(folder, config_settings=None):
    with tarfile.open(pathlib.Path(folder) / "by_pdm-1.0.tar.gz", "w:gz") as archive:
        for name in ("PKG-INFO", "pyproject.toml", "backend.py", "built"):
            archive.add(HERE / name, f"by_pdm-1.0/{name}")
    return "by_pdm-1.0.tar.gz"

build_editable = build_wheel
"""
"""pdm builds before it publishes: this backend needs nothing from an index."""
BUILT = (
    PROJECT.replace("{name}", "by-pdm")
    + '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
)
FOR_PDM = {
    "pyproject.toml": BUILT,
    "backend.py": BACKEND,
    "PKG-INFO": core_metadata("by-pdm", "1.0"),
    f"built/{wheel_name('by-pdm', '1.0')}": wheel("by-pdm", "1.0"),
}


def project(name: str, *sources: str) -> dict[str, bytes | str]:
    return {
        **dict.fromkeys(sources, ""),
        "pyproject.toml": PROJECT.replace("{name}", name),
        f"dist/{wheel_name(name, '1.0')}": wheel(name, "1.0"),
    }


def published(name: str) -> str:
    return f"curl -sf -u {{user}}:{{password}} {{url}}simple/{name}/ | grep -q {name}"


TRIALS = {
    "pip": Trial(
        {"pip": "pip"},
        words=WORDS,
        env={"PIP_TARGET": "site", "PIP_CONFIG_FILE": ""},
        after="test -f site/beta.py",
    ),
    "uv": Trial(
        {"uv": "uv"},
        project("by-uv"),
        WORDS,
        env={"UV_PYTHON_DOWNLOADS": "never"},
        after="grep -q 'name = \"beta\"' uv.lock\n" + published("by-uv"),
    ),
    "twine": Trial({"twine": "twine"}, project("by-twine"), after=published("by-twine")),
    "poetry": Trial(
        {"poetry": "poetry"},
        project("by-poetry", "by_poetry.py"),
        WORDS,
        env={"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        after="grep -q 'name = \"beta\"' poetry.lock\n" + published("by-poetry"),
    ),
    "pdm": Trial(
        {"pdm": "pdm"},
        FOR_PDM,
        WORDS,
        after="grep -q 'name = \"beta\"' pdm.lock\n" + published("by-pdm"),
    ),
}
