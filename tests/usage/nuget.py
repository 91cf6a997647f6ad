"""NuGet: a project gets a reference, a package is pushed and installed."""

from __future__ import annotations

from tests.samples.nuget_packages import nupkg
from tests.usage import Trial

PROJECT = """\
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>netcoreapp3.1</TargetFramework></PropertyGroup>
</Project>
"""
PUSHED = "curl -sf -u {user}:{password} {url}v3/content/own/index.json | grep -q 1.0.0\n"

TRIALS = {
    "dotnet": Trial(
        {"dotnet": "dotnet"},
        {"app.csproj": PROJECT, "Own.nupkg": nupkg("Own", "1.0.0")},
        {"package": "Beta", "file": "Own"},
        after=PUSHED + "grep -q 'Beta/0.1.0' obj/project.assets.json",
    ),
    "nuget (V2)": Trial(
        {"nuget": "nuget"},
        {"Own.nupkg": nupkg("Own", "1.0.0")},
        {"package": "Beta", "file": "Own"},
        after=PUSHED + "test -d Beta.0.1.0",
    ),
}
