"""The files of a published distribution: indexes in their encodings, by name and by hash, and the signed Release."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pakhus.formats.apt.compression import ENCODERS
from pakhus.formats.apt.contents import contents
from pakhus.formats.apt.model import ALL, Entry, Index, Model
from pakhus.formats.apt.places import MAIN, SOURCE
from pakhus.formats.apt.release import Heading, Listed, Words, rendered
from pakhus.kit.context import Signer
from pakhus.kit.format import Published

EVERY = ("", ".gz", ".xz", ".zst")
PACKED = (".gz", ".xz")
FOLDERS = {"deb": "binary-{}", "udeb": "debian-installer/binary-{}"}


@dataclass
class Publication:
    """The files below one folder, and what the Release is to say of them.

    Indexes of equal content in one folder share their path by hash (`hashes`).
    """

    folder: str
    listed: list[Listed] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)

    def index(self, paths: Sequence[str], data: bytes, endings: Sequence[str]) -> Iterator[Published]:
        """One index in these encodings; all paths have the same content. The plain one is listed in any case."""
        for ending in dict.fromkeys(("", *endings)):
            encoded = ENCODERS[ending](data)
            sha256 = hashlib.sha256(encoded).hexdigest()
            md5 = hashlib.md5(encoded, usedforsecurity=False).hexdigest()
            self.listed += [Listed(path + ending, len(encoded), md5, sha256) for path in paths]
            if ending in endings:
                named = [self.folder + path + ending for path in paths]
                by_hash = {f"{each.rpartition('/')[0]}/by-hash/SHA256/{sha256}" for each in named} - self.hashes
                self.hashes |= by_hash
                yield (*named, *sorted(by_hash)), [encoded]

    def release(self, heading: Heading, words: Words, repository: str, sign: Signer) -> Iterator[Published]:
        text = rendered(heading, words, repository, self.listed)
        yield f"{self.folder}Release", [text]
        yield f"{self.folder}Release.gpg", [sign.detached(text)]
        yield f"{self.folder}InRelease", [sign.clear(text)]


def distribution(
    folder: str, suite: str, model: Model, words: Words, repository: str, sign: Signer
) -> Iterator[Published]:
    """All files of `dists/{suite}/`."""
    publication = Publication(folder)
    components = sorted({index.component for index in model.indexes} | set(model.components)) or [MAIN]
    if MAIN in components:
        components = [MAIN, *(each for each in components if each != MAIN)]
    architectures = _architectures(model)
    for component in components:
        for kind in FOLDERS:
            yield from _packages(publication, model, component, kind, architectures)
        sources = model.indexes.get(Index(component, SOURCE, SOURCE), {})
        yield from publication.index([f"{component}/source/Sources"], joined(sources.values()), EVERY)
        yield from _translations(publication, model, component)
    heading = Heading(suite, components, architectures, sign.moment)
    yield from publication.release(heading, words, repository, sign)


def flat(folder: str, model: Model, words: Words, repository: str, sign: Signer) -> Iterator[Published]:
    """All files of a flat repository: no components, and packages of every architecture in one index."""
    publication = Publication(folder)
    binary = [entry for index, entries in model.indexes.items() if index.kind == "deb" for entry in entries.values()]
    source = [entry for index, entries in model.indexes.items() if index.kind == SOURCE for entry in entries.values()]
    yield from publication.index(["Packages"], joined(binary), EVERY)
    yield from publication.index(["Sources"], joined(source), EVERY)
    heading = Heading(folder.rstrip("/"), (), _architectures(model), sign.moment)
    yield from publication.release(heading, words, repository, sign)


def joined(entries: Iterable[Entry]) -> bytes:
    """An index: its paragraphs by package, with an empty line after each."""
    ordered = sorted(entries, key=lambda entry: (entry.package, entry.version, entry.architecture))
    return b"".join(each for entry in ordered for each in (entry.stanza, b"\n\n"))


def _architectures(model: Model) -> list[str]:
    named = {index.architecture for index in model.indexes if index.kind != SOURCE} | set(model.architectures)
    return [ALL, *sorted(named - {ALL, SOURCE})]


def _packages(
    publication: Publication, model: Model, component: str, kind: str, architectures: Sequence[str]
) -> Iterator[Published]:
    """`Packages` and `Contents` of each architecture; those which have only what suits all share their bytes."""
    if kind != "deb" and not any((index.component, index.kind) == (component, kind) for index in model.indexes):
        return
    everywhere = model.indexes.get(Index(component, kind, ALL), {})
    own = {each: model.indexes.get(Index(component, kind, each), {}) for each in architectures if each != ALL}
    plain = [ALL, *(each for each, entries in own.items() if not entries)]
    for alike, entries in ((plain, {}), *(([each], entries) for each, entries in own.items() if entries)):
        told = [*entries.values(), *everywhere.values()]
        path = f"{component}/{FOLDERS[kind]}/Packages"
        yield from publication.index([path.format(each) for each in alike], joined(told), EVERY)
        if kind == "deb":
            paths = [f"{component}/Contents-{each}" for each in alike]
            yield from publication.index(paths, contents(told), (".gz",))


def _translations(publication: Publication, model: Model, component: str) -> Iterator[Published]:
    found = {
        entry.translation
        for index, entries in model.indexes.items()
        if (index.component, index.kind) == (component, "deb")
        for entry in entries.values()
        if entry.translation
    }
    if found:
        data = b"".join(each for text in sorted(found) for each in (text, b"\n\n"))
        yield from publication.index([f"{component}/i18n/Translation-en"], data, PACKED)
