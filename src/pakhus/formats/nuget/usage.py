"""How dotnet and nuget.exe are set up for a repository."""

from __future__ import annotations

from pakhus.kit.format import Snippet

CONFIG = """\
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources>
    <clear />
    <add key="{name}" value="{url}index.json" />
  </packageSources>
  <packageSourceCredentials>
    <{name}>
      <add key="Username" value="{user}" />
      <add key="ClearTextPassword" value="{password}" />
    </{name}>
  </packageSourceCredentials>
</configuration>
"""

USAGE = (
    Snippet("dotnet", CONFIG, file="nuget.config", language="xml"),
    Snippet("dotnet", "dotnet nuget push <package>.nupkg --source {url}index.json --api-key <token>"),
    Snippet("nuget (V2)", "nuget install <package> -Source {url}\nnuget push <package>.nupkg -Source {url} <token>"),
)
