"""How dotnet and nuget.exe are set up for a repository."""

from __future__ import annotations

from pakhus.kit.format import Clue, Snippet

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
    Snippet("dotnet", "dotnet add package <package>\ndotnet nuget push <file>.nupkg --source {name} --api-key any"),
    Snippet("nuget (V2)", CONFIG.replace("index.json", ""), file="~/.config/NuGet/NuGet.Config", language="xml"),
    Snippet("nuget (V2)", "nuget push <file>.nupkg any -Source {url}\nnuget install <package> -Source {url}"),
)

CLUES = (
    Clue(
        glob="~/.nuget/NuGet/NuGet.Config",
        xpath="packageSources/add",
        attribute="value",
        without="/index.json",
    ),
)
"""dotnet writes this file when it is first used; what stands there is an index."""
