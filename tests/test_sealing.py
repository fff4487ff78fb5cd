"""Sealing secrets at rest under the system's key."""

from __future__ import annotations

import os
import stat
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.effects.sealed_commands import (
    opened_effect,
    sealed_command,
    without_secrets,
)
from share_actors.actors.messaging.messages import (
    CommandMessage,
    Sender,
    build,
    command_in,
    command_message,
)
from share_actors.actors.sealing import Sealer, home_key, new_key
from share_actors.config import BackendSettings, Config
from share_actors.errors import ConfigError, InvalidRequest
from share_actors.events.share.manage import ManageExisting, ManageShare
from share_actors.events.share_network import AddSecurityService
from share_actors.events.share_server import ServerSetUp
from share_actors.values import SecurityService, ShareSpec
from share_actors.values.secret import Sealed, Secret

KEY = new_key()
SEALER = Sealer(KEY)
SEALED = SEALER.seal("s3cret")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLACES = st.tuples(st.sampled_from(("share_server:v1", "share_server:v2", "s1")), TEXTS)


def of_values(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and mappings of *values*, also those that look like what the log writes."""
    names = st.sampled_from(("sealed", "plain", "x"))
    return st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=2)


def test_sealing_is_deterministic_and_opens_to_the_secret(tmp_path: Path) -> None:
    sealer = Sealer.of(Config(home=tmp_path))
    sealed = sealer.seal("grüße")

    assert "grüße" not in sealed
    assert sealed == Sealer.of(Config(home=tmp_path)).seal("grüße")
    assert (sealer.open(sealed), sealer.open("plain")) == ("grüße", "plain")


@given(place=PLACES, other=PLACES, secret=TEXTS)
def test_a_sealed_secret_opens_only_in_the_place_that_it_was_sealed_for(
    place: tuple[str, str], other: tuple[str, str], secret: str
) -> None:
    sealed = SEALER.seal(secret, *place)

    assert SEALER.open(sealed, *place) == secret
    if place != other:
        with pytest.raises(ConfigError, match="for another entity"):
            SEALER.open(sealed, *other)


@given(secret=st.one_of(TEXTS, st.sampled_from(("sealed:1:x", "sealed:2:AAAA", str(SEALED)))))
def test_no_plain_text_is_taken_for_a_sealed_one_whatever_it_looks_like(secret: str) -> None:
    event = ServerSetUp(details=SEALER.seal_details({"a": secret, "note": secret}, "v", {"note"}))

    read = ServerSetUp.model_validate_json(event.model_dump_json())

    assert isinstance(read.details["a"], Sealed)
    assert SEALER.open_details(read.details, "v") == {"a": secret, "note": secret}


def test_a_secret_that_an_earlier_version_sealed_opens_anywhere() -> None:
    old = AESSIV(KEY).encrypt(b"hunter2", None)
    sealed = Sealed("sealed:1:" + urlsafe_b64encode(old).decode())

    assert SEALER.open(sealed, "share_server:v1", "details.password") == "hunter2"


@given(
    value=st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, of_values, max_leaves=5)
)
def test_an_option_of_managing_is_read_as_it_was_written_whatever_it_looks_like(value: Any) -> None:
    effect = ManageExisting(driver_options={"a": value, "b": SEALED})

    read = ManageExisting.model_validate_json(effect.model_dump_json())

    assert read == effect
    assert [type(read.driver_options[name]) for name in "ab"] == [type(value), Sealed]


def test_the_key_file_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    Sealer.of(Config(home=tmp_path))
    key_file = tmp_path / "secrets.key"
    before = key_file.read_bytes()
    Sealer.of(Config(home=tmp_path))

    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert (len(before), key_file.read_bytes()) == (64, before)
    assert [f.name for f in tmp_path.iterdir()] == ["secrets.key"]


def test_files_that_killed_processes_left_do_not_prevent_the_creation_of_the_key(
    tmp_path: Path,
) -> None:
    (tmp_path / f"secrets.{os.getpid()}").touch()  # process ids repeat, above all in containers
    (tmp_path / ".secrets.key.left").touch()

    assert Sealer.of(Config(home=tmp_path)).open(Sealer.of(Config(home=tmp_path)).seal("a")) == "a"


def test_processes_that_create_the_key_at_once_have_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: home_key(Config(home=tmp_path)), range(64)))

    assert len(keys) == 1
    assert [f.name for f in tmp_path.iterdir()] == ["secrets.key"]


def test_a_secret_sealed_under_a_configured_key_does_not_open_under_another(tmp_path: Path) -> None:
    key = urlsafe_b64encode(new_key()).decode()
    sealed = Sealer.of(Config(home=tmp_path, secrets_key=key)).seal("s3cret")

    assert not (tmp_path / "secrets.key").exists()
    with pytest.raises(ConfigError, match="sealed under another key"):
        Sealer.of(Config(home=tmp_path)).open(sealed)


@pytest.mark.parametrize("key", ["short", "!!!", urlsafe_b64encode(b"x" * 32).decode()])
def test_a_malformed_configured_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"secrets_key.*not 64 bytes in base64"):
        Config(secrets_key=key)


def test_a_malformed_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets.key").write_text("nonsense")

    with pytest.raises(ConfigError, match="is not a key of 64 bytes"):
        Sealer.of(Config(home=tmp_path))


def test_details_are_sealed_but_for_those_that_the_driver_declares_public() -> None:
    details = {
        "root": "/srv",
        "pw": "s3cret",
        "url": "https://a:s3cret@nas",
        "id": Secret("s3cret"),
    }

    sealed = SEALER.seal_details(details, "share_server:v1", {"root", "url", "id"})

    assert sealed["root"] == "/srv"
    assert all(isinstance(sealed[name], Sealed) for name in ("pw", "url", "id"))
    assert SEALER.open_details(sealed, "share_server:v1") == details


def test_options_of_managing_are_sealed_but_for_those_that_the_driver_declares_public() -> None:
    options = {"path": "/old", "pin": 1234, "deep": True, "community": "hunter2"}
    command = ManageShare(share_id="s1", spec=ShareSpec(host="nas"), driver_options=options)

    sealed = sealed_command(command, "s1", lambda: SEALER, {"nas": BackendSettings(driver="local")})

    assert isinstance(sealed, ManageShare)
    kinds = {name: type(value) for name, value in sealed.driver_options.items()}
    assert kinds == {"path": str, "pin": Sealed, "deep": bool, "community": Sealed}
    opened = opened_effect(
        ManageExisting(driver_options=sealed.driver_options), "s1", lambda: SEALER
    )
    assert opened == ManageExisting(driver_options=options)


def test_the_fingerprint_of_a_command_tells_nothing_of_its_secrets() -> None:
    service = SecurityService(id="c1", type="ldap", password="hunter2")
    message = command_message("n", AddSecurityService(service=service), Sender(b"{}", "p"), "c1")

    sealed = without_secrets(message, sealed_command(command_in(message), "n", lambda: SEALER, {}))

    assert b"hunter2" in message.body
    assert b"hunter2" not in sealed.body


def test_a_sealed_password_is_refused_as_input() -> None:
    service = SecurityService(id="c1", type="ldap", password=SEALED)
    body = '{"service": {"id": "c1", "type": "ldap", "password": {"sealed": "sealed:2:AAAA"}}}'

    with pytest.raises(InvalidRequest, match="password: is not a text"):
        build(AddSecurityService, {"service": service})
    message = CommandMessage("n", "c1", AddSecurityService.topic, body.encode(), b"{}")
    with pytest.raises(InvalidRequest, match="password: is not a text"):
        command_in(message)


@pytest.mark.parametrize(
    "service",
    [
        *(
            {"id": "c", "type": "ldap", "password": p}
            for p in (7654321, ["hunter2"], {"a": "hunter2"})
        ),
        {"id": "c", "type": "of-tomorrow", "password": "hunter2"},
        {"id": "c", "typ": "ldap", "password": "hunter2"},
        {"id": "c", "type": "ldap", "pasword": "hunter2"},
        *(["hunter2"], "hunter2", 7654321, None),
    ],
)
def test_no_error_shows_a_password_whatever_is_wrong_with_it(service: object) -> None:
    with pytest.raises(InvalidRequest) as error:
        build(AddSecurityService, {"service": service})

    shown = f"{error.value} {error.value.value!r}"
    assert "hunter2" not in shown
    assert "7654321" not in shown
