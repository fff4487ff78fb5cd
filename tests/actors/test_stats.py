"""StatsActor: what backends tell, nonsense and silence among it, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.errors import ConfigError, NoValidHost, Refused, Unavailable
from share_actors.events.backend import BackendDown, BackendUp
from share_actors.values import BackendState
from tests.actors.around import InProcessSystem, around, settings, until

DemoScript = Callable[[InProcessSystem], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a story in a system; options are those of the backend without servers."""

    def run(story: DemoScript, config: Config | None = None, **options: Any) -> None:
        async def scenario() -> None:
            made = config or settings(tmp_path, **options)
            async with around(made) as system, asyncio.timeout(60):
                await system.manager._backend_reports.wait_for_backends(made.backends, 10.0)
                await story(system)

        asyncio.run(scenario())

    return run


async def state(system: InProcessSystem, backend: str = "plain") -> BackendState:
    found: BackendState = await system.manager.view(f"backend:{backend}")
    return found


async def recorded(system: InProcessSystem, status: str, backend: str = "plain") -> BackendState:
    """The backend's state, once that is so in the log."""

    async def so() -> BackendState | None:
        found: BackendState | None = await system.cluster.catalog.ask(
            "entity", address=f"backend:{backend}"
        )
        return found if found is not None and found.status == status else None

    known: BackendState = await until(so)
    return known


# -- telling -------------------------------------------------------------------------------------
def test_each_backend_tells_its_capabilities(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        told = await system.manager.capabilities()

        assert set(told) == {"plain", "served"}
        plain, served = told["plain"].capabilities, told["served"].capabilities
        assert plain is not None
        assert served is not None
        assert (plain.driver_handles_share_servers, served.driver_handles_share_servers) == (
            False,
            True,
        )
        assert [(p.name, p.total_capacity_gib) for p in plain.pools] == [("a", 30.0), ("b", 60.0)]

    play(story, pools={"a": 30, "b": 60})


def test_who_watches_hears_what_is_told_and_then_what_comes(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        news = await system.manager.watch(0, 1.0)
        assert {published.backend for published in news.items} == {"plain", "served"}
        assert (await system.manager.watch(news.number, 0.05)).items == ()

        watching = asyncio.ensure_future(system.manager.watch(news.number, 10.0))
        await system.manager.publish_service_capabilities(None, "plain")
        assert [published.backend for published in (await watching).items] == ["plain"]

    play(story)


def test_told_now_it_knows_of_shares_that_there_are_now(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.create(size=40, host="plain")
        told = (await system.manager.init_host())["plain"].capabilities

        assert told is not None
        assert (told.pools[0].free_capacity_gib, told.pools[0].allocated_capacity_gib) == (
            60.0,
            40.0,
        )

    play(story, capacity_gib=100)


def test_the_period_tells_by_itself(tmp_path: Path, play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        first = (await system.manager.capabilities())["plain"].at

        async def again() -> bool:
            return (await system.manager.capabilities())["plain"].at > first

        await until(again)

    plain = settings(tmp_path)
    often = plain.scheduler.model_copy(update={"stats_period_s": 0.1})
    play(story, plain.model_copy(update={"scheduler": often}))


# -- silence and nonsense ------------------------------------------------------------------------
def test_a_backend_that_raises_is_down_takes_no_shares_and_stops_no_other(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        status = (await system.manager.status())["backends"]
        assert (status["plain"]["status"], status["plain"]["reason"]) == ("down", "no route")
        assert status["served"]["status"] == "up"
        with pytest.raises(NoValidHost, match="plain: no route"):
            await system.create()
        await system.network()
        assert (await system.create(share_network_id="net")).status == "available"
        assert (await recorded(system, "down")).reason == "no route"

    play(story, fail={"get_share_stats": "no route"})


def test_a_backend_is_back_when_it_answers_and_the_log_tells_of_both(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        await recorded(system, "down")
        await system.manager.reload(settings(system.config.home))
        await recorded(system, "up")

        assert (await system.create()).host == "plain#plain"
        history = await system.cluster.history("backend:plain")
        kinds = [type(r.event) for r in history if isinstance(r.event, BackendUp | BackendDown)]
        assert kinds == [BackendDown, BackendUp]

    play(story, fail={"get_share_stats": "no route"})


def test_a_backend_that_hangs_is_silent(tmp_path: Path, play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        told = (await system.manager.capabilities())["plain"]
        assert told.reason is not None
        assert "0.2" in told.reason
        with pytest.raises(Unavailable, match="is not ready"):
            await system.create(host="plain")

    plain = settings(tmp_path, hang={"get_share_stats": 99}, hang_s=30)
    impatient = plain.backends["plain"].model_copy(update={"stats_timeout_s": 0.2})
    play(story, plain.model_copy(update={"backends": {**plain.backends, "plain": impatient}}))


def test_a_stats_actor_that_tells_nothing_for_long_makes_its_backend_down(
    tmp_path: Path, play: Any
) -> None:
    async def story(system: InProcessSystem) -> None:
        await system.cluster.stats_actors["plain"].inner.stop()
        assert (await recorded(system, "down")).reason == "no reports"
        told = (await system.manager.status())["backends"]["plain"]
        assert (told["status"], "no report for" in told["reason"]) == ("down", True)

    plain = settings(tmp_path)
    often = plain.scheduler.model_copy(update={"stats_period_s": 0.1})
    quick = {n: b.model_copy(update={"stats_timeout_s": 0.3}) for n, b in plain.backends.items()}
    play(story, plain.model_copy(update={"scheduler": often, "backends": quick}))


@pytest.mark.parametrize("told", [{}, [], "fine", {"pools": 7, "x": 1}, {"pools": [{"name": "p"}]}])
def test_nonsense_is_told_and_does_no_harm(play: Any, told: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        published = (await system.manager.capabilities())["plain"]
        assert published.reason is not None or published.wrong
        with pytest.raises(NoValidHost):
            await system.create()

    play(story, told=told)


def test_of_pools_with_and_without_nonsense_those_without_are_used(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        assert (await system.create()).host == "plain#good"
        wrong = (await system.manager.status())["backends"]["plain"]["wrong"]
        assert wrong == {"pools.0.free_capacity_gib": "-5 is not 0 or more"}

    bad = {"name": "bad", "total_capacity_gib": 10, "free_capacity_gib": -5}
    good = {"name": "good", "total_capacity_gib": 10, "free_capacity_gib": 10}
    play(story, told={"storage_protocols": ["NFS"], "pools": [bad, good]})


# -- exports that are out of date ----------------------------------------------------------------
def test_when_the_backends_info_changes_its_shares_are_ensured_and_their_exports_follow(
    play: Any,
) -> None:
    async def story(system: InProcessSystem) -> None:
        shares = [await system.create(host="plain") for _ in range(5)]
        before = [share.export_locations[0].path for share in shares]
        await until(lambda: _ensured(system))
        assert system.plain.calls("ensure_share") == []

        await system.manager.reload(settings(system.config.home, info={"address": "10.0.0.9"}))
        await until(lambda: _ensured(system, calls=5))

        for share, path in zip(shares, before, strict=True):
            now = await system.share(share.id)
            assert now.export_locations[0].path == path.replace("10.0.0.1", "10.0.0.9")
        await system.manager.reload(settings(system.config.home, info={"address": "10.0.0.9"}))
        assert len(system.plain.calls("ensure_share")) == 5

    play(story, info={"address": "10.0.0.1"})


async def _ensured(system: InProcessSystem, calls: int = 0) -> bool:
    known = await state(system)
    done = known.info is not None and known.info == known.ensured
    return done and len(system.plain.calls("ensure_share")) == calls


def test_a_share_that_cannot_be_ensured_stays_available_and_says_why(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        share = await system.create(host="plain")
        await until(lambda: _ensured(system))
        changed = settings(system.config.home, info={"a": "2"}, fail={"ensure_share": "lost"})
        await system.manager.reload(changed)
        await until(lambda: _ensured(system, calls=1))

        known = await system.share(share.id)
        assert (known.status, known.status_reason) == ("available", "lost")

    play(story, info={"a": "1"})


# -- going on with other settings ----------------------------------------------------------------
def test_backends_come_change_and_go_while_the_others_run_on(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        share = await system.create(host="plain")
        now = settings(system.config.home, capacity_gib=7)
        extra = now.backends["plain"].model_copy(update={"options": {"capacity_gib": 3}})
        now = now.model_copy(update={"backends": {"plain": now.backends["plain"], "extra": extra}})
        told = await system.manager.reload(now)

        assert told == {"added": ["extra"], "changed": ["plain"], "removed": ["served"]}
        await system.manager._backend_reports.wait_for_backends(["extra"], 10.0)
        assert set(await system.manager.capabilities()) == {"plain", "extra"}
        assert (await system.create(host="extra", size=3)).host == "extra#extra"
        assert (await system.share(share.id)).status == "available"

        async def smaller() -> bool:
            said = (await system.manager.capabilities())["plain"].capabilities
            return said is not None and said.pools[0].total_capacity_gib == 7

        await until(smaller)

    play(story)


def test_what_takes_a_restart_is_refused_and_nothing_changes(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        other = system.config.model_copy(update={"namespace": "other"})
        with pytest.raises(ConfigError, match="namespace: cannot change while the system runs"):
            await system.manager.reload(other)
        assert (await system.manager.config()).namespace == system.config.namespace

    play(story)


def test_a_preview_tells_what_would_be_managed_or_why_not(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        options = {"size": 4}
        assert await system.manager.preview_manage({}, options, backend="plain") == {"size": 4}
        assert system.plain.shares() == {}

    play(story)


def test_a_preview_that_fails_says_why(play: Any) -> None:
    async def story(system: InProcessSystem) -> None:
        with pytest.raises(Refused, match="nothing there"):
            await system.manager.preview_manage({}, {}, backend="plain")

    play(story, fail={"preview_manage": "nothing there"})
