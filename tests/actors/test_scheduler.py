"""Scheduling in the manager: decided once, counted at once, explained for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.actors.scheduling.reservations import Reservations
from share_actors.config import Config
from share_actors.errors import NotFound, NoValidHost, Refused, Unavailable
from share_actors.events.share.messages import CreateShare, DeleteShare
from share_actors.events.share.snapshot_messages import CreateSnapshot
from share_actors.events.share_type import CreateShareType
from tests.actors.around import NET, InProcessSystem, around, settings, until
from tests.actors.in_process import config as one_backend
from tests.actors.in_process import managed, tell
from tests.actors.outcomes import outcomes

DemoScript = Callable[[InProcessSystem], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a story in a system; options are those of the backend without servers."""

    def run(story: DemoScript, config: Config | None = None, **options: Any) -> None:
        async def scenario() -> None:
            made = config or settings(tmp_path, **options)
            async with around(made) as system, asyncio.timeout(60):
                await story(system)

        asyncio.run(scenario())

    return run


def typed(**specs: str) -> CreateShareType:
    return CreateShareType(
        name="gold", extra_specs={"driver_handles_share_servers": "False", **specs}
    )


# -- capacity ------------------------------------------------------------------------------------
def test_a_creation_recorded_before_its_reply_counts_once() -> None:
    class CatalogAhead:
        """A catalog that has share `a`, of which the manager has no reply yet."""

        async def ask(self, query: str, /, **parameters: Any) -> dict[str, float]:
            return {} if "a" in parameters["without"] else {"plain#plain": 10.0}

    async def scenario() -> None:
        reservations = Reservations(CatalogAhead())
        reservations.reserve("a", "plain#plain", 10)

        await reservations.refresh()
        assert reservations.provisioned("plain#plain") == 10

        reservations.mark_recorded("a")
        await reservations.refresh()
        assert reservations.provisioned("plain#plain") == 10

    asyncio.run(scenario())


def test_two_hundred_creations_at_once_never_overshoot_a_pool_of_one_hundred(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        asks = [_create(f"s{n}") for n in range(200)]
        answers = await asyncio.gather(*(system.manager.submit([asked]) for asked in asks))
        told = Counter(answer.status == "error" for [answer] in answers)

        assert told == {False: 100, True: 100}
        await until(lambda: len(system.plain.shares()) == 100)
        refusals = [unpack_error(a.error) for [a] in answers if a.error is not None]
        assert {type(error) for error in refusals} == {NoValidHost}
        assert "100 of 100 GiB are provisioned" in refusals[0].message

    play(story, capacity_gib=100)


def _create(share_id: str, size: int = 1, **fields: Any) -> Any:
    asked = {"size": size, "host": "", "project_id": "demo", "user_id": "alice", **fields}
    return tell(share_id, CreateShare(share_id=share_id, **asked))


def test_room_that_a_deletion_made_is_used_at_once(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.create("big", size=9)
        with pytest.raises(NoValidHost):
            await system.create("other", size=2)
        await asyncio.sleep(0.6)
        await system.ask("big", DeleteShare())

        assert (await system.create("other", size=2)).host == "plain#plain"

    play(story, capacity_gib=10)


def test_a_manager_that_is_replaced_forgets_no_decision(tmp_path: Path) -> None:
    settled = one_backend(tmp_path, capacity_gib=10)

    async def scenario() -> None:
        async with managed(settled) as (manager, cluster):
            await outcomes(manager, [_create(f"s{n}") for n in range(7)])
            manager.abandon()
        async with managed(settled) as (manager, cluster):
            answers = await outcomes(manager, [_create(f"t{n}") for n in range(7)])
            assert Counter(a.status for a in answers) == {"done": 3, "error": 4}
            assert len(cluster.backend.shares()) == 10

    asyncio.run(scenario())


def test_a_creation_asked_again_keeps_its_place_in_a_pool_that_is_full(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        create = _create("s1", size=10)._replace(command_id="c1")
        first = await outcomes(system.manager, [create])
        again = await outcomes(system.manager, [create._replace(repeated=True)])
        anew = await outcomes(system.manager, [_create("s1", size=10)])

        assert [a.status for a in (*first, *again, *anew)] == ["done"] * 3
        assert system.manager._scheduler.reservations.provisioned("plain#plain") == 10

    play(story, capacity_gib=10)


def test_what_is_refused_by_the_share_takes_no_room(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.create("s1", size=4)
        with pytest.raises(Refused, match="exists already"):
            await system.create("s1", size=6)

        assert (await system.create("s2", size=6)).status == "available"

    play(story, capacity_gib=10)


def test_shares_are_spread_over_pools_by_their_room(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        hosts = Counter([(await system.create(size=10)).host for _ in range(9)])
        assert hosts == {"plain#a": 3, "plain#b": 6}

    play(story, pools={"a": 30, "b": 60})


# -- what is asked for ---------------------------------------------------------------------------
def test_a_share_type_is_met_or_nothing_is(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.ask("share_type:gold", typed(flash="<is> True"))
        share = await system.create(share_type="gold")
        assert (share.host, share.share_type) == ("plain#plain", "gold")

        await system.ask("share_type:gold2", typed(flash="<is> False").replace(name="gold2"))
        with pytest.raises(NoValidHost, match="its flash is True, and must be <is> False"):
            await system.create(share_type="gold2")

    play(story, capabilities={"flash": True})


def test_a_private_type_is_there_for_its_projects_only(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        private = typed().replace(is_public=False, projects=("physics",))
        await system.ask("share_type:gold", private)

        assert (await system.create(share_type="gold", project_id="physics")).share_type == "gold"
        with pytest.raises(NotFound, match="there is no share type gold"):
            await system.create(share_type="gold", project_id="demo")
        with pytest.raises(NotFound, match="there is no share type silver"):
            await system.create(share_type="silver")

    play(story)


def test_the_default_type_is_that_of_shares_that_name_none(tmp_path: Path, play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.ask("share_type:gold", typed())
        assert (await system.create()).share_type == "gold"

    plain = settings(tmp_path)
    scheduler = plain.scheduler.model_copy(update={"default_share_type": "gold"})
    play(story, plain.model_copy(update={"scheduler": scheduler}))


def test_a_copy_goes_where_its_snapshot_is(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.create("first", size=5, host="plain#a")
        await system.ask("first", CreateSnapshot(snapshot_id="snap"))
        source = await system.cluster.catalog.ask("snapshot", snapshot_id="snap")

        assert (await system.create(size=5, source=source)).host == "plain#a"
        with pytest.raises(NoValidHost, match="the snapshot is on plain#a"):
            await system.create(size=50, source=source)

    play(story, pools={"a": 30, "b": 60})


def test_hints_keep_shares_together_or_apart(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.create("first", host="plain#a")

        assert (await system.create(same_host=("first",))).host == "plain#a"
        assert (await system.create(different_host=("first",))).host == "plain#b"
        with pytest.raises(NoValidHost, match="same_host: share nobody is on no backend"):
            await system.create(same_host=("nobody",))

    play(story, pools={"a": 30, "b": 30})


def test_a_share_on_a_network_goes_to_a_backend_with_servers(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.network()
        assert (await system.create(share_network_id=NET)).host == "served#served"
        assert (await system.create()).host == "plain#plain"
        with pytest.raises(NoValidHost, match="has no share servers"):
            await system.create(share_network_id=NET, host="plain")

    play(story)


# -- why -----------------------------------------------------------------------------------------
def test_the_event_keeps_the_verdict_of_every_filter_on_every_pool(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await until(lambda: _every_backend_reported(system))
        await system.create("s1", size=40)
        [first, *_] = await system.cluster.history("s1")
        placement = getattr(first.event, "placement", None)

        assert placement is not None
        assert {"capacity", "protocol", "capabilities", "backend"} <= set(placement.filter_names)
        verdicts = {verdict.pool: verdict for verdict in placement.pools}
        assert list(verdicts["plain#a"].refused) == ["capacity"]
        assert verdicts["plain#b"].refused == {}
        assert list(verdicts["served#served"].refused) == ["share_servers"]

    play(story, pools={"a": 30, "b": 60})


async def _every_backend_reported(system: InProcessSystem) -> bool:
    return (await system.manager.capabilities()).keys() == system.config.backends.keys()


def test_a_backend_asked_for_by_name_that_is_down_is_unavailable_with_its_reason(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        with pytest.raises(Unavailable, match="backend 'plain' is not ready: no route to it"):
            await system.create(host="plain")
        with pytest.raises(NoValidHost, match="plain: no route to it"):
            await system.create()

    play(story, fail={"get_share_stats": "no route to it"})
