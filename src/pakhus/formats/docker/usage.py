"""How the clients of a registry are set up for a repository; the client tests run what stands here."""

from __future__ import annotations

from pakhus.kit.format import Snippet

_IMAGE = "{host}/{name}/<image>:<tag>"


def _login(command: str) -> str:
    """The password by standard input: not in the list of processes."""
    return f"printf %s '{{password}}' | {command} --username {{user}} --password-stdin {{host}}"


USAGE = (
    Snippet("docker", _login("docker login")),
    Snippet("docker", f"docker tag <image>:<tag> {_IMAGE}\ndocker push {_IMAGE}"),
    Snippet("docker", f"docker pull {_IMAGE}"),
    Snippet("podman", _login("podman login")),
    Snippet("podman", f"podman push <image>:<tag> {_IMAGE}"),
    Snippet("podman", f"podman pull {_IMAGE}"),
    Snippet("skopeo", _login("skopeo login")),
    Snippet("skopeo", f"skopeo copy oci:<folder>:<tag> docker://{_IMAGE}"),
    Snippet("skopeo", f"skopeo copy docker://{_IMAGE} oci:<copy>:<tag>"),
    Snippet("crane", _login("crane auth login")),
    Snippet("crane", f"crane push <folder> {_IMAGE}\ncrane pull --format=oci {_IMAGE} <copy>"),
    Snippet("oras", _login("oras login")),
    Snippet("oras", "oras push {host}/{name}/<artifact>:<tag> <file>\noras pull {host}/{name}/<artifact>:<tag>"),
    Snippet("helm", _login("helm registry login")),
    Snippet(
        "helm",
        "helm push <chart>-<version>.tgz oci://{host}/{name}\n"
        "helm pull oci://{host}/{name}/<chart> --version <version>",
    ),
)
