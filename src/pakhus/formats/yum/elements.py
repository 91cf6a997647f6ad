"""The XML of one package, in the three lists of a repository's metadata.

Source: createrepo_c's documentation of the "rpm-md" format; `rpm:` is the prefix that every reader expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pakhus.formats.yum.package import Dependency, Package, PackagedFile

_ILLEGAL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\r]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


def escaped(text: str) -> str:
    """The text as it stands in an element or an attribute; what XML 1.0 cannot carry is left out."""
    if _ILLEGAL.search(text):
        text = _ILLEGAL.sub("", text)
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)
    return text


def element(name: str, text: str) -> str:
    return f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>"


def about(package: Package) -> str:
    """What stands before the times in the primary list."""
    texts = package.texts
    return "\n  ".join(element(name, texts.get(name, "")) for name in ("summary", "description", "packager", "url"))


def details(package: Package) -> str:
    """The element `format` of the primary list."""
    names = ("license", "vendor", "group", "buildhost", "sourcerpm")
    lines = [element(f"rpm:{name}", package.texts.get(name, "")) for name in names]
    lines.append(f'<rpm:header-range start="{package.header_start}" end="{package.header_end}"/>')
    for kind, dependencies in package.dependencies.items():
        if dependencies:
            lines.append(f"<rpm:{kind}>")
            lines.extend("  " + _dependency(each) for each in dependencies)
            lines.append(f"</rpm:{kind}>")
    lines.extend(_file(each) for each in package.files if each.primary)
    return "\n    ".join(["<format>", *lines]) + "\n  </format>"


def _dependency(dependency: Dependency) -> str:
    written = f'<rpm:entry name="{escaped(dependency.name)}"'
    if dependency.comparison:
        parts = (("epoch", dependency.epoch), ("ver", dependency.version), ("rel", dependency.release))
        written += f' flags="{dependency.comparison}"'
        written += "".join(f' {name}="{escaped(value)}"' for name, value in parts if value)
    return written + (' pre="1"/>' if dependency.pre else "/>")


def file_list(package: Package) -> str:
    """All files, a line each."""
    return "\n".join(f"  {_file(each)}" for each in package.files)


def _file(file: PackagedFile) -> str:
    kind = f' type="{file.kind}"' if file.kind else ""
    return f"<file{kind}>{escaped(file.path)}</file>"


def changelogs(package: Package) -> str:
    return "\n".join(_changelogs(package))


def _changelogs(package: Package) -> Iterator[str]:
    for each in package.changelogs:
        yield f'  <changelog author="{attribute(each.author)}" date="{each.time}">{escaped(each.text)}</changelog>'


def attribute(text: str) -> str:
    """Line breaks would be read as spaces there."""
    return escaped(text).replace("\n", "&#10;").replace("\t", "&#9;")
