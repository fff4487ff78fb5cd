"""A backend that is pinned to a node which is lost: others go on, and its callers are told at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.errors import NotFound, Unavailable
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem
from tests.conftest import within
from tests.waiting import until_async

LIMIT_S = 50.0
"""Less than a request would wait for a share actor."""
FAR = r"backend far can't be reached: its node rack \(127.0.0.1\) has been silent for \d+ s"


def two_backends(home: Path) -> Config:
    """The backend `here`, and `far`, which is pinned to the nodes with the resource `rack`."""

    def dummy(name: str) -> dict[str, Any]:
        return {"driver": "dummy", "options": {"directory": str(home / name)}}

    backends = {"here": dummy("here"), "far": {**dummy("far"), "node": "rack"}}
    return Config(home=home, backends=backends, scheduler={"stats_period_s": 1.0})


@asynccontextmanager
async def with_far_share(home: Path) -> AsyncIterator[tuple[InProcessSystem, str]]:
    """A system whose node `rack` is lost, and the id of a share there."""
    async with system(two_backends(home)) as running:
        share = await running.create_share(size=1, backend="far")
        await running.cluster.lose_node("rack")
        await until_async(lambda: down(running, "far"))
        yield running, share.id


async def down(running: InProcessSystem, backend: str) -> bool:
    status = await running.status()
    return status["manager"]["backends"][backend]["status"] == "down"


def test_requests_for_a_lost_node_are_refused_at_once_and_name_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            far = await running.share(share_id)
            for request in (far.extend(2), far.allow_access("alice")):
                with pytest.raises(Unavailable, match=FAR):
                    await request
            with pytest.raises(Unavailable, match=FAR):
                await running.backends.audit("far")

    within(LIMIT_S, scenario())


def test_a_share_on_a_lost_node_is_shown_as_the_log_has_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            far = await running.share(share_id)

            assert (await far.refresh()).status == "available"
            assert await far.history()
            with pytest.raises(NotFound):
                await running.share("5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d11")

    within(LIMIT_S, scenario())


def test_requests_for_other_backends_in_the_same_batch_are_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            far = await running.share(share_id)
            requests = [running.create_share(size=1, backend="here") for _ in range(20)]
            answers = await asyncio.gather(
                *requests, far.extend(2), far.extend(3), return_exceptions=True
            )

            assert [getattr(share, "status", None) for share in answers[:20]] == ["available"] * 20
            assert [type(answer) for answer in answers[20:]] == [Unavailable] * 2

    within(LIMIT_S, scenario())


def test_a_manager_that_starts_while_a_node_is_lost_serves_the_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            await running.kill_manager()

            share = await running.create_share(size=1)
            assert share.seen.backend == "here"
            assert await until_async(lambda: down(running, "far"))
            with pytest.raises(Unavailable, match="far can't be reached"):
                await (await running.share(share_id)).extend(2)

    within(LIMIT_S, scenario())


def test_the_status_says_what_is_on_each_node_and_since_when_it_is_silent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, _):
            status = (await running.status())["manager"]
            nodes = {node["name"]: node for node in status["nodes"]}

            assert (nodes["here"]["alive"], nodes["here"]["silent_s"]) == (True, None)
            assert (nodes["rack"]["alive"], nodes["rack"]["backends"]) == (False, ["far"])
            assert (nodes["rack"]["silent_s"] or 0) > 0
            assert "its node rack" in (status["backends"]["far"]["reason"] or "")

            async def recorded() -> bool:
                events = await running.backends.history("far")
                return any("no node with rack" in str(recorded.event) for recorded in events)

            assert await until_async(recorded)

    within(LIMIT_S, scenario())


def test_a_backend_whose_node_is_back_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            running.cluster.return_node("rack")
            far = await running.share(share_id)

            async def extended() -> bool:
                try:
                    return (await far.extend(2)).size == 2
                except Unavailable:
                    return False

            assert await until_async(extended)

    within(LIMIT_S, scenario())


def test_who_waits_for_an_outcome_on_a_lost_node_does_not_ask_again_and_again(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            began = time.monotonic()
            replies = await running.cluster.find_manager().call("wait", [(share_id, "c")], 1.0)

            assert (replies, time.monotonic() - began >= 1.0) == ([], True)

    within(LIMIT_S, scenario())


def test_a_reload_while_a_node_is_lost_starts_what_is_added(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, _):
            old = running.cluster.config
            far = old.backends["far"].model_copy(update={"max_attempts": 7})
            new = old.backends["here"].model_copy(
                update={"options": {"directory": str(tmp_path / "new")}}
            )
            config = old.model_copy(update={"backends": {**old.backends, "far": far, "new": new}})

            difference = await running.cluster.find_manager().call("reload", config)

            assert (difference["added"], difference["changed"]) == (["new"], ["far"])
            assert (await running.create_share(size=1, backend="new")).status == "available"

    within(LIMIT_S, scenario())


def test_the_reports_of_all_backends_include_that_of_a_lost_node(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, _):
            reports = await running.cluster.find_manager().call("publish_service_capabilities")

            assert reports["here"].reason is None
            assert "its node rack" in (reports["far"].reason or "")

    within(LIMIT_S, scenario())
