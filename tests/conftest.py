"""Fixtures for every test. Only tests that use `cluster` may start Ray, which starts once a session."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from share_actors.redaction import known_secrets
from share_actors.values import Internal
from tests.preloaded import programs

settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")  # no test depends on how fast the machine is
Internal.checked = True  # a wrong value that our own code makes is an error here
pytest.register_assert_rewrite("share_actors.testing")  # before any test module imports it

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="sa-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """The one Ray cluster of the session.

    Concurrent sessions start theirs one after the other: Ray gives up a start that takes 30 s.
    """
    from share_actors.actors.runtime import lifecycle

    with (Path(tempfile.gettempdir()) / f"share-actors-tests-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "executable", programs.python())  # Ray starts its workers with it
            lifecycle.init(None, num_cpus=2)
    yield
    lifecycle.shutdown()


@pytest.fixture(autouse=True)
def _no_other_ray(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that starts Ray without the `cluster` fixture."""
    if "cluster" in request.fixturenames:
        return
    import ray

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("this test starts a Ray cluster without the `cluster` fixture")

    monkeypatch.setattr(ray, "init", refuse)


@pytest.fixture(autouse=True, scope="session")
def _few_steps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Without `--all-steps`, which `make soak` gives: drivers crash and stall at fewer of their steps."""
    from share_actors.testing.contracts.interruption import InterruptionContract
    from share_actors.testing.contracts.late import LateCallContract
    from share_actors.testing.contracts.remains import RemainsContract

    with pytest.MonkeyPatch.context() as patched:
        if not request.config.getoption("--all-steps"):
            patched.setattr(InterruptionContract, "most_steps", 5)
            patched.setattr(RemainsContract, "most_steps", 5)
            patched.setattr(LateCallContract, "most_stalls", 8)
        yield


@pytest.fixture(autouse=True)
def _secrets_of_one_test() -> Iterator[None]:
    """Mask the secrets of a test in no other: a made-up one may equal a message that another expects."""
    with known_secrets.restored():
        yield


def within(seconds: float, job: Coroutine[Any, Any, T]) -> T:
    """Run *job* on an event loop of its own; raises `TimeoutError` after *seconds*."""
    return asyncio.run(asyncio.wait_for(job, seconds))
