"""Sealing secrets at rest under the system's key."""

from __future__ import annotations

import os
import stat
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from share_actors.actors.sealing import Sealer, home_key, new_key
from share_actors.config import Config
from share_actors.errors import ConfigError


def test_sealing_is_deterministic_and_idempotent_and_opens_to_the_secret(tmp_path: Path) -> None:
    sealer = Sealer.of(Config(home=tmp_path))
    sealed = sealer.seal("grüße")

    assert "grüße" not in sealed
    assert sealer.seal(sealed) == sealed == Sealer.of(Config(home=tmp_path)).seal("grüße")
    assert (sealer.open(sealed), sealer.open("plain")) == ("grüße", "plain")


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


def test_only_details_with_secret_names_are_sealed(tmp_path: Path) -> None:
    sealer = Sealer.of(Config(home=tmp_path))
    details = {"root": "/srv", "admin_password": "s3cret", "server_id": "v1"}
    sealed = sealer.seal_details(details)

    assert (sealed["root"], sealed["server_id"]) == ("/srv", "v1")
    assert sealed["admin_password"].startswith("sealed:1:")
    assert sealer.open_details(sealed) == details
