"""A slow backend keeps its own threads busy; what waits for one is counted, and others do not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors import Config, testing
from share_actors.cli.commands.system_status import print_status
from share_actors.cli.output import Output
from share_actors.drivers.dummy import DummyDriver
from share_actors.testing import SyncInProcessSystem
from share_actors.values import ExportLocation, RequestContext, Share

THREADS, SLOW = 2, 40
MAX_WAIT_S = 60.0


class HeldDriver(DummyDriver):
    """A driver whose creations wait until the test releases them."""

    released: ClassVar[threading.Event]

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        self.released.wait()
        return list(super().create_share(context, share, share_server))


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    HeldDriver.released = threading.Event()
    backends: dict[str, Any] = {
        name: {"driver": driver, "threads": THREADS, "options": {"directory": str(tmp_path / name)}}
        for name, driver in (("fast", "dummy"), ("held", "held"))
    }
    config = Config(hosting={"min_actors": 1, "max_actors": 1}, backends=backends)
    with testing.sync_system(config, drivers={"held": HeldDriver}) as running:
        try:
            yield running
        finally:
            HeldDriver.released.set()


def waiting(system: SyncInProcessSystem) -> dict[str, int]:
    [actor] = system.status()["manager"]["actors"]
    return actor.get("waiting_for_thread", {})


def wait_until_waiting(system: SyncInProcessSystem, expected: dict[str, int]) -> None:
    until = time.monotonic() + MAX_WAIT_S
    while waiting(system) != expected and time.monotonic() < until:
        time.sleep(0.05)
    assert waiting(system) == expected


def test_calls_of_a_slow_backend_wait_in_a_line_of_their_own(system: SyncInProcessSystem) -> None:
    slow = system.create_shares([{"size": 1, "backend": "held"}] * SLOW, wait=False)
    wait_until_waiting(system, {"held": SLOW - THREADS})

    fast = list(system.bulk.create_shares([{"size": 1, "backend": "fast"}] * 20))

    assert [result.ok for result in fast] == [True] * 20
    assert system.count_shares(backend="held") == {"creating": SLOW}
    HeldDriver.released.set()
    wait_until_waiting(system, {})
    until = time.monotonic() + MAX_WAIT_S
    while system.count_shares(backend="held") != {"available": SLOW} and time.monotonic() < until:
        time.sleep(0.05)
    assert system.count_shares(backend="held") == {"available": SLOW}
    assert len(slow) == SLOW


def test_the_status_tells_what_waits_for_a_thread(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    system.create_shares([{"size": 1, "backend": "held"}] * SLOW, wait=False)
    wait_until_waiting(system, {"held": SLOW - THREADS})

    told = {**system.status(), "address": "here", "log": {"kind": "sqlite", "where": "a file"}}
    print_status(Output(), told)

    assert f"Waiting for a driver thread: {SLOW - THREADS} calls of backend held" in (
        capsys.readouterr().out
    )
