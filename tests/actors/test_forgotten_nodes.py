"""A node that will not come back is forgotten, and its backend is moved to another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from share_actors import sentence
from share_actors.actors.manager import backend_verbs
from share_actors.actors.messaging.messages import unpack_error
from share_actors.actors.ports import Probe
from share_actors.config import Config
from share_actors.errors import Moved, NotFound, Refused, Unavailable
from share_actors.events.preflight import moved_backends
from share_actors.events.share.ensure import ShareEnsured
from share_actors.events.share.messages import ExtendShare
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem
from tests.actors.in_process import tell
from tests.actors.test_lost_nodes import down, two_backends, with_far_share
from tests.conftest import within
from tests.waiting import until_async

LIMIT_S = 50.0


@asynccontextmanager
async def with_forgotten_node(home: Path) -> AsyncIterator[tuple[InProcessSystem, str]]:
    """The node `rack` of backend `far` is forgotten; the node `cellar` has a resource of that name."""
    async with with_far_share(home) as (running, share_id):
        running.cluster.add_node("cellar", "cellar")
        await running.nodes.forget("rack", "it burned")
        await until_async(lambda: knows_node(running, "cellar"))
        yield running, share_id


async def knows_node(running: InProcessSystem, name: str) -> bool:
    return any(node["name"] == name and node["alive"] for node in await running.nodes.list())


async def extended(running: InProcessSystem, share_id: str, size: int) -> bool:
    try:
        return (await (await running.share(share_id)).extend(size)).size == size
    except Unavailable:
        return False


async def told(running: InProcessSystem) -> list[str]:
    """What was recorded of nodes, and of the backend `far`."""
    recorded = [*await running.nodes.history(), *await running.backends.history("far")]
    return [sentence(each) for each in recorded]


def test_a_node_that_is_alive_is_not_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            with pytest.raises(Refused, match=r"node rack .* is alive: only a lost node"):
                await running.nodes.forget("rack", "it burned")
            with pytest.raises(NotFound, match="no node is called 'attic'"):
                await running.nodes.forget("attic", "it burned")

    within(LIMIT_S, scenario())


def test_a_forgotten_node_is_recorded_with_its_backends_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, share_id):
            forgotten = await running.nodes.forget("rack", "it burned")
            again = await running.nodes.forget("rack", "really")

            assert (forgotten["name"], forgotten["backends"]) == ("rack", ["far"])
            assert again == forgotten
            expected = "forgot node rack (127.0.0.1), which will not come back; pinned to it: far: it burned"
            assert sum(expected in text for text in await told(running)) == 1
            with pytest.raises(
                Unavailable, match=r"its node rack .* was forgotten: `backend move`"
            ):
                await (await running.share(share_id)).extend(2)

    within(LIMIT_S, scenario())


def test_a_backend_is_not_moved_from_a_node_that_may_come_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_far_share(tmp_path) as (running, _):
            running.cluster.add_node("cellar", "cellar")
            with pytest.raises(Refused, match=r"may come back. If it will not: `node forget rack`"):
                await running.backends.move("far", "cellar")

    within(LIMIT_S, scenario())


def test_the_shares_of_a_moved_backend_answer_from_its_new_node(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, share_id):
            moved = await running.backends.move("far", "cellar", reason="it burned")

            assert (moved["former"], moved["node"], moved["configured"]) == (
                "rack",
                "cellar",
                "rack",
            )
            assert (await (await running.share(share_id)).extend(2)).size == 2
            assert running.cluster.host_of(share_id).node == "cellar"
            assert await until_async(lambda: up(running, "far"))
            backend = (await running.status())["manager"]["backends"]["far"]
            assert (backend["node"], backend["configured_node"]) == ("cellar", "rack")
            assert any(
                "moved backend far; it is pinned to cellar" in t for t in await told(running)
            )

    within(LIMIT_S, scenario())


async def up(running: InProcessSystem, backend: str) -> bool:
    return (await running.status())["manager"]["backends"][backend]["status"] == "up"


def test_every_share_of_a_moved_backend_is_ensured_on_its_new_node(tmp_path: Path) -> None:
    """So its stream grows, and an activation that is left on the old node can't write any more."""

    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, share_id):
            await running.backends.move("far", "cellar")

            assert await until_async(lambda: ensured(running, share_id))

    within(LIMIT_S, scenario())


def test_an_activation_that_is_left_on_the_old_node_can_not_act(tmp_path: Path) -> None:
    """The node is cut off, and its process goes on: its next write is a conflict, before any driver call."""

    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            old = running.cluster.host_of(share.id)
            old.cut_off()
            await running.cluster.lose_node("rack")
            running.cluster.add_node("cellar", "cellar")
            await until_async(lambda: down(running, "far"))
            await running.nodes.forget("rack", "it burned")
            await running.backends.move("far", "cellar")
            await until_async(lambda: ensured(running, share.id))

            [reply] = await old.inner.submit([tell(share.id, ExtendShare(size=9))])

            assert reply.error is not None
            assert isinstance(unpack_error(reply.error), Moved)
            assert (await share.refresh()).size == 1

    within(LIMIT_S, scenario())


async def ensured(running: InProcessSystem, share_id: str) -> bool:
    history = await (await running.share(share_id)).history()
    return any(isinstance(each.event, ShareEnsured) for each in history)


def test_a_move_outlives_the_manager(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, share_id):
            await running.backends.move("far", "cellar")
            await running.kill_manager()

            assert await until_async(lambda: extended(running, share_id, 2))
            assert running.cluster.host_of(share_id).node == "cellar"

    within(LIMIT_S, scenario())


def test_a_backend_whose_driver_fails_on_the_new_node_is_not_moved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, _):
            with pytest.raises(Unavailable, match="no node with the resource attic can be used"):
                await running.backends.move("far", "attic")
            (tmp_path / "far").rename(tmp_path / "gone")
            (tmp_path / "far").write_text("no directory")
            with pytest.raises(Unavailable, match="backend 'far' is not ready"):
                await running.backends.move("far", "cellar")

            assert not any("moved backend" in text for text in await told(running))

    within(LIMIT_S, scenario())


def test_a_backend_whose_shares_are_not_on_the_new_node_is_not_moved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, _):
            (tmp_path / "far").rename(tmp_path / "gone")
            with pytest.raises(Refused, match="does not have 1 of 1 shares on a node with cellar"):
                await running.backends.move("far", "cellar")

    within(LIMIT_S, scenario())


def test_a_backend_whose_node_falls_silent_during_the_checks_is_not_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            cluster, probe = running.cluster, running.cluster.probe
            cluster.add_node("cellar", "cellar")

            async def lost_meanwhile(*args: Any) -> Probe:
                await cluster.lose_node("rack")
                return await probe(*args)

            monkeypatch.setattr(cluster, "probe", lost_meanwhile)
            with pytest.raises(Refused, match="may come back"):
                await running.backends.move("far", "cellar")
            backends = (await running.status())["manager"]["backends"]
            assert backends["far"]["node"] == "rack"

    within(LIMIT_S, scenario())


def test_of_two_moves_at_once_the_second_begins_where_the_first_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            names = ("cellar", "attic")
            for name in names:
                running.cluster.add_node(name, name)

            moves = await asyncio.gather(*(running.backends.move("far", name) for name in names))

            formers = {moved["former"]: moved["node"] for moved in moves}
            last = formers[formers["rack"]]
            backend = (await running.status())["manager"]["backends"]["far"]
            assert backend["node"] == last

    within(LIMIT_S, scenario())


def test_a_backend_that_is_not_pinned_is_not_moved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            with pytest.raises(Refused, match="'here' is not pinned"):
                await running.backends.move("here", "rack")

    within(LIMIT_S, scenario())


def test_a_backend_moves_between_living_nodes_with_its_shares(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            running.cluster.add_node("cellar", "cellar")
            share = await running.create_share(size=1, backend="far")
            await until_async(lambda: knows_node(running, "cellar"))
            await running.backends.move("far", "cellar")

            assert await until_async(lambda: hosted_on(running, share.id, "cellar"))
            assert (await share.extend(2)).size == 2
            assert await until_async(lambda: without_host_on(running, "rack"))

    within(LIMIT_S, scenario())


async def hosted_on(running: InProcessSystem, share_id: str, node: str) -> bool:
    await (await running.share(share_id)).refresh()
    try:
        return running.cluster.host_of(share_id).node == node
    except LookupError:  # it is just leaving a host
        return False


def without_host_on(running: InProcessSystem, node: str) -> bool:
    return all(host.node != node for host in running.cluster.running.values())


def test_a_forgotten_node_that_is_back_is_not_used_until_it_is_accepted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, share_id):
            running.cluster.return_node("rack")
            refused = r"its node rack .* is back, but was forgotten: `node accept`"
            await until_async(lambda: knows_node(running, "rack"))
            with pytest.raises(Unavailable, match=refused):
                await (await running.share(share_id)).extend(2)
            assert await down(running, "far")
            assert without_host_on(running, "rack-2")

            await running.nodes.accept("rack")

            assert await until_async(lambda: extended(running, share_id, 2))
            assert await until_async(lambda: up(running, "far"))

    within(LIMIT_S, scenario())


def test_a_configuration_that_names_another_node_ends_a_move(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_forgotten_node(tmp_path) as (running, share_id):
            await running.backends.move("far", "cellar")
            await running.backends.reload(pinned_to(running, "cellar"))

            assert await extended(running, share_id, 2)
            assert any("the configuration says cellar" in text for text in await told(running))

    within(LIMIT_S, scenario())


def pinned_to(running: InProcessSystem, node: str | None) -> Config:
    """The configuration, with `far` pinned to *node*."""
    old = running.cluster.config
    far = old.backends["far"].model_copy(update={"node": node})
    return old.model_copy(update={"backends": {**old.backends, "far": far}})


def test_a_reload_that_pins_a_backend_elsewhere_moves_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            running.cluster.add_node("cellar", "cellar")
            await until_async(lambda: knows_node(running, "cellar"))
            await running.backends.reload(pinned_to(running, "cellar"))

            assert await until_async(lambda: hosted_on(running, share.id, "cellar"))
            assert running.cluster.stats_actors["far"].on_node == "cellar"
            assert any("pins backend far to cellar" in text for text in await of_far(running))

    within(LIMIT_S, scenario())


async def of_far(running: InProcessSystem) -> list[str]:
    """What was recorded of the backend `far`."""
    return [sentence(each) for each in await running.backends.history("far")]


def test_an_activation_that_is_left_where_the_configuration_pinned_it_can_not_act(
    tmp_path: Path,
) -> None:
    """Its node is cut off, and the configuration names another one: all shares are ensured there."""

    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            old = running.cluster.host_of(share.id)
            old.cut_off()
            await running.cluster.lose_node("rack")
            running.cluster.add_node("cellar", "cellar")
            await until_async(lambda: down(running, "far"))
            await running.backends.reload(pinned_to(running, "cellar"))
            assert await until_async(lambda: ensured(running, share.id))

            [reply] = await old.inner.submit([tell(share.id, ExtendShare(size=9))])

            assert reply.error is not None
            assert isinstance(unpack_error(reply.error), Moved)
            assert (await share.refresh()).size == 1

    within(LIMIT_S, scenario())


def test_a_reload_whose_pins_can_not_be_recorded_in_time_records_them_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            share = await running.create_share(size=1, backend="far")
            running.cluster.add_node("cellar", "cellar")
            await until_async(lambda: knows_node(running, "cellar"))
            monkeypatch.setattr(backend_verbs, "READ_S", 0.0)
            await running.backends.reload(pinned_to(running, "cellar"))

            assert await until_async(lambda: ensured(running, share.id))

    within(LIMIT_S, scenario())


class HeldRead:
    """Holds the next answer of the catalog about the entity at *address*, after it was read."""

    def __init__(self, running: InProcessSystem, address: str) -> None:
        self._catalog, self._address = running.cluster.catalog, address
        self._ask = self._catalog.ask
        self.began, self.released = asyncio.Event(), asyncio.Event()

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """See `CatalogPort`."""
        answer = await self._ask(query, **parameters)
        if (query, parameters.get("address")) == ("entity", self._address):
            self.began.set()
            await self.released.wait()
        return answer


@pytest.mark.parametrize("address", ["backend:far", "cluster:nodes"])
def test_what_is_recorded_while_a_reload_reads_stays_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            await running.create_share(size=1, backend="far")
            running.cluster.add_node("cellar", "cellar")
            await until_async(lambda: knows_node(running, "cellar"))
            held = HeldRead(running, address)
            monkeypatch.setattr(running.cluster.catalog, "ask", held.ask)
            config = running.cluster.config
            reloading = asyncio.ensure_future(running.backends.reload(config))
            await held.began.wait()

            await running.backends.move("far", "cellar")
            await running.nodes.drain("rack", wait=False)
            held.released.set()
            await reloading

            gold = (await running.status())["manager"]["backends"]["far"]
            assert (gold["node"], gold["configured_node"]) == ("cellar", "rack")
            nodes = await running.nodes.list()
            assert [node["name"] for node in nodes if node["drained"]] == ["rack"]

    within(LIMIT_S, scenario())


def test_a_manager_that_was_lost_with_the_node_knows_from_the_log_which_one_it_was(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with system(two_backends(tmp_path)) as running:
            await running.create_share(size=1, backend="far")

            async def recorded() -> bool:
                try:
                    return bool(await running.nodes.history())
                except NotFound:
                    return False

            await until_async(recorded)
            running.cluster.find_manager().kill()
            await running.cluster.lose_node("rack")
            running.cluster.start_manager().manager.start_by_itself()

            async def forgotten() -> bool:
                try:
                    return (await running.nodes.forget("rack", "it burned"))["backends"] == ["far"]
                except (NotFound, Unavailable):
                    return False

            assert await until_async(forgotten)

    within(LIMIT_S, scenario())


def test_a_check_of_the_configuration_tells_of_a_move_until_it_agrees(tmp_path: Path) -> None:
    config = two_backends(tmp_path)

    async def scenario() -> None:
        async with system(config, durable=True) as running:
            running.cluster.add_node("cellar", "cellar")
            await running.backends.move("far", "cellar")

    within(LIMIT_S, scenario())

    assert moved_backends(config) == {"far": "cellar"}
    agreed = config.backends["far"].model_copy(update={"node": "cellar"})
    backends = {**config.backends, "far": agreed}
    assert moved_backends(config.model_copy(update={"backends": backends})) == {}


def test_a_move_is_in_force_when_the_system_is_started_anew(tmp_path: Path) -> None:
    config = two_backends(tmp_path)

    async def scenario() -> None:
        async with system(config, durable=True) as running:
            running.cluster.add_node("cellar", "cellar")
            share = await running.create_share(size=1, backend="far")
            await running.backends.move("far", "cellar")
        async with system(config, durable=True) as anew:
            anew.cluster.add_node("cellar", "cellar")

            assert await until_async(lambda: extended(anew, share.id, 2))
            assert anew.cluster.host_of(share.id).node == "cellar"

    within(LIMIT_S, scenario())
