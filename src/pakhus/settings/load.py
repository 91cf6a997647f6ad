"""Command line over environment over file over defaults; a key nobody knows is refused, not ignored.

A misspelt key that is ignored is a control that does nothing: the server would run with a setting that the
administrator believes changed. All problems are collected, so that one run shows them all.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pakhus.settings.keys import PREFIX, Key, Kind, keys, value_at
from pakhus.settings.schema import Settings, default_data

FILE_NAME = "pakhus.yaml"
SYSTEM_FILE = Path("/etc/pakhus") / FILE_NAME

# Read by the client commands or by `load` itself, so they are no settings of the server.
CLIENT_VARIABLES = frozenset(
    PREFIX + name
    for name in ("CONFIG", "URL", "TOKEN", "USERNAME", "PASSWORD", "CLIENT_CONFIG", "CA_FILE", "CACHE", "TEST_JOBS")
)
# Kubernetes describes a service named pakhus* to every pod of its namespace in variables of these shapes.
SERVICE_LINK = re.compile(r"PAKHUS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)\Z")


class SettingsError(Exception):
    """The configuration cannot be used. `problems` has one line for each thing to correct."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `kind` is default, file, env or option; `place` is the file or the variable."""

    kind: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".strip()


DEFAULT = Origin("default")
OPTION = Origin("option")


@dataclass(frozen=True, slots=True)
class Configuration:
    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None = None

    def shown(self) -> Iterator[tuple[Key, Any, Origin]]:
        """Every key with its value (secrets masked) and its origin."""
        for key in keys():
            yield key, key.shown(value_at(self.settings, key.path)), self.origins.get(key.name, DEFAULT)


def load(
    *,
    config: Path | None = None,
    data: Path | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """The configuration of this process. `options` maps dotted keys to values of the command line.

    Raises `SettingsError` for a file that cannot be read, an unknown key or variable, a value out of its rule.
    """
    environ = os.environ if environ is None else environ
    file = find_file(config, data=data, environ=environ)
    collected = Collected()
    if file:
        collected.add_file(file)
    collected.add_environment(environ)
    for name, value in {**(options or {}), **({"data": data} if data else {})}.items():
        collected.put(tuple(name.split(".")), value, OPTION)
    return collected.configuration(file)


def find_file(config: Path | None, *, data: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that was named, or `pakhus.yaml` in the data directory or in the system's place if there is one."""
    if config:
        return config
    if named := environ.get(PREFIX + "CONFIG"):
        return Path(named)
    folder = data or Path(environ.get(PREFIX + "DATA") or default_data())
    return next((file for file in (folder / FILE_NAME, SYSTEM_FILE) if file.is_file()), None)


class Collected:
    """Values from the sources so far, later ones over earlier ones, with their origins and the problems found."""

    def __init__(self) -> None:
        self.keys = {key.name: key for key in keys()}
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.problems: list[str] = []

    def put(self, path: tuple[str, ...], value: Any, origin: Origin) -> None:
        node = self.values
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = value
        self.origins[".".join(path)] = origin

    # -- file

    def add_file(self, file: Path) -> None:
        try:
            content = yaml.load(file.read_text("utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 -- a SafeLoader
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError([f"cannot read the configuration file {file}: {error}"]) from error
        except yaml.YAMLError as error:
            raise SettingsError([f"{file} is not valid YAML: {error}"]) from error
        if content is not None and not isinstance(content, dict):
            raise SettingsError([f"{file}: must hold sections such as `http:`, not a {type(content).__name__}"])
        self.add_section((), content or {}, Origin("file", str(file)))

    def add_section(self, path: tuple[str, ...], section: dict[Any, Any], origin: Origin) -> None:
        for step, value in section.items():
            here = (*path, str(step))
            name = ".".join(here)
            if name in self.keys:
                self.put(here, value, origin)
            elif not any(key.startswith(f"{name}.") for key in self.keys):
                self.problems.append(f"{origin.place}: unknown key {name}{suggestion(name, list(self.keys))}")
            elif value is None or isinstance(value, dict):
                self.add_section(here, value or {}, origin)
            else:
                self.problems.append(f"{origin.place}: {name} is a section, not a value")

    # -- environment

    def add_environment(self, environ: Mapping[str, str]) -> None:
        by_variable = {key.variable: key for key in self.keys.values()}
        by_file = {f"{key.variable}_FILE": key for key in self.keys.values() if key.is_confidential}
        mappings = {f"{key.variable}_": key for key in self.keys.values() if key.kind is Kind.MAPPING}
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX) or variable in CLIENT_VARIABLES or is_service_link(variable, text):
                continue
            entry = next((prefix for prefix in mappings if variable.startswith(prefix)), None)
            if variable in by_variable:
                self.add_variable(by_variable[variable], variable, text)
            elif variable in by_file:
                self.add_secret_file(by_file[variable], variable, text, taken=bool(environ.get(variable[:-5])))
            elif entry:
                self.add_entry(mappings[entry], variable[len(entry) :].lower(), variable, text)
            else:
                hint = suggestion(variable, [*by_variable, *by_file])
                self.problems.append(f"unknown environment variable {variable}{hint}")

    def add_variable(self, key: Key, variable: str, text: str) -> None:
        """An empty variable counts as absent: that is what `NAME=${NAME:-}` of a compose file gives."""
        if not text:
            return
        try:
            self.put(key.path, key.parse(text), Origin("env", variable))
        except ValueError as error:
            self.problems.append(f"{variable}: is not valid JSON: {error}")

    def add_secret_file(self, key: Key, variable: str, place: str, *, taken: bool) -> None:
        if not place:
            return
        if taken:
            self.problems.append(f"{variable} and {key.variable} are both set: keep one")
            return
        try:
            self.put(key.path, Path(place).read_text("utf-8").strip(), Origin("env", variable))
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{variable}: cannot read {place}: {error}")

    def add_entry(self, key: Key, entry: str, variable: str, text: str) -> None:
        """One entry of a mapping is added to what the file says: `PAKHUS_BOOTSTRAP_UPSTREAMS_NPM`."""
        if not text:
            return
        section = self.values.get(key.path[0]) or {}
        current = section.get(key.path[-1])
        self.put(key.path, {**(current if isinstance(current, dict) else {}), entry: text}, Origin("env", variable))

    # -- all of it

    def configuration(self, file: Path | None) -> Configuration:
        try:
            settings = Settings.model_validate(self.values)
        except ValidationError as error:
            self.problems += [self.told(flaw["loc"], flaw["msg"]) for flaw in error.errors(include_url=False)]
        if self.problems:
            raise SettingsError(self.problems)
        return Configuration(settings, self.origins, file)

    def told(self, location: tuple[int | str, ...], message: str) -> str:
        """One flaw that validation found, with the place to correct it."""
        name = ".".join(str(step) for step in location)
        origin = next((self.origins[key] for key in self.origins if name == key or name.startswith(f"{key}.")), None)
        place = f" (from {origin})" if origin else ""
        return f"{name}{place}: {message.removeprefix('Value error, ')}"


def is_service_link(variable: str, text: str) -> bool:
    """True for Kubernetes' service variables; a plain `PAKHUS_PORT=9000` is somebody's mistake and not one of them."""
    if not SERVICE_LINK.match(variable):
        return False
    return "SERVICE_" in variable or variable.count("_PORT_") > 0 or "://" in text


def suggestion(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a key appear twice and the last one win; here that is an error, because one of them does nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
