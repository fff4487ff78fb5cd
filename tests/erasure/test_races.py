"""A request about a subject while its key is destroyed: it is seen, or it is refused and sealed anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from share_actors.errors import LogError, Refused, Unavailable
from share_actors.events.erasing import Plan
from share_actors.events.log import Log
from share_actors.events.subjects import holds
from share_actors.events.subjects.sealing import RecordSealer
from tests.audit.conftest import HOME, Told, opened, write
from tests.erasure.conftest import Site

CLIENT = "client:10.0.0.0/8"
RULE: list[Told] = [(50, opened("r9"), "c-again")]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def planned(site: Site) -> tuple[Plan, Log]:
    """What forgetting the client means, and the log as another process of the system has it open."""
    write(site.log, "share-s1", HOME)
    plan = site.eraser().plan(CLIENT)
    assert plan.report.refused == ()
    other = site.open()
    assert other.read("share-s1")
    return plan, other


def held_up(log: Log) -> tuple[Event, Event]:
    """Have the next commit of *log* tell that it was reached, and wait until it may go on."""
    is_sealed, may_be_written = Event(), Event()

    def wait() -> None:
        is_sealed.set()
        may_be_written.wait(60)

    log.before_commit(wait)
    return is_sealed, may_be_written


def ring_of(log: Log) -> RecordSealer:
    assert log.subjects is not None
    return log.subjects


def test_what_was_sealed_before_is_waited_for_and_keeps_the_key(
    any_site: Site, threads: ThreadPoolExecutor
) -> None:
    plan, other = planned(any_site)
    is_sealed, may_be_written = held_up(other)
    writing = threads.submit(write, other, "share-s1", RULE)
    assert is_sealed.wait(60)
    destroying = threads.submit(any_site.eraser().destroy, plan)
    with pytest.raises(TimeoutError):
        destroying.result(timeout=0.3)
    may_be_written.set()

    with pytest.raises(Refused, match="its key was kept: rule r9 of share s1"):
        destroying.result()
    writing.result()
    assert any_site.log.read("share-s1")[-1].event.access_to == "10.0.0.0/8"  # type: ignore[attr-defined]
    assert ring_of(other).ring.store.closing() == {}


def test_what_is_asked_for_meanwhile_is_refused_and_not_recorded(any_site: Site) -> None:
    plan, other = planned(any_site)
    head = any_site.log.head()
    with (
        ring_of(any_site.log).holds.closed(plan.present[0], json.dumps({"kind": "client"})),
        pytest.raises(LogError, match="is being forgotten; nothing was recorded"),
    ):
        write(other, "share-s1", RULE)
    assert any_site.log.head() == head


def test_what_is_asked_for_afterwards_is_sealed_under_a_new_key_at_once(any_site: Site) -> None:
    plan, other = planned(any_site)
    any_site.eraser().destroy(plan)
    write(other, "share-s1", RULE)  # this process has not learned of it yet
    allowed = [e.event for e in any_site.log.read("share-s1") if e.event.topic == "access.allowed"]
    assert [event.access_to for event in allowed][-1] == "10.0.0.0/8"  # type: ignore[attr-defined]
    assert allowed[0].access_to.startswith("erased-")  # type: ignore[attr-defined]


def test_a_key_that_stays_in_use_is_kept(any_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MAX_WAIT_S", 0.1)
    plan, other = planned(any_site)
    _, held = ring_of(other).holds.sealed(lambda keys: keys.update(plan.present))
    with pytest.raises(Unavailable, match="the key is in use"):
        any_site.eraser().destroy(plan)
    ring_of(other).holds.release(held)
    assert any_site.log.read("share-s1")[0].envelope.user_id == "alice"
    any_site.eraser().destroy(plan)


def test_the_key_of_a_process_that_ended_is_free(any_site: Site) -> None:
    plan, other = planned(any_site)
    ring_of(other).holds.sealed(lambda keys: keys.update(plan.present))
    other.close()
    any_site.eraser().destroy(plan)
    assert ring_of(any_site.log).ring.is_forgotten(plan.present[0])


def test_a_cancelled_caller_does_not_free_the_key(any_site: Site) -> None:
    plan, other = planned(any_site)
    is_sealed, may_be_written = held_up(other)

    async def cancel() -> bool:
        writing = asyncio.create_task(append(other))
        await asyncio.to_thread(is_sealed.wait, 60)
        writing.cancel()
        await asyncio.wait([writing])
        is_free = ring_of(any_site.log).holds.is_abandoned(plan.present[0])
        may_be_written.set()
        return is_free

    assert not asyncio.run(cancel())


async def append(log: Log) -> None:
    """Append the rule's event."""
    last = log.read("share-s1")[-1]
    await log.append("share-s1", last.version, [(last.envelope, RULE[0][1])])
