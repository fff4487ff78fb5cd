"""The configuration: errors are one line, name the key, and never show a secret."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from share_actors.config import (
    COMMAND_LINE_VARIABLES,
    BackendSettings,
    Config,
    HostingSettings,
    LogSettings,
    build,
    keys_of,
    load,
)
from share_actors.errors import ConfigError
from share_actors.redaction import MASK, looks_secret, masked
from tests.docs.shell import root

KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of this machine's user."""
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))


def refused(**settings: Any) -> ConfigError:
    """The error, in one line, that these settings raise."""
    with pytest.raises(ConfigError) as caught:
        Config(**settings)
    assert "\n" not in str(caught.value)
    return caught.value


# -- secrets -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings",
    [
        {"log": {"passwrd": SECRET}},
        {"log": {"cypher_key": SECRET}},
        {"log": {"cipher_key": SECRET}},
        {"log": {"password": [SECRET]}},
        {"log": {"password": {"is": SECRET}}},
        {"log": {"nonsense": SECRET}},
        {"lgo": {"password": SECRET}},
        {"log": [{"password": SECRET}]},
        {"backends": {"b": {"options": {"password": SECRET}}}},
        {"backends": {"b": {"driver": {"api_token": SECRET}}}},
        {"backends": {"b": [{"options": {"dsn": f"x://me:{SECRET}@host"}}]}},
        {"hosting": {"min_actors": 3, "max_actors": 2, "tokn": SECRET}},
    ],
)
def test_no_error_contains_a_secret(settings: dict[str, Any]) -> None:
    error = refused(**settings)

    assert SECRET not in f"{error} {error.value!r} {error.details}"
    assert error.field


def test_a_secret_of_the_wrong_type_is_masked_too() -> None:
    error = refused(log={"password": 7_654_321})

    assert (error.field, error.value) == ("log.password", MASK)
    assert "7654321" not in str(error)


def test_a_printed_configuration_shows_no_secret() -> None:
    backend = {"driver": "dummy", "options": {"api_token": SECRET, "directory": "/srv"}}
    config = Config(log={"password": SECRET, "cipher_key": KEY}, backends={"b": backend})

    assert SECRET not in repr(config)
    assert KEY not in repr(config)
    assert "directory" in repr(config)


def test_no_text_among_the_options_of_a_driver_is_printed_whatever_its_name() -> None:
    backend = {"driver": "dummy", "options": {"pw": SECRET, "deep": {"er": [SECRET]}}}

    assert SECRET not in repr(Config(backends={"b": backend}))


@pytest.mark.parametrize(
    "name",
    [
        *("password", "passwrd", "pasword", "PGPASS", "pwd", "secrt", "api_token", "tokn", "kye"),
        *("cypher_key", "cihper", "credentials.user", "backends.b.options.secret"),
    ],
)
def test_a_key_that_resembles_that_of_a_secret_is_treated_as_secret(name: str) -> None:
    assert looks_secret(name)


def test_exactly_four_configuration_keys_are_secret() -> None:
    secret = [key for key in keys_of(Config) if looks_secret(key)]

    assert secret == ["ray.redis_password", "log.password", "log.cipher_key", "secrets_key"]
    assert not looks_secret("backends.keystone.driver")
    assert not looks_secret("backends.b.options.root")


@pytest.mark.parametrize("minutes", [9, 61, 0, -10])
def test_a_value_of_unused_minutes_out_of_range_is_refused(minutes: int) -> None:
    with pytest.raises(ConfigError, match=r"servers\.unused_minutes"):
        Config(servers={"unused_minutes": minutes})


def test_a_masked_value_shows_whether_it_is_set() -> None:
    assert masked("log.password", SecretStr("x")) == MASK
    assert masked("log.password", SecretStr("")) == ""
    assert masked("log.cipher_key", None) is None
    assert masked("a", {"key": "x", "b": ["x"]}) == {"key": MASK, "b": ["x"]}


# -- errors --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hosting": {"min_actors": 0}},
            "hosting.min_actors: Input should be greater than or equal to 1: 0",
        ),
        (
            {"hosting": {"min_actrs": 0}},
            "hosting.min_actrs: unknown key; did you mean hosting.min_actors?",
        ),
        ({"pool": {"min_actors": 2}}, "pool: unknown key; since 0.2 it is called hosting"),
        (
            {"backends": {"b": {"drivr": "local"}}},
            "backends.b.drivr: unknown key; did you mean backends.b.driver?",
        ),
        ({"backends": {"b": {}}}, "backends.b.driver: is required"),
        ({"naemspace": "x"}, "naemspace: unknown key; did you mean namespace?"),
        (
            {"log": {"cipher_key": "AAAA"}},
            f"log.cipher_key: is not 16, 24 or 32 bytes in base64: '{MASK}'",
        ),
    ],
)
def test_an_invalid_value_is_reported_in_one_line_with_its_key(
    settings: dict[str, Any], message: str
) -> None:
    assert str(refused(**settings)) == f"configuration key {message}"


def test_a_default_backend_that_is_not_configured_is_refused() -> None:
    error = refused(default_backend="x")

    assert str(error) == "backend 'x' is not configured; there are: local"
    assert (error.field, error.value) == ("default_backend", "x")


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!", "é", KEY[:-1]])
def test_an_invalid_cipher_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="is not 16, 24 or 32 bytes in base64") as caught:
        LogSettings(cipher_key=key)

    assert caught.value.field == "log.cipher_key"
    assert key == "" or key not in str(caught.value)


def test_a_number_of_thousands_of_digits_does_not_crash(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(f"namespace = {'9' * 5000}\n")

    assert refused(hosting={"min_actors": 10**5000}).value == "(a very large int)"
    with pytest.raises(ConfigError, match="not TOML"):
        load(tmp_path / "long.toml")


@pytest.mark.parametrize(
    ("section", "field"),
    [
        (LogSettings, "log.speed"),
        (HostingSettings, "hosting.speed"),
        (BackendSettings, "backends.NAME.speed"),
    ],
)
def test_a_section_on_its_own_refuses_an_unknown_key(section: type, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section(speed=9)

    assert caught.value.field == field


def test_unpickling_a_configuration_does_not_validate_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = Config(
        log={"password": SECRET, "cipher_key": KEY}, hosting=HostingSettings(min_actors=1)
    )
    packed = pickle.dumps(config)
    monkeypatch.setenv("SHARE_ACTORS_HOSTING__MIN_ACTORS", "0")  # as another node may have it

    assert pickle.loads(packed) == config
    assert pickle.loads(packed).log.password.get_secret_value() == SECRET


# -- variables -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("SHARE_ACTORS_NAMESPAC", "SHARE_ACTORS_NAMESPACE"),
        ("SHARE_ACTORS_HOSTIN__MIN_ACTORS", "SHARE_ACTORS_HOSTING__MIN_ACTORS"),
        ("SHARE_ACTORS_LOG_KIND", "SHARE_ACTORS_LOG__KIND"),
        ("share_actors_hoem", "SHARE_ACTORS_HOME"),
        ("SHARE_ACTORS_HOME__X", "SHARE_ACTORS_HOME"),
        ("SHARE_ACTORS_CONFG", "SHARE_ACTORS_CONFIG"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_closest_name(
    name: str, suggestion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, SECRET)

    error = refused()

    assert f"{name}: unknown setting" in str(error)
    assert str(error).endswith(f"did you mean {suggestion}?")
    assert error.field == name
    assert SECRET not in f"{error}{error.value}"


def test_variables_of_the_command_line_and_of_the_shell_are_not_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_SHARE_ACTORS_COMPLETE", "complete_bash")
    for name in COMMAND_LINE_VARIABLES:
        monkeypatch.setenv(f"SHARE_ACTORS_{name}", "1")

    options = {p.name.upper() for p in root().params if p.envvar}

    assert build({}) == Config()
    assert options == {*COMMAND_LINE_VARIABLES, "NAMESPACE"}


def test_a_variable_of_a_renamed_section_is_refused_with_its_new_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHARE_ACTORS_POOL__MIN_ACTORS", "2")

    with pytest.raises(ConfigError, match="it is called SHARE_ACTORS_HOSTING__MIN_ACTORS"):
        Config()


@pytest.mark.parametrize("name", ["SHARE_ACTORS_LOG", "SHARE_ACTORS_BACKENDS__B__OPTIONS"])
def test_a_variable_of_a_table_that_is_not_json_is_named_and_not_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, '{"password": "' + SECRET)

    error = refused()

    assert name.startswith(str(error.field))
    assert SECRET not in str(error)
