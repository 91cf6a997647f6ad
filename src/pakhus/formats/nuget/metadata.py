"""What the feed says of itself: its service document and its entity model.

Source: OData 2.0, "AtomPub service document"; CSDL 2.0. The functions tell clients what they may ask.
"""

from __future__ import annotations

from pakhus.formats.nuget.atom import KINDS, PROPERTIES

SERVICE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<service xml:base="{base}" xmlns="http://www.w3.org/2007/app" xmlns:atom="http://www.w3.org/2005/Atom">'
    '<workspace><atom:title>Default</atom:title><collection href="Packages"><atom:title>Packages</atom:title>'
    "</collection></workspace></service>"
)
RENAMED = {"Id": "SyndicationTitle", "Summary": "SyndicationSummary", "LastUpdated": "SyndicationUpdated"}
"""Properties that stand in the entry, too."""

FUNCTIONS = {
    "Search": ("searchTerm", "targetFramework", "includePrerelease:Boolean", "semVerLevel"),
    "FindPackagesById": ("id", "semVerLevel"),
    "GetUpdates": (
        "packageIds",
        "versions",
        "includePrerelease:Boolean",
        "includeAllVersions:Boolean",
        "targetFrameworks",
        "versionConstraints",
        "semVerLevel",
    ),
}


def _property(name: str) -> str:
    kept = (
        f' m:FC_TargetPath="{RENAMED[name]}" m:FC_ContentKind="text" m:FC_KeepInContent="true"'
        if name in RENAMED
        else ""
    )
    nullable = ' Nullable="false"' if name in ("Id", "Version") or name in KINDS else ""
    return f'<Property Name="{name}" Type="{KINDS.get(name, "Edm.String")}"{nullable}{kept}/>'


def _function(name: str, parameters: tuple[str, ...]) -> str:
    written = "".join(
        f'<Parameter Name="{each.partition(":")[0]}" Type="Edm.{each.partition(":")[2] or "String"}"/>'
        for each in parameters
    )
    return (
        f'<FunctionImport Name="{name}" EntitySet="Packages" ReturnType="Collection(NuGetGallery.OData.V2FeedPackage)"'
        f' m:HttpMethod="GET">{written}</FunctionImport>'
    )


METADATA = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
    '<edmx:DataServices m:DataServiceVersion="2.0" m:MaxDataServiceVersion="2.0"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    '<Schema Namespace="NuGetGallery.OData" xmlns="http://schemas.microsoft.com/ado/2006/04/edm">'
    '<EntityType Name="V2FeedPackage" m:HasStream="true">'
    '<Key><PropertyRef Name="Id"/><PropertyRef Name="Version"/></Key>'
    f"{''.join(_property(name) for name in PROPERTIES)}</EntityType>"
    '<EntityContainer Name="V2FeedContext" m:IsDefaultEntityContainer="true">'
    '<EntitySet Name="Packages" EntityType="NuGetGallery.OData.V2FeedPackage"/>'
    f"{''.join(_function(*each) for each in FUNCTIONS.items())}"
    "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
)
