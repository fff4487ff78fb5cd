"""Checks of a configuration's log and catalog, which create and change nothing."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config, LogSettings
from share_actors.errors import ConfigError, LogError, ShareActorsError
from share_actors.events.log import Log
from share_actors.events.preflight import check
from tests.events.appending import append
from tests.events.postgres import admin
from tests.events.test_log_file import unprivileged

KEY, OTHER = (base64.b64encode(bytes([n]) * 16).decode() for n in (1, 2))


def configured(home: Path, **settings: Any) -> Config:
    return Config(home=home, backends={"b": {"driver": "dummy"}}, **settings)


def create_log(config: Config) -> None:
    """Create a log with one event."""
    log = Log.open(config.log, config.log_path)
    append(log, "a", 0, "x")
    log.close()


def contents(top: Path) -> dict[str, bytes | None]:
    """Return all files below *top* with their contents, and the directories."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in top.rglob("*")}


def refused(config: Config, top: Path) -> ShareActorsError:
    before = contents(top)
    with pytest.raises(ShareActorsError) as caught:
        check(config)
    assert contents(top) == before
    return caught.value


def test_checking_a_missing_log_does_not_create_it(tmp_path: Path) -> None:
    assert check(configured(tmp_path / "not" / "yet")) is None
    assert contents(tmp_path) == {}


def test_checking_an_existing_log_leaves_it_unchanged(tmp_path: Path) -> None:
    config = configured(tmp_path, log={"cipher_key": KEY})
    create_log(config)
    before = contents(tmp_path)

    assert check(config) == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize("key", [OTHER, None])
def test_a_wrong_key_is_an_error_that_does_not_show_the_key(
    key: str | None, tmp_path: Path
) -> None:
    create_log(configured(tmp_path, log={"cipher_key": KEY}))

    error = refused(configured(tmp_path, log={"cipher_key": key}), tmp_path)

    assert (type(error), error.field) == (LogError, "log.cipher_key")
    assert OTHER not in str(error)


def test_a_damaged_log_is_an_error(tmp_path: Path) -> None:
    config = configured(tmp_path)
    create_log(config)
    os.truncate(config.log_path, 5000)

    assert "is truncated" in str(refused(config, tmp_path))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"log.path": "file/log.db"}, "catalog_path"),
        ({"log.path": "file/log.db", "catalog_path": "c.db"}, "log.path"),
        ({"log.path": "shares", "catalog_path": "c.db"}, "log.path"),
        ({"catalog_path": "file"}, "catalog_path"),
        ({"catalog_path": "shares"}, "catalog_path"),
        ({"catalog_path": "log.db"}, "catalog_path"),
    ],
)
def test_an_unusable_path_is_an_error(settings: dict[str, str], field: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    (tmp_path / "shares").mkdir()
    places = {key: tmp_path / value for key, value in settings.items()}
    log = {"path": places.pop("log.path")} if "log.path" in places else {}

    assert refused(configured(tmp_path, log=log, **places), tmp_path).field == field


def test_a_directory_without_write_permission_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)

    with unprivileged(), pytest.raises(ConfigError, match="may not write") as caught:
        check(configured(tmp_path / "closed" / "home"))

    assert caught.value.field == "catalog_path"


def test_an_unreachable_postgresql_server_is_an_error() -> None:
    log = {"kind": "postgresql", "host": "127.0.0.1", "port": 1}

    with pytest.raises(LogError, match=r"log\.port 1"):
        check(configured(Path("not-used"), log=log))


def test_a_postgresql_log_exists_or_can_be_created(postgres_settings: LogSettings) -> None:
    config = configured(Path("not-used"), log=postgres_settings)

    assert check(config) is None
    with admin(postgres_settings) as connection:
        row = connection.execute(
            "SELECT to_regnamespace(%s)", (postgres_settings.schema_name,)
        ).fetchone()
    assert row == (None,)
    create_log(config)
    assert check(config) == 1


def test_a_user_without_permission_to_create_a_postgresql_log_is_an_error(
    postgres_settings: LogSettings,
) -> None:
    with admin(postgres_settings) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    log = postgres_settings.model_copy(update={"user": "reader"})

    with pytest.raises(LogError, match=r"log\.user reader may not create one: .*CREATE SCHEMA"):
        check(configured(Path("not-used"), log=log))
