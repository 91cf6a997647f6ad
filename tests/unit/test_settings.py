"""The configuration: precedence, refusals with a hint, origins, and the kept signing secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.settings import Configuration, Settings, SettingsError, keys, load, signing_secret
from pakhus.settings.keys import MASK, without_password
from pakhus.settings.schema import address

STRONG = "Zk3vQ9-x7LmN2pR8tYw4uBa6cDe1fGh5"


def loaded(
    tmp_path: Path, text: str = "", /, environ: dict[str, str] | None = None, **options: object
) -> Configuration:
    file = tmp_path / "pakhus.yaml"
    file.write_text(text, "utf-8")
    return load(config=file, environ=environ or {}, options={name.replace("__", "."): v for name, v in options.items()})


def problems(tmp_path: Path, text: str = "", **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text, environ=environ)
    return str(caught.value)


class TestPrecedence:
    def test_nothing_configured_gives_the_defaults(self, tmp_path: Path) -> None:
        settings = load(data=tmp_path, environ={}).settings
        assert (settings.http.host, settings.http.port) == ("", 8081)
        assert settings.database_dsn == f"sqlite:///{tmp_path}/pakhus.db"
        assert settings.blob_path == tmp_path / "blobs"

    def test_file_beats_default_and_environment_beats_file(self, tmp_path: Path) -> None:
        text = "database:\n  max_conns: 5\n  min_conns: 3\n"
        database = loaded(tmp_path, text, environ={"PAKHUS_DATABASE_MAX_CONNS": "9"}).settings.database
        assert (database.max_conns, database.min_conns, database.max_idle_sec) == (9, 3, 300)

    def test_option_beats_environment(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, environ={"PAKHUS_HTTP_ADDR": ":1"}, http__addr=":2")
        assert config.settings.http.port == 2

    def test_origin_of_each_value_is_known(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, "log: {level: DEBUG}", environ={"PAKHUS_LOG_FORMAT": "json"})
        origins = {key.name: str(origin) for key, _, origin in config.shown()}
        assert origins["log.level"] == f"file {tmp_path}/pakhus.yaml"
        assert origins["log.format"] == "env PAKHUS_LOG_FORMAT"
        assert origins["http.addr"] == "default"

    def test_file_in_the_data_directory_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "pakhus.yaml").write_text("http: {addr: ':9'}")
        assert load(data=tmp_path, environ={}).settings.http.port == 9
        assert load(environ={"PAKHUS_DATA": str(tmp_path)}).settings.data == tmp_path

    def test_empty_variable_counts_as_absent(self, tmp_path: Path) -> None:
        assert (
            loaded(
                tmp_path, "http: {max_body_mb: 5}", environ={"PAKHUS_HTTP_MAX_BODY_MB": ""}
            ).settings.http.max_body_mb
            == 5
        )

    def test_empty_sections_are_fine(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, "http:\nlog:\n").settings.http == Settings().http

    def test_home_folder_may_be_written_as_tilde(self) -> None:
        assert load(environ={"PAKHUS_DATA": "~/pakhus"}).settings.data == Path.home() / "pakhus"


class TestEnvironment:
    VALUES = {
        "data": "/srv/pakhus",
        "http.addr": "[::1]:9090",
        "http.read_timeout_sec": "7",
        "http.write_timeout_sec": "8",
        "http.max_body_mb": "9",
        "http.base_url": "https://packages.example.org",
        "http.trusted_proxies": "10.0.0.0/8, 192.168.1.1",
        "http.tls.enabled": "true",
        "http.tls.cert_file": "/c.pem",
        "http.tls.key_file": "/k.pem",
        "database.dsn": "postgresql://u:p@db/pakhus",
        "database.max_conns": "30",
        "database.min_conns": "4",
        "database.max_idle_sec": "5",
        "storage.default_type": "file",
        "storage.quota": "refuse",
        "storage.local.base_path": "/blobs",
        "auth.jwt_secret": STRONG,
        "auth.jwt_expiry_hours": "1",
        "auth.anonymous_enabled": "yes",
        "auth.password_min_length": "12",
        "auth.token_max_days": "90",
        "auth.login_token_days": "7",
        "auth.remote_user_header": "X-SSO-USER",
        "http.rate_limit_per_user": "600",
        "http.rate_limit_per_address": "6000",
        "http.rate_limit_reads": "yes",
        "http.rate_limit_exempt": "192.0.2.0/24",
        "http.nexus_version": "3.70.0-03",
        "auth.ldap_ca_file": "/etc/pakhus/directory.pem",
        "auth.ldap_cache_seconds": "60",
        "auth.password_refuse_common": "no",
        "auth.lockout_failures": "5",
        "auth.lockout_address_failures": "20",
        "auth.lockout_minutes": "15",
        "auth.lockout_exempt": "192.0.2.0/24",
        "bootstrap.admin_username": "root",
        "bootstrap.admin_password": "s3cret",
        "bootstrap.admin_email": "root@example.org",
        "bootstrap.default_repositories": "false",
        "bootstrap.upstreams": '{"npm": "https://npm.example.org"}',
        "signing.algorithm": "ed25519",
        "signing.overlap_days": "7",
        "log.level": "WARNING",
        "log.format": "json",
    }

    def test_every_key_can_be_set_by_its_variable(self, tmp_path: Path) -> None:
        environ = {"PAKHUS_" + name.replace(".", "_").upper(): text for name, text in self.VALUES.items()}
        config = load(environ=environ)
        assert set(self.VALUES) == {key.name for key in keys()}
        assert all(origin.kind == "env" for _, _, origin in config.shown())
        changed = {key.name for key, value, _ in config.shown() if value != key.shown(key.default)}
        assert changed == set(self.VALUES) - {"storage.default_type"}

    def test_no_two_keys_share_a_variable(self) -> None:
        variables = [key.variable for key in keys()]
        assert len(set(variables)) == len(variables)

    def test_lists_take_commas_or_json(self, tmp_path: Path) -> None:
        for text in ("10.0.0.0/8,::1", '["10.0.0.0/8", "::1"]'):
            http = loaded(tmp_path, environ={"PAKHUS_HTTP_TRUSTED_PROXIES": text}).settings.http
            assert http.trusted_proxies == ("10.0.0.0/8", "::1/128")

    def test_an_upstream_is_added_to_those_of_the_file(self, tmp_path: Path) -> None:
        text = "bootstrap: {upstreams: {npm: 'https://a.example', pypi: 'https://b.example'}}"
        environ = {
            "PAKHUS_BOOTSTRAP_UPSTREAMS_PYPI": "https://c.example/",
            "PAKHUS_BOOTSTRAP_UPSTREAMS_MAVEN2": "http://d",
        }
        upstreams = loaded(tmp_path, text, environ=environ).settings.bootstrap.upstreams
        assert upstreams == {"npm": "https://a.example", "pypi": "https://c.example", "maven2": "http://d"}

    def test_secret_is_read_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(f"{STRONG}\n")
        config = loaded(tmp_path, environ={"PAKHUS_AUTH_JWT_SECRET_FILE": str(tmp_path / "secret")})
        assert config.settings.auth.jwt_secret.get_secret_value() == STRONG

    def test_secret_given_twice_is_refused(self, tmp_path: Path) -> None:
        text = problems(tmp_path, PAKHUS_AUTH_JWT_SECRET=STRONG, PAKHUS_AUTH_JWT_SECRET_FILE="/x")
        assert "both set" in text

    def test_unknown_variable_is_refused_with_a_suggestion(self, tmp_path: Path) -> None:
        text = problems(tmp_path, PAKHUS_HTTP_ADRESS=":1")
        assert text == "unknown environment variable PAKHUS_HTTP_ADRESS (did you mean PAKHUS_HTTP_ADDR?)"

    def test_variables_of_the_client_and_of_kubernetes_are_let_through(self, tmp_path: Path) -> None:
        environ = {
            "PAKHUS_URL": "http://x",
            "PAKHUS_TOKEN": "t",
            "PAKHUS_PORT": "tcp://10.0.0.1:8081",
            "PAKHUS_PORT_8081_TCP_ADDR": "10.0.0.1",
            "PAKHUS_HTTP_SERVICE_HOST": "10.0.0.1",
            "PAKHUS_SERVICE_PORT_HTTP": "8081",
        }
        assert loaded(tmp_path, environ=environ).origins == {}

    def test_a_port_that_somebody_meant_is_refused(self, tmp_path: Path) -> None:
        assert "PAKHUS_PORT" in problems(tmp_path, PAKHUS_PORT="9000")


class TestRefusals:
    def test_unknown_key_is_refused_with_a_suggestion(self, tmp_path: Path) -> None:
        text = problems(tmp_path, "http: {tls: {certfile: x}}")
        assert "unknown key http.tls.certfile (did you mean http.tls.cert_file?)" in text

    def test_unknown_section_is_refused(self, tmp_path: Path) -> None:
        assert "unknown key blobs" in problems(tmp_path, "blobs: {path: x}")

    def test_all_problems_are_told_at_once(self, tmp_path: Path) -> None:
        text = problems(tmp_path, "http: {addr: nowhere}\nnope: 1", PAKHUS_DATABASE_MAX_CONNS="many")
        assert {line.split(":")[0].split(" (")[0] for line in text.splitlines()[1:]} == {
            "http.addr",
            "database.max_conns",
        }
        assert "nope" in text
        assert "from env PAKHUS_DATABASE_MAX_CONNS" in text

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("http: 5", "http is a section"),
            ("[1]", "must hold sections"),
            ("http: {addr: ':1', addr: ':2'}", "appears twice"),
            ("http: {", "not valid YAML"),
            ("http: {tls: {enabled: true}}", "http.tls: needs cert_file and key_file"),
            ("http: {trusted_proxies: [10.0.0.1/8]}", "http.trusted_proxies"),
            ("http: {base_url: packages.example.org}", "not an http or https URL"),
            ("database: {dsn: 'mysql://u:hunter2@h/d'}", "database.dsn"),
            ("database: {min_conns: 50}", "more than max_conns"),
            ("storage: {default_type: tape}", "storage.default_type"),
            ("bootstrap: {upstreams: {npm: npm}}", "bootstrap.upstreams"),
            ("auth: {token_max_days: 0}", "auth.token_max_days"),
        ],
    )
    def test_bad_value_is_refused(self, tmp_path: Path, text: str, told: str) -> None:
        message = problems(tmp_path, text)
        assert told in message
        assert "hunter2" not in message

    @pytest.mark.parametrize("text", ["", "8081", "host", "a:b:1", ":99999", "[::1]", "::1:80", "http://h:80"])
    def test_bad_address_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not an address"):
            address(text)

    @given(st.integers(0, 65535), st.sampled_from(["", "localhost", "127.0.0.1", "[::1]", "[fe80::1]"]))
    def test_address_has_host_and_port(self, port: int, host: str) -> None:
        assert address(f"{host}:{port}") == (host.strip("[]"), port)

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot read the configuration file"):
            load(config=tmp_path / "none.yaml", environ={})


class TestSecrets:
    @pytest.mark.parametrize(
        "secret", ["secret", "changeme", "Password", "short-but-random-9x", "a" * 64, "changeme" * 5]
    )
    def test_weak_secret_is_refused_without_repeating_it(self, tmp_path: Path, secret: str) -> None:
        text = problems(tmp_path, PAKHUS_AUTH_JWT_SECRET=secret)
        assert text.startswith("auth.jwt_secret (from env PAKHUS_AUTH_JWT_SECRET): is")
        assert secret in ("secret", "Password") or secret not in text

    def test_missing_secret_is_generated_once_and_only_for_the_owner(self, tmp_path: Path) -> None:
        settings = load(data=tmp_path / "new", environ={}).settings
        first = signing_secret(settings)
        assert len(first) >= 32
        assert signing_secret(settings) == first
        assert stat.S_IMODE((tmp_path / "new" / "jwt.secret").stat().st_mode) == 0o600
        assert [file.name for file in (tmp_path / "new").iterdir()] == ["jwt.secret"]

    def test_configured_secret_is_used_and_nothing_is_written(self, tmp_path: Path) -> None:
        settings = load(data=tmp_path, environ={"PAKHUS_AUTH_JWT_SECRET": STRONG}).settings
        assert signing_secret(settings) == STRONG
        assert not list(tmp_path.iterdir())

    def test_kept_secret_that_was_cut_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "jwt.secret").write_text("abc")
        with pytest.raises(SettingsError, match="too short"):
            signing_secret(load(data=tmp_path, environ={}).settings)

    def test_shown_values_hide_secrets(self, tmp_path: Path) -> None:
        environ = {
            "PAKHUS_AUTH_JWT_SECRET": STRONG,
            "PAKHUS_DATABASE_DSN": "postgresql://u:hunter2@h/d",
            "PAKHUS_BOOTSTRAP_UPSTREAMS_NPM": "http://u:hunter2@h",
        }
        shown = {key.name: value for key, value, _ in loaded(tmp_path, environ=environ).shown()}
        assert shown["auth.jwt_secret"] == MASK
        assert shown["bootstrap.admin_password"] == ""
        assert shown["database.dsn"] == f"postgresql://u:{MASK}@h/d"
        assert shown["bootstrap.upstreams"] == {"npm": f"http://u:{MASK}@h"}

    @given(st.text())
    def test_masking_takes_any_text(self, text: str) -> None:
        assert "hunter2" not in without_password(
            f"http://u:hunter2@{'h' if '@' in text else 'h/' + text.replace('hunter2', '')}"
        )
