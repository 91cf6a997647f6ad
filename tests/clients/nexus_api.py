"""What a client generated from Nexus's own API description does with a server: run by that client's Python.

    python nexus_api.py URL USER PASSWORD CHAPTER

Everything is made, read back, changed and removed by the client's models, which refuse answers of another shape.
"""

from __future__ import annotations

import sys

import nexus_api_client as nexus

STORAGE = nexus.StorageAttributes(blob_store_name="default", strict_content_type_validation=False)
HOSTED_STORAGE = nexus.HostedStorageAttributes(
    blob_store_name="default", strict_content_type_validation=False, write_policy="allow"
)


def same(found: object, wanted: object) -> None:
    assert found == wanted, f"{found!r} is not {wanted!r}"


def refused(status: int, call: object, *args: object) -> None:
    try:
        call(*args)  # type: ignore[operator]
    except nexus.ApiException as error:
        same(error.status, status)
    else:
        raise AssertionError(f"{call} was not refused with {status}")


def status(client: nexus.ApiClient) -> None:
    api = nexus.StatusApi(client)
    api.list_status()
    api.list_status_writable()
    checks = api.list_status_check()
    assert "Available CPUs" in checks
    node = nexus.SystemNodesApi(client).list_system_node()
    same([each.node_id for each in api.list_status_check_cluster()], [node.node_id])
    same(api.get_status_check(node.node_id).node_id, node.node_id)
    eula = nexus.CommunityEditionEulaApi(client)
    found = eula.list_system_eula()
    found.accepted = True
    eula.create_system_eula(found)
    same(eula.list_system_eula().accepted, True)
    lifecycle = nexus.LifecycleApi(client)
    lifecycle.list_lifecycle_phase()
    lifecycle.update_lifecycle_phase("TASKS")


def repositories(client: nexus.ApiClient) -> None:
    api = nexus.RepositoryManagementApi(client)
    hosted = nexus.RawHostedRepositoryApiRequest(
        name="api-files", online=True, storage=HOSTED_STORAGE, raw=nexus.RawAttributes(content_disposition="INLINE")
    )
    api.create_raw_hosted_repository(hosted)
    rules = nexus.RoutingRulesApi(client)
    rule = nexus.RoutingRuleXO(name="api-rule", description="", mode="BLOCK", matchers=["^/tmp/.*"])
    rules.create_routing_rules(rule)
    same(rules.get_routing_rules("api-rule").matchers, rule.matchers)
    proxy = nexus.MavenProxyRepositoryApiRequest(
        name="api-mirror",
        online=True,
        storage=STORAGE,
        proxy=nexus.ProxyAttributes(
            remote_url="https://upstream.invalid/maven/", content_max_age=-1, metadata_max_age=1440
        ),
        negative_cache=nexus.NegativeCacheAttributes(enabled=True, time_to_live=60),
        http_client=nexus.HttpClientAttributesWithPreemptiveAuth(blocked=False, auto_block=True),
        routing_rule_name="api-rule",
        maven=nexus.MavenAttributes(version_policy="RELEASE", layout_policy="PERMISSIVE", content_disposition="INLINE"),
    )
    api.create_maven_proxy_repository(proxy)
    same(api.get_maven_proxy_repository("api-mirror").name, "api-mirror")
    refused(400, rules.delete_routing_rules, "api-rule")
    group = nexus.RawGroupRepositoryApiRequest(
        name="api-all", online=True, storage=STORAGE, group=nexus.GroupAttributes(member_names=["api-files"]),
        raw=nexus.RawAttributes(content_disposition="ATTACHMENT"),
    )  # fmt: skip
    api.create_raw_group_repository(group)
    same(api.get_raw_group_repository("api-all").online, True)
    hosted.online = False
    api.update_raw_hosted_repository("api-files", hosted)
    same(api.get_raw_hosted_repository("api-files").online, False)
    names = {each.name for each in api.get_all_repositories()}
    assert {"api-files", "api-mirror", "api-all"} <= names, names
    same(api.get_repositories("api-mirror").format, "maven2")
    refused(400, api.create_raw_hosted_repository, hosted)
    for name in ("api-all", "api-mirror", "api-files"):
        api.delete_repositories(name)
    refused(404, api.get_repositories, "api-files")
    rules.delete_routing_rules("api-rule")


def contents(client: nexus.ApiClient) -> None:
    api = nexus.RepositoryManagementApi(client)
    storage = HOSTED_STORAGE
    raw = nexus.RawAttributes(content_disposition="ATTACHMENT")
    for name in ("api-staging", "api-stable"):
        api.create_raw_hosted_repository(
            nexus.RawHostedRepositoryApiRequest(name=name, online=True, storage=storage, raw=raw)
        )
    components, assets = nexus.ComponentsApi(client), nexus.AssetsApi(client)
    for name in ("one.txt", "two.txt"):
        components.create_components(
            "api-staging", raw_directory="/dir", raw_asset1=(name, name.encode()), raw_asset1_filename=name
        )
    page = components.list_components("api-staging")
    same(([each.name for each in page.items], page.continuation_token), (["dir/one.txt", "dir/two.txt"], None))
    same(components.get_components(page.items[0].id).assets[0].file_size, 7)
    same([each.path for each in assets.list_assets("api-staging").items], ["/dir/one.txt", "/dir/two.txt"])
    search = nexus.SearchApi(client)
    same(next(each.name for each in search.list_search(repository="api-staging", sort="name").items), "dir/one.txt")
    same(len(search.list_search_assets(repository="api-staging", q="two").items), 1)
    same([each.name for each in search.list_search_suggest(q="two", format="raw")], ["dir/two.txt"])
    browse = nexus.RepositoryBrowseApi(client)
    same([each.text for each in browse.getrepositoryname_browse_repository("api-staging", path="dir")],
         ["one.txt", "two.txt"])  # fmt: skip
    tags = nexus.TagsApi(client)
    tags.create_tags(nexus.TagXO(name="api-tag", attributes={"a": 1}))
    same(tags.get_tags("api-tag").attributes, {"a": 1})
    tags.create_tags_associate("api-tag", repository="api-staging", name="dir/one.txt")
    same([each.name for each in search.list_search(tag="api-tag").items], ["dir/one.txt"])
    assets.delete_assets(assets.list_assets("api-staging").items[0].id)
    components.delete_components(components.list_components("api-staging").items[0].id)
    same(components.list_components("api-staging").items, [])
    tags.delete_tags("api-tag")
    assert any(each.format == "raw" for each in nexus.FormatsApi(client).list_formats_upload_specs())
    for name in ("api-staging", "api-stable"):
        api.delete_repositories(name)


def administration(client: nexus.ApiClient) -> None:
    stores = nexus.BlobStoreApi(client)
    quota = nexus.BlobStoreApiSoftQuota(type="spaceUsedQuota", limit=1_000_000)
    stores.create_blobstores_file(
        nexus.FileBlobStoreApiCreateRequest(name="api-store", path="api-store", soft_quota=quota)
    )
    same(stores.get_blobstores_file("api-store").soft_quota.limit, 1_000_000)
    same(stores.get_blobstores_quota_status("api-store").is_violation, False)
    stores.create_blobstores_group(
        nexus.GroupBlobStoreApiCreateRequest(name="api-group", members=["api-store"], fill_policy="writeToFirst")
    )
    same(stores.get_blobstores_group("api-group").members, ["api-store"])
    assert {"api-store", "api-group"} <= {each.name for each in stores.list_blobstores()}
    stores.delete_blobstores("api-group")
    stores.delete_blobstores("api-store")
    policies = nexus.CleanupPoliciesApi(client)
    policy = nexus.CleanupPolicyResourceXO(name="api-policy", format="raw", criteria_last_blob_updated=30)
    policies.create_cleanup_policies(policy)
    policy.notes = "changed"
    policies.update_cleanup_policies("api-policy", policy)
    same(policies.get_cleanup_policies("api-policy").notes, "changed")
    policies.delete_cleanup_policies("api-policy")
    capabilities = nexus.CapabilitiesApi(client)
    made = capabilities.create_capabilities(
        nexus.CapabilityDTO(type="LegacyUrlCapability", notes="by a client", enabled=False, properties={})
    )
    assert made.id in {each.id for each in capabilities.list_capabilities()}
    capabilities.update_capabilities(made.id, made)
    capabilities.delete_capabilities(made.id)
    assert capabilities.list_capabilities_types()
    email = nexus.EmailApi(client)
    email.update_email(nexus.ApiEmailConfiguration(enabled=False, host="mail.invalid", port=25, from_address="a@b.c"))
    same(email.list_email().host, "mail.invalid")
    email.delete_email()
    same(nexus.SecurityCertificatesApi(client).list_security_ssl_truststore(), [])
    settings = nexus.ManageSonatypeHTTPSystemSettingsApi(client)
    login = nexus.AuthSettingsXo(enabled=True, username="u", password="p", ntlm_host="", ntlm_domain="")
    off = nexus.ProxySettingsXo(enabled=False, host="proxy.invalid", port="3128", auth_info=login)
    settings.update_http(
        nexus.HttpSettingsXo(
            user_agent="api", timeout=20, retries=2, non_proxy_hosts=["a"], http_proxy=off, https_proxy=off
        )
    )
    found = settings.list_http()
    same((found.retries, found.http_proxy.auth_info.username), (2, "u"))
    settings.delete_http()


def tasks(client: nexus.ApiClient) -> None:
    api = nexus.TasksApi(client)
    assert "blobstore.compact" in {each.type for each in api.list_tasks_templates()}
    template = api.get_tasks_templates("blobstore.compact")
    template.name = "api-task"
    template.properties = {"blobstoreName": "default"}
    made = api.create_tasks(template)
    same(api.get_tasks(made.id).properties, {"blobstoreName": "default"})
    api.create_tasks_run(made.id)
    changed = nexus.UpdateTasksRequest(
        name="api-changed", enabled=False, notification_condition="FAILURE", properties=template.properties,
        frequency=nexus.FrequencyXO(schedule="cron", cron_expression="0 0 3 * * ?"),
    )  # fmt: skip
    api.update_tasks(made.id, changed)
    same([each.name for each in api.list_tasks(type="blobstore.compact").items], ["api-changed"])
    refused(405, api.create_tasks_run, made.id)
    api.delete_tasks(made.id)
    refused(404, api.get_tasks, made.id)


CHAPTERS = {each.__name__: each for each in (status, repositories, contents, administration, tasks)}


def main(url: str, user: str, password: str, chapter: str) -> None:
    configuration = nexus.Configuration(host=f"{url}/service/rest", username=user, password=password)
    with nexus.ApiClient(configuration) as client:
        CHAPTERS[chapter](client)


if __name__ == "__main__":
    main(*sys.argv[1:])
