"""How clients are set up."""

from __future__ import annotations

from pakhus.kit.format import Snippet

REPO = """[{name}]
name={name}
baseurl={url}
username={user}
password={password}
enabled=1
gpgcheck=0
repo_gpgcheck=1
gpgkey={url}repodata/repomd.xml.key
"""

USAGE = (
    Snippet("dnf", REPO, file="/etc/yum.repos.d/{name}.repo", language="ini"),
    Snippet("curl", "curl -u {user}:{password} -T tool-1.0-1.x86_64.rpm {url}Packages/"),
)
