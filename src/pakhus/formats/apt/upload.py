"""How packages come in: PUT to their path, POST to the repository's root, or the REST upload; and how they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from pakhus.domain.content import Component, Coordinates, Facts, Query
from pakhus.domain.errors import AssetNotFound, BadPackage, Invalid
from pakhus.formats.apt import deb, source, stanzas
from pakhus.formats.apt.places import (
    AT,
    DSC,
    MAIN,
    OTHER,
    PART,
    SOURCE,
    Place,
    component_of,
    is_kept,
    places_at,
    pool_folder,
    split_matrix,
    suffix_of,
)
from pakhus.formats.apt.versions import upstream_of
from pakhus.kit.context import Annotation, Attributes, Call, Change, Deposit, Draft, Form, Hosted, Removal, Reply
from pakhus.kit.forms import MULTIPART
from pakhus.kit.wire import read_form

DEB_TYPE = "application/vnd.debian.binary-package"
TEXT_TYPE = "text/plain; charset=utf-8"
PACKED_TYPE = "application/octet-stream"
FIELDS = ("distribution", "component")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file on its way in. `path` is where the client wants it, empty if it leaves that to us."""

    draft: Draft
    filename: str
    path: str
    wanted: Mapping[str, Sequence[str]]

    def places(self, hosted: Hosted, path: str) -> list[Place]:
        """The distributions and components that are asked for; else the default one, and what the path tells."""
        distributions = self.wanted.get("distribution") or [hosted.settings.apt.distribution]
        components = self.wanted.get("component") or [component_of(path)]
        return [Place(each, component) for each in distributions for component in components]

    @property
    def component(self) -> str:
        return next(iter(self.wanted.get("component", ())), MAIN)


def content_type(path: str) -> str:
    """The media type of a file that is named like one of a Debian repository; else nothing."""
    filename = path.rpartition("/")[2]
    if suffix_of(filename):
        return DEB_TYPE
    if filename.endswith((DSC, *OTHER)):
        return TEXT_TYPE
    return PACKED_TYPE if PART.fullmatch(filename) else ""


async def put(call: Call, hosted: Hosted) -> Reply:
    """`PUT {path}`, with matrix parameters (`;deb.distribution=…;deb.component=…`) or a query of the same words."""
    path, wanted = split_matrix(call.ctx.path)
    filename = path.rpartition("/")[2]
    if path.startswith("dists/") or not is_kept(filename):
        raise Invalid(f"{path} is not where a package belongs: PUT it to pool/…/<file>.deb, or POST it to the root")
    await _keep([Arrival(await hosted.draft(call.body), filename, path, {**_asked(call), **wanted})], hosted)
    return Reply(201)


async def post(call: Call, hosted: Hosted) -> Reply:
    """`POST` of one package to the root, as the body or in a form: Nexus's way."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() == MULTIPART and not _is_raw(call):
        arrivals = await _form(call, hosted)
    else:
        arrivals = [Arrival(await hosted.draft(call.body), "", "", _asked(call))]
    await _keep(arrivals, hosted)
    return Reply(201)


async def store(form: Form, hosted: Hosted) -> None:
    """The REST upload: packages, and source packages with all their files; `distribution` and `component` for all."""
    wanted = {name: [form.fields[name]] for name in FIELDS if name in form.fields}
    await _keep([Arrival(each.draft, each.filename, "", wanted) for each in form.assets], hosted)


async def remove(call: Call, hosted: Hosted) -> Reply:
    """`DELETE {path}`; with a distribution (and component) the file leaves only that, and goes with the last one."""
    path, wanted = split_matrix(call.ctx.path)
    wanted = {**_asked(call), **wanted}
    asset = await hosted.asset(path)
    if asset is None:
        raise AssetNotFound(f"{path} is not here")
    if not wanted or asset.coordinates is None:
        await hosted.deposit(Removal(path=path))
        return Reply(204)
    component = await _component(hosted, asset.coordinates)
    listed = places_at(component.attributes, path) if component else []
    left = [each for each in listed if not _is_meant(each, wanted)]
    if left == listed:
        raise AssetNotFound(f"{path} is not listed there")
    change = _listing(asset.coordinates, path, left) if left else Removal(path=path)
    await hosted.deposit(change)
    return Reply(204)


def _is_meant(place: Place, wanted: Mapping[str, Sequence[str]]) -> bool:
    return place.distribution in wanted.get("distribution", [place.distribution]) and place.component in wanted.get(
        "component", [place.component]
    )


def _asked(call: Call) -> dict[str, Sequence[str]]:
    return {name: call.ctx.query[name].split(",") for name in FIELDS if call.ctx.query.get(name)}


def _is_raw(call: Call) -> bool:
    """curl users write `-H "Content-Type: multipart/form-data" --data-binary @x.deb`, as Nexus's manual has it."""
    return "boundary=" not in call.headers.get("content-type", "")


async def _form(call: Call, hosted: Hosted) -> list[Arrival]:
    form = await read_form(call.body, call.headers["content-type"], hosted.draft)
    wanted = {**_asked(call), **{name: [value] for name in FIELDS if (value := form.get(name))}}
    return [Arrival(each.draft, each.filename, "", wanted) for each in form.files]


async def _keep(arrivals: Sequence[Arrival], hosted: Hosted) -> None:
    """All files, in one transaction, or none."""
    try:
        if not arrivals:
            raise Invalid("the request brings no package")
        together = {each.filename: each.draft for each in arrivals}
        changes = [await _change(arrival, together, hosted) for arrival in arrivals]
        await hosted.deposit(*changes)
    finally:
        for arrival in arrivals:
            await arrival.draft.cancel()


async def _change(arrival: Arrival, together: Mapping[str, Draft], hosted: Hosted) -> Change:
    filename = arrival.filename
    if filename.endswith(DSC):
        return await _source(arrival, together, hosted)
    if PART.fullmatch(filename) and not suffix_of(filename):
        return await _part(arrival, hosted)
    if filename.endswith(OTHER) and arrival.path:
        return Deposit(arrival.path, arrival.draft, content_type=TEXT_TYPE)
    if filename and not suffix_of(filename) and arrival.path:
        raise Invalid(f"{filename} is not a file of a Debian repository")
    return await _binary(arrival, hosted)


async def _binary(arrival: Arrival, hosted: Hosted) -> Change:
    package = await _read(arrival.draft, deb.read_deb)
    deb.check_filename(package, arrival.filename)
    is_installer = arrival.filename.endswith(".udeb") or package.fields.get("package-type") == "udeb"
    suffix = suffix_of(arrival.filename) or (".udeb" if is_installer else ".deb")
    folder = pool_folder(arrival.component, package.source)
    path = arrival.path or f"{folder}/{package.filename(suffix)}"
    facts = {
        "kind": "udeb" if is_installer else "deb",
        "stanza": stanzas.binary_stanza(package, path, arrival.draft.size, arrival.draft.digests),
        "section": package.fields.get("section", ""),
        "files": await asyncio.to_thread(stanzas.packed, package.files),
    }
    description = package.fields.get("description", "")
    if description:
        facts["translation"] = stanzas.translation(package.name, description)
    about = {
        "description": description.partition("\n")[0],
        "maintainer": package.fields.get("maintainer", ""),
        "section": facts["section"],
    }
    coordinates = Coordinates(package.name, package.version, package.architecture)
    return await _placed(arrival, hosted, path, coordinates, facts, about, DEB_TYPE)


async def _source(arrival: Arrival, together: Mapping[str, Draft], hosted: Hosted) -> Change:
    dsc = await _read(arrival.draft, source.read_dsc)
    source.check_filename(dsc, arrival.filename)
    path = arrival.path or f"{pool_folder(arrival.component, dsc.name)}/{dsc.filename}"
    folder = path.rpartition("/")[0]
    for part in dsc.parts:
        draft = together.get(part.name)
        held = await hosted.asset(f"{folder}/{part.name}") if draft is None else None
        if draft is not None:
            part.check(draft.size, draft.digests)
        elif held is not None:
            part.check(held.blob.size, held.blob.digests)
    facts = {
        "kind": SOURCE,
        "stanza": dsc.stanza(folder, arrival.draft.size, arrival.draft.digests),
        "parts": {part.name: part.sha256 for part in dsc.parts},
    }
    about = {"maintainer": dsc.fields.get("maintainer", ""), "section": dsc.fields.get("section", "")}
    coordinates = Coordinates(dsc.name, dsc.version, SOURCE)
    return await _placed(arrival, hosted, path, coordinates, facts, about, TEXT_TYPE)


async def _part(arrival: Arrival, hosted: Hosted) -> Change:
    """An archive of a source package: what a `.dsc` beside it promises must be true. Listed where that is."""
    said = PART.fullmatch(arrival.filename)
    assert said is not None
    path = arrival.path or f"{pool_folder(arrival.component, said['source'])}/{arrival.filename}"
    folder = path.rpartition("/")[0] + "/"
    also: list[Place] = []
    for component in await hosted.find(Query(name=said["source"], namespace=SOURCE)):
        for asset in component.assets:
            promised = asset.attributes.get("parts", {}).get(arrival.filename)
            if promised is None or asset.path.rpartition("/")[0] + "/" != folder:
                continue
            if promised != arrival.draft.digests.sha256:
                raise BadPackage(f"{arrival.filename} is not the file that {asset.filename} names")
            also += places_at(component.attributes, asset.path)
    version = said["version"] if ".orig" not in arrival.filename else upstream_of(said["version"])
    coordinates = Coordinates(said["source"], version, SOURCE)
    return await _placed(arrival, hosted, path, coordinates, {}, {}, PACKED_TYPE, also)


async def _placed(
    arrival: Arrival,
    hosted: Hosted,
    path: str,
    coordinates: Coordinates,
    facts: Attributes,
    about: Attributes,
    content_type: str,
    also: Sequence[Place] = (),
) -> Change:
    """The deposit, listed also where the file was before; the same bytes in a new place are only listed anew."""
    places = {*arrival.places(hosted, path), *also}
    held = await hosted.asset(path)
    if held is not None and held.coordinates == coordinates:
        component = await _component(hosted, coordinates)
        listed = set(places_at(component.attributes, path)) if component else set()
        if held.blob.digests == arrival.draft.digests and not places <= listed:
            return _listing(coordinates, path, sorted(places | listed))
        places |= listed
    named = {AT + path: [each.said for each in sorted(places)]}
    kept = {name: value for name, value in about.items() if value}
    return Deposit(path, arrival.draft, coordinates, Facts({**kept, **named}, facts), content_type)


def _listing(coordinates: Coordinates, path: str, places: Sequence[Place]) -> Annotation:
    said = [each.said for each in places]
    return Annotation(coordinates, lambda known: {**known, AT + path: said}, path)


async def _component(hosted: Hosted, coordinates: Coordinates) -> Component | None:
    found = await hosted.find(Query(coordinates.namespace, coordinates.name, coordinates.version))
    return found[0] if found else None


async def _read(draft: Draft, reader: Callable[[BinaryIO], Result]) -> Result:
    def run() -> Result:
        with draft.open() as body:
            return reader(body)

    return await asyncio.to_thread(run)
