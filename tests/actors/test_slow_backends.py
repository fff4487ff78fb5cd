"""A slow backend keeps its own threads busy; what waits for one is counted, and others do not wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from share_actors import Config, testing
from share_actors.cli.commands.share.listing import show_share
from share_actors.cli.commands.system.status import print_status
from share_actors.cli.output import Output
from share_actors.client.aio import AsyncShare
from share_actors.config import build
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.local import LocalDriver
from share_actors.errors import ConfigError
from share_actors.events.envelope import Recorded
from share_actors.testing import SyncInProcessSystem
from share_actors.values import ExportLocation, RequestContext, Share
from tests.acceptance.systems import made

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


def place(system: SyncInProcessSystem, share_id: str) -> int | None:
    waiting = system.share(share_id).explain().waiting_for_thread
    return None if waiting is None else waiting.place


def test_a_share_whose_call_waits_shows_its_place_in_line(system: SyncInProcessSystem) -> None:
    asked: list[dict[str, Any]] = [{"size": 1, "backend": "held"}] * 6
    ids = [made(share).id for share in system.create_shares(asked, wait=False)]
    wait_until_waiting(system, {"held": 6 - THREADS})

    places = {share_id: place(system, share_id) for share_id in ids}
    last = next(share_id for share_id in ids if places[share_id] == 4)
    told = system.share(last).explain()

    assert sorted(places.values(), key=str) == [1, 2, 3, 4, None, None]
    assert told.summary == (
        "status creating; waiting for a driver thread of backend held, place 4 of 4"
    )
    assert told.advice == (
        "Wait: its driver call has place 4 of 4 in line."
        " To let more than 2 calls run at once: `threads` of backend held.",
    )
    HeldDriver.released.set()
    wait_until_waiting(system, {})
    assert place(system, last) is None


@pytest.mark.parametrize("json_wanted", [False, True])
def test_share_show_tells_that_the_share_waits_for_a_thread(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str], json_wanted: bool
) -> None:
    asked: list[dict[str, Any]] = [{"size": 1, "backend": "held"}] * (THREADS + 1)
    ids = [made(share).id for share in system.create_shares(asked, wait=False)]
    wait_until_waiting(system, {"held": 1})
    [last] = [share_id for share_id in ids if place(system, share_id) == 1]
    session: Any = SimpleNamespace(system=system, output=Output(as_json=json_wanted))

    show_share(session, last)

    told = capsys.readouterr().out
    if json_wanted:
        waits = {"backend": "held", "place": 1, "waiting": 1, "threads": THREADS}
        assert json.loads(told)["waiting_for_thread"] == waits
    else:
        assert "Now: waiting for a driver thread of backend held, place 1 of 1" in told


def test_share_show_reads_no_history_to_tell_what_a_share_waits_for(
    system: SyncInProcessSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[dict[str, Any]] = [{"size": 1, "backend": "held"}] * (THREADS + 1)
    ids = [made(share).id for share in system.create_shares(asked, wait=False)]
    wait_until_waiting(system, {"held": 1})

    async def too_long(share: AsyncShare) -> list[Recorded]:
        raise AssertionError(f"the history of {share.id} may be long")

    monkeypatch.setattr(AsyncShare, "history", too_long)

    for share_id in ids:
        show_share(SimpleNamespace(system=system, json=False, output=Output()), share_id)

    assert capsys.readouterr().out.count("place 1 of 1") == 1


@pytest.mark.parametrize("threads", [0, 1001, -1, True, "many", 2.5])
def test_a_number_of_threads_that_cannot_be_is_refused_with_its_name(threads: object) -> None:
    with pytest.raises(ConfigError) as refused:
        build({"backends": {"slow": {"driver": "dummy", "threads": threads}}})

    assert refused.value.field == "backends.slow.threads"
    assert refused.value.value == threads


def test_drivers_of_storage_elsewhere_make_hundreds_of_calls_at_once() -> None:
    assert DummyDriver.calls_at_once == 256
    assert LocalDriver.calls_at_once == 16
