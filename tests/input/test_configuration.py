"""Every key of the configuration takes any value: it is accepted, or refused as a `ConfigError`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.config import Config, build, keys_of
from share_actors.errors import ConfigError
from tests.input.values import ANYTHING, CORE

KEYS = [key for key in keys_of(Config) if "secret" not in key]


def nested(key: str, value: Any) -> dict[str, Any]:
    """The table of the configuration with *value* at *key*; NAME stands for a backend."""
    for name in reversed(key.split(".")):
        value = {name: value}
    result: dict[str, Any] = value
    backends = result.get("backends")
    if isinstance(backends, dict) and isinstance(backends.get("NAME"), dict):
        backends["NAME"] = {"driver": "dummy", **backends["NAME"]}
    return result


def configured(key: str, value: Any) -> Config | ConfigError:
    try:
        return build(nested(key, value))
    except ConfigError as error:
        return error


@pytest.mark.parametrize("key", KEYS)
def test_an_odd_value_is_accepted_or_refused(key: str) -> None:
    for value in CORE:
        answer = configured(key, value)
        assert isinstance(answer, Config) or answer.field


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(KEYS), value=ANYTHING)
def test_any_value_is_accepted_or_refused(key: str, value: Any) -> None:
    answer = configured(key, value)

    assert isinstance(answer, Config) or answer.field


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.endswith(("_s", "_weight", "_minutes"))]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e308, 10**400])
def test_a_number_is_finite_and_bounded(key: str, value: float) -> None:
    answer = configured(key, value)

    assert isinstance(answer, ConfigError)
    assert answer.field == key


BAD_NAMES = ["nas#1", "nas:1", "nas 1", "nas/1", "", "n" * 65, "nas\n1", "\u00e9", "-a", "a\n"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_backend_has_a_plain_name(name: str) -> None:
    with pytest.raises(ConfigError, match="a backend's name is 1 to 64 letters") as refusal:
        build({"backends": {name: {"driver": "dummy"}}})

    assert (refusal.value.field, refusal.value.value) == ("backends", name)


@pytest.mark.parametrize("name", ["nas", "nas-1", "NAS.2_b", "1", "n" * 64])
def test_a_plain_name_is_accepted(name: str) -> None:
    assert list(build({"backends": {name: {"driver": "dummy"}}}).backends) == [name]
