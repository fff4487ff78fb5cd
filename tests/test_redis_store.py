"""The Redis with Ray's tables: who may use them, and the process that keeps the GCS running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime.head import keeper
from share_actors.actors.runtime.head.store import (
    PASSWORD,
    HeadMark,
    RedisStore,
    delete_tables,
    from_environment,
    reserved,
    store_of,
)
from share_actors.config import Config, RaySettings
from share_actors.errors import ConfigError, Refused, Unavailable
from tests import redis_server
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
SERVER = "import os, time; open(os.environ['OUT'], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
"""A server that writes its process id and runs until it is killed."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.Redis]:
    redis_server.needs_redis()
    with redis_server.server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def store(redis: redis_server.Redis, request: pytest.FixtureRequest) -> RedisStore:
    """A store that no other test uses."""
    return RedisStore(redis.address, f"ns-{request.node.name}", password=redis.password)


def put_mark(store: RedisStore, host: str, pid: int, created: float) -> None:
    text = json.dumps({"host": host, "pid": pid, "created": created})
    with store.connect() as client:
        client.set(f"share-actors/head/{store.namespace}", text, px=200)


# -- settings --------------------------------------------------------------------------------------
def test_two_homes_have_two_prefixes_unless_one_is_set(tmp_path: Path) -> None:
    settings = RaySettings(redis_address="redis:6379")
    one, other = (Config(home=tmp_path / name, ray=settings) for name in ("one", "other"))

    assert one.redis_namespace != other.redis_namespace
    assert one.redis_namespace.startswith("share-actors-")
    named = settings.model_copy(update={"redis_namespace": "site"})
    assert Config(home=tmp_path, ray=named).redis_namespace == "site"
    assert store_of(Config(home=tmp_path)) is None


@pytest.mark.parametrize(
    "address", ["redis", "redis:0", "http://redis:1", "redis:6379/0", ":6379", "r:65536"]
)
def test_an_address_that_ray_would_not_understand_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"ray\.redis_address"):
        RaySettings(redis_address=address)


def test_a_store_shows_no_password_and_survives_the_environment() -> None:
    store = RedisStore("rediss://[::1]:7", "site", "ray", "hidden")

    assert store.endpoint == ("::1", 7, True)
    assert "hidden" not in f"{store!r}{store}"
    assert from_environment(store.environment) == store


def test_an_address_in_the_environment_that_has_no_port_is_named() -> None:
    with pytest.raises(ConfigError, match="the Redis address 'redis' is not HOST:PORT"):
        delete_tables(RedisStore("redis", "site"))


# -- errors ----------------------------------------------------------------------------------------
def test_a_wrong_password_is_refused_and_names_its_key(redis: redis_server.Redis) -> None:
    wrong = RedisStore(redis.address, "site", password="wrong")

    with pytest.raises(ConfigError, match="refuses the user or the password") as error:
        delete_tables(wrong)

    assert error.value.field == "ray.redis_password"


def test_a_redis_that_does_not_run_is_named() -> None:
    with pytest.raises(Unavailable, match=r"the Redis at 127\.0\.0\.1:1 does not answer"):
        delete_tables(RedisStore("127.0.0.1:1", "site"))


# -- one head at a time ----------------------------------------------------------------------------
def test_the_tables_of_a_living_head_are_refused_to_a_second_one(store: RedisStore) -> None:
    living = subprocess.Popen(["sleep", "600"])
    mark = HeadMark(store)
    try:
        created = psutil.Process(living.pid).create_time()
        put_mark(store, os.uname().nodename, living.pid, created)
        assert mark.claim() == f"process {living.pid} on {os.uname().nodename}"
    finally:
        mark.close()
        living.kill()
        living.wait()
    with reserved(store):
        pass  # the process has ended


def test_a_head_of_another_machine_is_replaced_once_its_mark_has_ended(store: RedisStore) -> None:
    put_mark(store, "elsewhere", 1, 1.0)

    with reserved(store, pause_s=0.05) as client:
        assert os.uname().nodename in str(client.get(f"share-actors/head/{store.namespace}"))


def test_a_head_of_another_machine_that_lives_is_named(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("share_actors.actors.runtime.head.store.MARK_S", -1.0)
    with store.connect() as client:
        text = json.dumps({"host": "elsewhere", "pid": 7, "created": 1.0})
        client.set(f"share-actors/head/{store.namespace}", text)

    with (
        pytest.raises(Refused, match="used by the head of process 7 on elsewhere"),
        reserved(store),
    ):
        pass


def test_tables_of_another_system_are_left(store: RedisStore) -> None:
    with store.connect() as client:
        client.set(f"RAY{store.namespace}@KV", "1")
        client.set(f"RAY{store.namespace}2@KV", "2")

        delete_tables(store)

        keys = set(client.scan_iter(match=f"*{store.namespace}*"))
    assert keys == {f"RAY{store.namespace}2@KV"}


# -- the keeper ------------------------------------------------------------------------------------
def start_keeper(store: RedisStore, out: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **store.environment, "OUT": str(out)}
    return subprocess.Popen(
        [sys.executable, "-m", keeper.__name__, sys.executable, "-c", SERVER], env=environment
    )


def started(out: Path) -> list[int]:
    """The process ids of the servers that have been started."""
    return [int(line) for line in out.read_text().split()] if out.exists() else []


def test_a_server_that_is_killed_is_started_again_and_ends_with_its_keeper(
    store: RedisStore, tmp_path: Path
) -> None:
    out = tmp_path / "pids"
    kept = start_keeper(store, out)
    try:
        until(lambda: len(started(out)) == 1)
        os.kill(started(out)[0], signal.SIGKILL)
        until(lambda: len(started(out)) == 2)
        assert store.password not in str(psutil.Process(started(out)[1]).cmdline())
        kept.terminate()
        assert kept.wait(30) == 0
    finally:
        kept.kill()
        kept.wait()
    assert not psutil.pid_exists(started(out)[1])
    with store.connect() as client:
        assert client.get(f"share-actors/head/{store.namespace}") is None


def test_a_keeper_ends_its_server_when_another_head_has_taken_the_tables_over(
    store: RedisStore, tmp_path: Path
) -> None:
    out = tmp_path / "pids"
    kept = start_keeper(store, out)
    try:
        until(lambda: len(started(out)) == 1)
        with store.connect() as client:
            text = json.dumps({"host": "elsewhere", "pid": 1, "created": 1.0})
            client.set(f"share-actors/head/{store.namespace}", text)
        assert kept.wait(30) == 0
    finally:
        kept.kill()
        kept.wait()
    assert not psutil.pid_exists(started(out)[0])


def test_a_server_gets_the_password_in_a_variable_and_not_as_an_argument() -> None:
    command, environment = keeper.with_flags(["gcs_server"], {PASSWORD: "hidden", "PATH": "/bin"})

    assert command == ["gcs_server", "--fromenv=redis_password"]
    assert environment == {"FLAGS_redis_password": "hidden", "PATH": "/bin"}
    assert keeper.with_flags(["gcs_server"], {}) == (["gcs_server"], {})
