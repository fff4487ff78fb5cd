"""A Redis server of the tests' own, on a loopback port, which ends with the process that started it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from share_actors.actors.runtime.head.keeper import end_with_parent
from share_actors.cli.ray_process import free_port
from tests.waiting import until

PASSWORD = "not-for-ps"


class Redis(NamedTuple):
    """Where the server listens, and what its password is."""

    address: str
    password: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a system that keeps Ray's tables there."""
        return {
            "SHARE_ACTORS_RAY__REDIS_ADDRESS": self.address,
            "SHARE_ACTORS_RAY__REDIS_PASSWORD": self.password,
        }


def needs_redis() -> None:
    """Skip the test if Redis is missing."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs the Debian package redis-server")


@contextmanager
def server(directory: Path) -> Iterator[Redis]:
    """A server with a password, which writes its data to *directory*."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    config = f"requirepass {PASSWORD}\nappendonly yes\n"
    process = subprocess.Popen(
        ["redis-server", "-", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - it takes no lock
    )
    try:
        assert process.stdin is not None
        process.stdin.write(config.encode())
        process.stdin.close()
        redis = Redis(f"127.0.0.1:{port}", PASSWORD, process)
        until(lambda: _answers(redis))
        yield redis
    finally:
        process.kill()
        process.wait()


def _answers(redis: Redis) -> bool:
    from share_actors.actors.runtime.head.store import RedisStore
    from share_actors.errors import Unavailable

    store = RedisStore(redis.address, "test", password=redis.password)
    try:
        with store.errors(), store.connect() as client:
            return bool(client.ping())
    except Unavailable:
        return False
