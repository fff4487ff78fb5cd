"""`kill -9` of any process: acknowledged requests reach their outcome once, and calls continue."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from uuid import uuid4

import pytest

from share_actors.client import ShareHandle
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import TimedOut
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill, made

IN_FLIGHT = 50
_names = count(1)

Kill = Callable[[Site], None]


@pytest.fixture(scope="module")
def site(new_sites: NewSite) -> Site:
    """Two share actors and a backend whose calls take 0.3 s."""
    site = new_sites(hosting={"min_actors": 2, "max_actors": 2})
    options = {"directory": str(site.backend.directory), "delay_s": 0.3}
    site.config = site.config.model_copy(
        update={
            "backends": {
                "dummy": site.config.backends["dummy"].model_copy(update={"options": options})
            }
        }
    )
    return site


@pytest.fixture(autouse=True)
def whole(site: Site) -> Iterator[None]:
    """After each test, backend, catalog and log agree and no status is transitional."""
    yield
    listed = site.settled()
    alive = {s.id: s for s in site.replayed().values() if s.status != "deleted"}
    assert listed == alive
    available = {s.id: s.size for s in listed.values() if s.status == "available"}
    assert {i: held["size"] for i, held in site.backend.shares().items()} == available


def kill_share_actors(site: Site) -> None:
    for pid in site.share_actor_pids():
        kill(pid)


def kill_one_share_actor(site: Site) -> None:
    kill(site.share_actor_pids()[0])


def kill_manager(site: Site) -> None:
    kill(site.manager_pid())


def kill_catalog(site: Site) -> None:
    kill(site.catalog_pid())


def kill_everything(site: Site) -> None:
    for pid in [*site.share_actor_pids(), site.manager_pid(), site.catalog_pid()]:
        kill(pid)


def kill_share_actors_and_manager(site: Site) -> None:
    for pid in [*site.share_actor_pids(), site.manager_pid()]:
        kill(pid)


kills = pytest.mark.parametrize(
    "kill_some",
    [
        kill_one_share_actor,
        kill_share_actors,
        kill_manager,
        kill_catalog,
        kill_share_actors_and_manager,
        kill_everything,
    ],
)


def begin(site: Site, n: int = IN_FLIGHT) -> tuple[str, list[ShareHandle]]:
    """Request *n* shares under one name; their creation is recorded and in progress."""
    name = f"{uuid4().hex}"
    asked = [{"size": 1, "name": name, "command_id": f"{name}-{i}"} for i in range(n)]
    return name, [made(share) for share in site.system.create_shares(asked, wait=False)]


def created_once(backend: DummyBackend, share: ShareHandle) -> bool:
    """Whether each attempt at the share's creation was made once."""
    attempts = [call.attempt for call in backend.calls("create_share", share.id)]
    return attempts == sorted(set(attempts))


# -- idle ------------------------------------------------------------------------------------------
def test_a_suspended_manager_delays_no_call_beyond_its_timeout(site: Site) -> None:
    manager, command_id = site.manager_pid(), uuid4().hex
    os.kill(manager, signal.SIGSTOP)
    try:
        with pytest.raises(TimedOut, match="it is unknown whether") as caught:
            site.system.create_share(size=1, timeout=1.0, command_id=command_id)
    finally:
        os.kill(manager, signal.SIGCONT)

    assert caught.value.details["command_id"] == command_id
    assert site.system.create_share(size=1, command_id=command_id).status == "available"
    eventually(
        lambda: len(site.backend.calls("create_share", caught.value.details["share_id"])) == 1
    )


def test_a_suspended_share_actor_is_replaced_and_writes_nothing_when_it_resumes(
    new_site: NewSite,
) -> None:
    site = new_site(hosting={"min_actors": 2, "max_actors": 2, "unresponsive_s": 2.0})
    share = site.system.create_share(size=1)
    pid = int(site.system.where(share.id)["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        assert share.extend(2).size == 2
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    assert share.extend(3).size == 3
    assert int(site.system.where(share.id)["pid"]) != pid
    assert [call.token for call in site.backend.calls("extend_share", share.id)] == sorted(
        {call.token for call in site.backend.calls("extend_share", share.id)},
        key=lambda token: int(token.rpartition(":")[2]),
    )


@kills
def test_the_next_call_after_a_kill_works(site: Site, kill_some: Kill) -> None:
    share = site.system.create_share(size=1)

    kill_some(site)

    assert share.extend(2).size == 2
    assert site.system.create_share(size=1).status == "available"
    assert site.system.share(share.id).refresh().seen == share.seen


@kills
def test_a_command_is_remembered_through_a_kill(site: Site, kill_some: Kill) -> None:
    asked = {"size": 1, "command_id": uuid4().hex}
    (first,) = site.system.create_shares([asked])

    kill_some(site)
    (again,) = site.system.create_shares([asked])

    assert made(first).id == made(again).id
    assert len(site.backend.calls("create_share", made(first).id)) == 1


def test_lists_work_immediately_after_a_kill_of_the_catalog(site: Site) -> None:
    share = site.system.create_share(size=1, name=uuid4().hex)

    kill_catalog(site)

    assert [s.id for s in site.system.shares(name=share.name).items] == [share.id]
    assert site.system.share(str(share.name)).id == share.id


# -- a revert --------------------------------------------------------------------------------------
def test_a_share_whose_actor_is_killed_during_a_revert_ends_reverted(site: Site) -> None:
    share = site.system.create_share(size=1)
    snapshot = share.create_snapshot("before")
    share.revert_to(snapshot, wait=False)
    eventually(lambda: len(site.backend.calls("revert_to_snapshot", share.id)) == 1)

    kill(int(site.system.where(share.id)["pid"]))

    assert share.receipt is not None
    assert site.system.wait(share.receipt).status == "done"
    assert site.backend.share(share.id)["reverted_to"] == snapshot.id
    assert share.refresh().status == "available"
    assert [s.status for s in share.snapshots] == ["available"]
    attempts = [call.attempt for call in site.backend.calls("revert_to_snapshot", share.id)]
    assert attempts == sorted(set(attempts))


# -- in flight -------------------------------------------------------------------------------------
@kills
def test_requests_acknowledged_before_a_kill_are_done_after_it(site: Site, kill_some: Kill) -> None:
    name, shares = begin(site)

    kill_some(site)

    for share in shares:
        assert share.receipt is not None
        assert site.system.wait(share.receipt).status == "done"
    assert site.system.count_shares(name=name) == {"available": IN_FLIGHT}
    assert all(created_once(site.backend, share) for share in shares)


@kills
def test_acknowledged_requests_are_done_after_a_kill_without_another_call(
    site: Site, kill_some: Kill
) -> None:
    _, shares = begin(site)

    kill_some(site)

    eventually(lambda: {share.id for share in shares} <= site.backend.shares().keys())


@kills
def test_a_client_that_waits_through_a_kill_gets_the_outcome(site: Site, kill_some: Kill) -> None:
    pids = site.share_actor_pids()
    name = uuid4().hex
    with ThreadPoolExecutor(1) as thread:
        asked = [{"size": 1, "name": name}] * IN_FLIGHT
        waiting = thread.submit(site.system.create_shares, asked)
        eventually(lambda: len(site.backend.calls("create_share")) > 5 or None)
        assert pids

        kill_some(site)

        shares = [made(share) for share in waiting.result()]
    assert {share.status for share in shares} == {"available"}
    assert site.system.count_shares(name=name) == {"available": IN_FLIGHT}


def test_deletions_in_progress_are_done_after_a_kill(site: Site) -> None:
    _, shares = begin(site, 20)
    deletions = []
    for share in shares:
        assert share.receipt is not None
        site.system.wait(share.receipt)
        deletions.append(share.delete(wait=False).receipt)

    kill_share_actors_and_manager(site)

    for receipt in deletions:
        assert receipt is not None
        assert site.system.wait(receipt).status == "done"
    assert not {share.id for share in shares} & site.backend.shares().keys()


def test_rules_snapshots_and_sizes_in_progress_are_done_after_a_kill(site: Site) -> None:
    share, other, third = (site.system.create_share(size=1) for _ in range(3))
    share.allow_access("bob", wait=False)
    other.create_snapshot("now", wait=False)
    third.extend(2, wait=False)

    kill_share_actors_and_manager(site)

    for handle in (share, other, third):
        assert handle.receipt is not None
        site.system.wait(handle.receipt)
    assert [rule["access_to"] for rule in site.backend.rules(share.id).values()] == ["bob"]
    assert [s.status for s in other.refresh().snapshots] == ["available"]
    assert third.refresh().size == 2
    other.delete(cascade=True)


# -- the whole system ------------------------------------------------------------------------------
def test_all_is_there_after_a_stop_and_a_start(site: Site) -> None:
    name, shares = begin(site, 20)
    before = site.settled()

    site.stop()
    assert site.actors() == []

    assert site.settled() == before
    assert site.system.count_shares(name=name) == {"available": 20}
    assert site.system.share(shares[0].id).history()[0].envelope.command_id == f"{name}-0"


def test_work_in_progress_continues_after_a_stop_and_a_start(site: Site) -> None:
    name, shares = begin(site)

    site.stop()
    system = site.system

    for share in shares:
        assert share.receipt is not None
        assert system.wait(share.receipt).status == "done"
    assert system.count_shares(name=name) == {"available": IN_FLIGHT}


def test_the_log_copied_aside_replays_to_the_same_states(site: Site) -> None:
    begin(site, 3)
    site.system.create_share(size=1).create_snapshot()
    before = site.settled()
    site.stop()

    copy = site.home / "copy.db"
    shutil.copy(site.config.log_path, copy)

    replayed = site.replayed(copy)
    assert {i: s for i, s in replayed.items() if s.status != "deleted"} == before
