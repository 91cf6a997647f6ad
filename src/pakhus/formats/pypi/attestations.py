"""Digital attestations (PEP 740): those of an upload become the provenance of its file.

That an attestation speaks of this very file is checked; whose signature it bears is for whoever installs it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.pypi.filenames import suffix, understand
from pakhus.kit.wire import dump_json, parse_json

MAX_ATTESTATIONS = 32
PUBLISHER = {"kind": "Pakhus", "claims": None}


def provenance(attestations: str, filename: str, sha256: str) -> bytes:
    """The provenance object of a file. Raises `BadPackage` if an attestation is malformed or of another file."""
    try:
        given = parse_json(attestations.encode())
    except Invalid as error:
        raise BadPackage(f"attestations: {error.message}") from error
    if not isinstance(given, list) or not given or len(given) > MAX_ATTESTATIONS:
        raise BadPackage(f"attestations must be a JSON array of 1 to {MAX_ATTESTATIONS} objects")
    for attestation in given:
        _check(attestation, filename, sha256)
    return dump_json({"version": 1, "attestation_bundles": [{"publisher": PUBLISHER, "attestations": given}]})


def _check(attestation: Any, filename: str, sha256: str) -> None:
    if not isinstance(attestation, dict) or attestation.get("version") != 1:
        raise BadPackage("attestations: only version 1 is understood")
    if not isinstance(attestation.get("verification_material"), dict):
        raise BadPackage("attestations: verification_material is missing")
    subjects = _statement(attestation).get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise BadPackage("attestations: the statement must have exactly one subject")
    name, digest = subjects[0].get("name"), subjects[0].get("digest")
    if not isinstance(name, str) or suffix(name) != suffix(filename) or understand(name) != understand(filename):
        raise BadPackage(f"attestations: the statement is about {name}, not about {filename}")
    if not isinstance(digest, dict) or str(digest.get("sha256", "")).lower() != sha256:
        raise BadPackage(f"attestations: the statement is about other bytes than those of {filename}")


def _statement(attestation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The in-toto statement in the envelope, which is Base64 over JSON."""
    envelope = attestation.get("envelope")
    if not isinstance(envelope, dict) or not isinstance(envelope.get("signature"), str):
        raise BadPackage("attestations: the envelope has no signature")
    try:
        statement = parse_json(base64.b64decode(str(envelope.get("statement")), validate=True))
    except (binascii.Error, ValueError, Invalid) as error:
        raise BadPackage("attestations: the envelope's statement is not Base64 over JSON") from error
    if not isinstance(statement, dict):
        raise BadPackage("attestations: the statement is not a JSON object")
    return statement
