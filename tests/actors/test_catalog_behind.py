"""A catalog far behind the log: what concerns one share works at once, and lists say how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors import InvalidRequest, Unavailable
from share_actors.actors import catalog as catalog_actor
from share_actors.actors.catalog_follower import CatalogFollower
from share_actors.config import Config
from share_actors.errors import NotFound
from share_actors.testing import InMemoryLog, system
from share_actors.testing.in_process.system import InProcessSystem
from share_actors.values import AsOf, RequestContext
from tests.conftest import within
from tests.events.share_events import began, created, envelope, requested
from tests.waiting import until_async

SHARES = 30
HEAD = 3 * SHARES
BOB = RequestContext(user_id="bob", project_id="other")


class Brake:
    """Keeps the follower from applying anything until it is released."""

    def __init__(self) -> None:
        self.released = False
        self._step = CatalogFollower.step

    def step(self, follower: CatalogFollower) -> AsOf:
        return self._step(follower) if self.released else follower._catalog().as_of()


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Brake:
    """The catalog is behind if it lacks more than 10 events, and stays so until the brake is released."""
    brake = Brake()
    monkeypatch.setattr(catalog_actor, "MAX_QUERY_EVENTS", 10)
    monkeypatch.setattr("share_actors.actors.catalog_follower.MAX_QUERY_EVENTS", 10)

    def step(follower: CatalogFollower) -> AsOf:
        return brake.step(follower)

    monkeypatch.setattr(CatalogFollower, "step", step)
    return brake


@pytest.fixture
def log() -> Iterator[InMemoryLog]:
    """A log of shares on the backend `dummy`, each with three events."""
    log = InMemoryLog()

    async def append() -> None:
        for n in range(SHARES):
            events = requested(f"s{n}", name=f"n{n}", host="dummy#pool"), began("create"), created()
            await log.append(f"share-s{n}", 0, [(envelope(f"c{n}"), event) for event in events])

    asyncio.run(append())
    yield log
    log.close()


@asynccontextmanager
async def cold(log: InMemoryLog, home: Path) -> AsyncIterator[InProcessSystem]:
    """A system on *log* whose catalog has nothing of it."""
    dummy: dict[str, Any] = {"driver": "dummy", "options": {"directory": str(home / "dummy")}}
    async with system(Config(home=home, backends={"dummy": dummy}), log=log) as running:
        yield running


@pytest.mark.usefixtures("brake")
def test_shares_are_created_opened_and_shown_while_the_catalog_has_nothing(
    log: InMemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            share = await running.create_share(size=1, name="new")
            await share.allow_access("alice")

            assert (await running._requests.view("s7")).name == "n7"
            assert (await running.cluster.catalog.ask("share", share_id=share.id)).access_rules
            assert await running.cluster.catalog.ask("has_command", share_id="s7", command_id="c7")
            assert not await running.cluster.catalog.ask(
                "has_command", share_id="s7", command_id="c8"
            )
            assert (await running.status())["catalog"]["applied"] == 0

    within(60, scenario())


@pytest.mark.usefixtures("brake")
def test_lists_and_counts_say_how_far_they_are(log: InMemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            page, counts = await running.shares(), await running.count_shares()
            networks = await running.networks.list()

            assert (page.items, dict(counts), networks.items) == ((), {}, ())
            for as_of in (page.as_of, counts.as_of, networks.as_of):
                assert as_of is not None
                assert as_of.applied == 0
                assert as_of.head >= HEAD

    within(60, scenario())


def test_a_list_that_waits_is_whole(brake: Brake, log: InMemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            waiting = asyncio.ensure_future(running.shares(wait=True))
            counting = asyncio.ensure_future(running.count_shares(wait=60))
            assert (await running.shares()).as_of is not None
            brake.released = True

            page, counts = await waiting, await counting
            assert (len(page.items), page.as_of) == (SHARES, None)
            assert (counts, counts.as_of) == ({"available": SHARES}, None)

            async def complete() -> bool:
                return (await running.status())["catalog"]["behind"] == 0

            assert await until_async(complete)

    within(60, scenario())


@pytest.mark.usefixtures("brake")
def test_a_list_that_waits_too_long_says_how_far_the_catalog_is(
    log: InMemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            with pytest.raises(Unavailable, match=r"shares: needs .*: 0 of 9"):
                await running.shares(wait=0.2)

    within(60, scenario())


@pytest.mark.parametrize("wait", ["5", -1, float("nan"), None, []])
def test_an_invalid_wait_is_refused(tmp_path: Path, wait: Any) -> None:
    async def scenario() -> None:
        async with system() as running:
            for listing in (running.shares, running.count_shares, running.networks.list):
                with pytest.raises(InvalidRequest, match=r"^wait: ") as error:
                    await listing(wait=wait)
                assert error.value.field == "wait"

    within(60, scenario())


def test_what_needs_all_of_the_log_waits_for_it(
    brake: Brake, log: InMemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            named = asyncio.ensure_future(running.share("n7"))
            assert (await running.shares()).as_of is not None
            assert not named.done()
            brake.released = True

            assert (await named).id == "s7"

    within(60, scenario())


@pytest.mark.usefixtures("brake")
def test_what_needs_all_of_the_log_is_unavailable_if_that_takes_too_long(
    log: InMemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_actor, "WHOLE_WAIT_S", 0.1)

    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            for query, parameters in (("copies", {"share_id": "s1"}), ("shares", {})):
                with pytest.raises(Unavailable, match=f"{query}: needs the whole catalog"):
                    await running.cluster.catalog.ask(query, **parameters)

    within(60, scenario())


@pytest.mark.usefixtures("brake")
def test_a_share_of_another_project_stays_hidden(log: InMemoryLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            with pytest.raises(NotFound):
                await running.as_user(BOB).history("s7")
            assert await running.cluster.catalog.ask_as(BOB, "share", share_id="s7") is None

    within(60, scenario())


def test_a_rebuild_answers_other_queries_meanwhile(
    brake: Brake, log: InMemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            rebuilding = asyncio.ensure_future(running.rebuild_catalog())
            while await running.rebuild_progress() is None:
                await asyncio.sleep(0.01)
            assert (await running.cluster.catalog.ask("share", share_id="s7")).name == "n7"
            brake.released = True

            assert await rebuilding >= HEAD
            assert await running.count_shares() == {"available": SHARES}

    within(60, scenario())


def test_what_was_promised_counts_once_the_catalog_has_caught_up(
    brake: Brake, log: InMemoryLog, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cold(log, tmp_path) as running:
            new = await running.create_share(size=2)
            ledger = running.cluster.find_manager().manager._scheduler.ledger
            hosts = {"dummy#pool", new.seen.host}
            provisioned = sum(ledger.room(host).provisioned for host in hosts)
            assert (ledger.is_whole, provisioned) == (False, 2)
            brake.released = True
            while not ledger.is_whole:
                await asyncio.sleep(0.01)

            assert sum(ledger.room(host).provisioned for host in hosts) == SHARES + 2

    within(60, scenario())
