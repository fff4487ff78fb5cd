"""A log for tests of one entity, a scripted driver, and a system with one backend of each mode."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.effects import driver_setup
from share_actors.config import Config
from share_actors.events.log import Log
from share_actors.testing import InMemoryLog
from tests.actors.scripted_driver import Scripted
from tests.actors.two_backend_system import TwoBackendSystem, running_system, settings

Scenario = Callable[[TwoBackendSystem], Coroutine[Any, Any, None]]


@pytest.fixture
def log() -> Iterator[Log]:
    with closing(InMemoryLog()) as log:
        yield log


@pytest.fixture
def run_scenario(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system; options are those of the backend without share servers."""

    def run(scenario: Scenario, config: Config | None = None, **options: Any) -> None:
        async def main() -> None:
            system_config = config or settings(tmp_path, **options)
            async with running_system(system_config) as system, asyncio.timeout(60):
                await scenario(system)

        asyncio.run(main())

    return run


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The results of the driver of the backend `main`, by method."""
    results: dict[str, Any] = {}
    monkeypatch.setattr(driver_setup, "make_driver", lambda *args, **_: Scripted(results))
    return results


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario in a system; options are those of the backend that handles servers."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with (
                running_system(settings(tmp_path, servers=options)) as system,
                asyncio.timeout(40),
            ):
                await scenario(system)

        asyncio.run(main())

    return run
