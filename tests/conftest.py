"""What every test can use; only tests that ask for `cluster` may start Ray, and it starts once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="sa-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """The one Ray cluster of the whole run."""
    from share_actors.actors.runtime import lifecycle

    lifecycle.init(None, num_cpus=2)
    yield
    lifecycle.shutdown()


@pytest.fixture(autouse=True)
def _no_other_ray(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain classes are tested plainly: a cluster belongs to tests that ask for it."""
    if "cluster" in request.fixturenames:
        return
    import ray

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("this test starts a Ray cluster without the `cluster` fixture")

    monkeypatch.setattr(ray, "init", refuse)


def within(seconds: float, job: Coroutine[Any, Any, T]) -> T:
    """Run *job* on a loop of its own; a hang is a failure."""
    return asyncio.run(asyncio.wait_for(job, seconds))
