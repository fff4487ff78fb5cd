"""The Redis with the tables of a Ray head, and the mark there that says which head uses them."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from share_actors.actors.runtime.system_state import same_process
from share_actors.errors import ConfigError, Refused, Unavailable

if TYPE_CHECKING:
    import redis

    from share_actors.config import Config

ADDRESS, USER, PASSWORD = "RAY_REDIS_ADDRESS", "RAY_REDIS_USERNAME", "RAY_REDIS_PASSWORD"
NAMESPACE = "RAY_external_storage_namespace"
"""Ray reads ADDRESS and NAMESPACE itself; it takes the user and the password from its command line only."""
TLS = {
    "ssl_ca_certs": "RAY_REDIS_CA_CERT",
    "ssl_ca_path": "RAY_REDIS_CA_PATH",
    "ssl_certfile": "RAY_REDIS_CLIENT_CERT",
    "ssl_keyfile": "RAY_REDIS_CLIENT_KEY",
}
"""Options of redis-py, and the variables from which Ray takes the same."""
TIMEOUT_S = 5.0
MARK_S = 15.0
"""How long a mark outlives the last renewal by its head."""
_CLAIM = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then return holder end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[3])
return ARGV[1]
"""
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"


@dataclass(frozen=True)
class RedisStore:
    """Where a Ray head keeps its tables.

    *address* is `HOST:PORT`, or with `redis://` or `rediss://` (TLS) before it. Two heads on one Redis need
    two *namespaces*.
    """

    address: str
    namespace: str
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.namespace}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `share_actors.actors.runtime.head` reads."""
        named = {ADDRESS: self.address, NAMESPACE: self.namespace, USER: self.user}
        return {k: v for k, v in {**named, PASSWORD: self.password}.items() if v}

    @property
    def endpoint(self) -> tuple[str, int, bool]:
        """The host, the port, and whether connections use TLS; raises `ConfigError`."""
        host, _, port = self.address.rpartition("://")[2].rpartition(":")
        if not port.isdecimal() or not host:
            raise ConfigError(
                f"the Redis address {self.address!r} is not HOST:PORT",
                field="ray.redis_address",
                value=self.address,
            )
        return host.strip("[]"), int(port), self.address.startswith("rediss://")

    def connect(self) -> redis.Redis:
        """A client, which connects at its first command. Raises `ConfigError` without the package redis."""
        package = _package()
        from redis.backoff import NoBackoff  # noqa: PLC0415 - an optional package
        from redis.retry import Retry  # noqa: PLC0415

        host, port, tls = self.endpoint
        options: dict[str, Any] = {"ssl": True} if tls else {}
        if tls:
            options |= {name: os.environ[key] for name, key in TLS.items() if key in os.environ}
        client: redis.Redis = package.Redis(
            host=host,
            port=port,
            username=self.user or None,
            password=self.password or None,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            **options,
        )
        return client

    def check(self) -> None:
        """Raise `Unavailable` if Redis does not answer, `ConfigError` if it refuses the user or password."""
        with self.errors(), self.connect() as client:
            client.ping()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Replace errors of redis-py by ours."""
        redis = _package()
        try:
            yield
        except (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError) as error:
            raise ConfigError(
                f"the Redis at {self.address} refuses the user or the password: {error}",
                field="ray.redis_password",
                value="(hidden)",
            ) from None
        except redis.exceptions.RedisError as error:
            raise Unavailable(
                f"the Redis at {self.address} does not answer: {error}",
                field="ray.redis_address",
                value=self.address,
                next_step="Start Redis, or correct ray.redis_address; nothing was changed.",
            ) from None


def _package() -> Any:
    try:
        import redis  # noqa: PLC0415 - an optional package
    except ImportError:
        raise ConfigError(
            "ray.redis_address needs the package redis: pip install 'share-actors[redis]'",
            field="ray.redis_address",
            value="redis",
        ) from None
    return redis


def from_environment(environment: Mapping[str, str]) -> RedisStore:
    """The store that the variables name; raises `ConfigError` if they name none."""
    if not environment.get(ADDRESS):
        raise ConfigError(f"{ADDRESS} is not set", field=ADDRESS, value="")
    return RedisStore(
        environment[ADDRESS],
        environment.get(NAMESPACE, "default"),
        environment.get(USER, ""),
        environment.get(PASSWORD, ""),
    )


def store_of(config: Config) -> RedisStore | None:
    """The store of *config*; None if Ray keeps its tables in memory."""
    ray = config.ray
    if ray.redis_address is None:
        return None
    password = ray.redis_password.get_secret_value()
    return RedisStore(ray.redis_address, config.redis_namespace, ray.redis_user, password)


class HeadMark:
    """The key in Redis that names the one head that may use the tables of *store*.

    Two heads that write to the same tables would both lose actors, and be one system to the log's lease.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store, self.client = store, store.connect()
        self._key = f"share-actors/head/{store.namespace}"
        me = psutil.Process()
        mine = {"host": socket.gethostname(), "pid": me.pid, "created": me.create_time()}
        self._mine = json.dumps(mine)

    def claim(self) -> str | None:
        """Hold the mark for `MARK_S`; returns None, or who holds it. Raises `Unavailable`, `ConfigError`.

        The mark of a process of this machine that has ended is replaced.
        """
        with self._store.errors():
            holder = self._run("")
            if holder != self._mine and _has_ended(holder):
                holder = self._run(holder)
        return None if holder == self._mine else _described(holder)

    def _run(self, replaced: str) -> str:
        milliseconds = int(MARK_S * 1000)
        return str(self.client.eval(_CLAIM, 1, self._key, self._mine, replaced, milliseconds))

    def release(self) -> None:
        """Give the mark up, if it is held; raises `Unavailable`, `ConfigError`."""
        with self._store.errors():
            self.client.eval(_RELEASE, 1, self._key, self._mine)

    def close(self) -> None:
        """Disconnect from Redis."""
        self.client.close()


def _has_ended(holder: str) -> bool:
    """Whether *holder* was a process of this machine."""
    mark = json.loads(holder)
    return mark["host"] == socket.gethostname() and not same_process(mark["pid"], mark["created"])


def _described(holder: str) -> str:
    mark = json.loads(holder)
    return f"process {mark['pid']} on {mark['host']}"


@contextmanager
def reserved(store: RedisStore, pause_s: float = 0.5) -> Iterator[redis.Redis]:
    """Hold the mark of *store* during the block, which gets a client.

    A head that died on another machine is waited for. Raises `Refused`, which names the head, if it lives.
    """
    mark, deadline = HeadMark(store), time.monotonic() + MARK_S + 1.0
    try:
        while (holder := mark.claim()) is not None:
            if time.monotonic() > deadline:
                raise used_by(store, holder)
            time.sleep(pause_s)
        with store.errors():
            yield mark.client
        mark.release()
    finally:
        mark.close()


def delete_tables(store: RedisStore) -> None:
    """Delete the tables of a head that has ended; raises as `reserved`."""
    with reserved(store) as client:
        for key in client.scan_iter(match=f"RAY{store.namespace}@*"):
            client.unlink(key)


def used_by(store: RedisStore, holder: str) -> Refused:
    """The error of a second head on the tables of *store*."""
    return Refused(
        f"the Ray tables {store.namespace!r} in the Redis at {store.address} are used by the head of"
        f" {holder}; nothing was started",
        field="ray.redis_namespace",
        value=store.namespace,
        next_step="Stop that system first, or set another ray.redis_namespace.",
    )
