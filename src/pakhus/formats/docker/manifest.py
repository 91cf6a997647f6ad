"""What a manifest says: of Docker schema 2, or of the OCI image specification 1.1; an image's or an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.docker.names import check_digest
from pakhus.kit.wire import parse_json

LIMIT = 4 << 20
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
ACCEPTED = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT)
FOREIGN = ("foreign", "nondistributable")
MOST_DESCRIPTORS = 10_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as far as a registry must know it. `blobs` and `manifests` are digests that must be here."""

    media_type: str
    artifact_type: str
    blobs: Sequence[str]
    manifests: Sequence[str]
    subject: str
    annotations: Mapping[str, str]
    foreign: Mapping[str, str]
    layers: Sequence[str]

    def attributes(self, digest: str, size: int) -> dict[str, Any]:
        """What is kept with the component: enough to list it as a referrer without reading it again."""
        return {
            "digest": digest,
            "size": size,
            "mediaType": self.media_type,
            "artifactType": self.artifact_type,
            "subject": self.subject,
            "annotations": dict(self.annotations),
            "foreign": dict(self.foreign),
            "layers": list(self.layers),
            "blobs": list(self.blobs),
            "manifests": list(self.manifests),
        }


def read_manifest(body: bytes, content_type: str = "") -> Manifest:
    """Raises `BadPackage` for what is no manifest, or says that it is of another type than it was sent with."""
    if len(body) > LIMIT:
        raise BadPackage(f"the manifest has more than {LIMIT} bytes")
    sent_as = content_type.partition(";")[0].strip()
    try:
        found = parse_json(body)
    except (Invalid, ValueError) as error:
        raise BadPackage(f"the manifest is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadPackage("the manifest is not a JSON object")
    if found.get("schemaVersion") != 2:
        raise BadPackage("only manifests of schemaVersion 2 are accepted")
    media_type = _media_type(found, sent_as)
    if media_type in INDEXES:
        return _index(found, media_type)
    return _image(found, media_type)


def _media_type(found: Mapping[str, Any], sent_as: str) -> str:
    own = found.get("mediaType", "")
    if not isinstance(own, str):
        raise BadPackage("mediaType is not a string")
    if own and sent_as in ACCEPTED and own != sent_as:
        raise BadPackage(f"the manifest says that it is {own}, but was sent as {sent_as}")
    if own or sent_as in ACCEPTED:
        return own or sent_as
    if "manifests" in found and ("config" in found or "layers" in found):
        raise BadPackage("the manifest is an index and an image at once")
    return OCI_INDEX if "manifests" in found else OCI_MANIFEST


def _image(found: Mapping[str, Any], media_type: str) -> Manifest:
    if "manifests" in found:
        raise BadPackage("an image's manifest has no 'manifests'")
    config = found.get("config")
    listed = found.get("blobs") if media_type == OCI_ARTIFACT else found.get("layers")
    if config is None and media_type in (OCI_MANIFEST, DOCKER_MANIFEST):
        raise BadPackage("the manifest has no config")
    layers = _descriptors(listed, "layers")
    foreign = {
        str(each["digest"]): str(each["urls"][0])
        for each in layers
        if isinstance(each.get("urls"), list) and each["urls"] and _is_foreign(each)
    }
    kept = [*(() if config is None else (_descriptor(config, "config"),)), *layers]
    own_type = str(found.get("artifactType") or "")
    return Manifest(
        media_type,
        own_type or (str(config.get("mediaType") or "") if isinstance(config, dict) else ""),
        blobs=list(dict.fromkeys(str(each["digest"]) for each in kept if each["digest"] not in foreign)),
        manifests=(),
        subject=_subject(found),
        annotations=_annotations(found),
        foreign=foreign,
        layers=[str(each["digest"]) for each in layers],
    )


def _index(found: Mapping[str, Any], media_type: str) -> Manifest:
    if "layers" in found or "config" in found:
        raise BadPackage("an index has no config and no layers")
    children = _descriptors(found.get("manifests"), "manifests")
    return Manifest(
        media_type,
        str(found.get("artifactType") or ""),
        blobs=(),
        manifests=list(dict.fromkeys(str(each["digest"]) for each in children)),
        subject=_subject(found),
        annotations=_annotations(found),
        foreign={},
        layers=(),
    )


def _is_foreign(descriptor: Mapping[str, Any]) -> bool:
    return any(word in str(descriptor.get("mediaType")) for word in FOREIGN)


def _descriptors(value: Any, name: str) -> list[Mapping[str, Any]]:
    if value is None:
        value = []
    if not isinstance(value, list) or len(value) > MOST_DESCRIPTORS:
        raise BadPackage(f"'{name}' is not a list of at most {MOST_DESCRIPTORS} descriptors")
    return [_descriptor(each, name) for each in value]


def _descriptor(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("digest"), str):
        raise BadPackage(f"'{name}' has a descriptor without a digest")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadPackage(f"'{name}' has a descriptor without a size")
    check_digest(value["digest"])
    return value


def _subject(found: Mapping[str, Any]) -> str:
    subject = found.get("subject")
    return "" if subject is None else str(_descriptor(subject, "subject")["digest"])


def _annotations(found: Mapping[str, Any]) -> Mapping[str, str]:
    annotations = found.get("annotations")
    if annotations is None:
        return {}
    if not isinstance(annotations, dict) or not all(isinstance(each, str) for each in annotations.values()):
        raise BadPackage("annotations are not a map of strings")
    return annotations
