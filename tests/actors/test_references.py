"""What a request names is looked up before anything is recorded, and stays while it is in use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from share_actors.config import Config
from share_actors.drivers.dummy.driver import DummyDriver
from share_actors.errors import InvalidRequest, NotFound, Refused, ShareActorsError
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem

Scenario = Callable[[InProcessSystem], Awaitable[None]]
COPY, RED = (str(uuid4()) for _ in range(2))
OPEN = threading.Event()
"""Lets the copies of snapshots go on."""


class GatedDriver(DummyDriver):
    """A dummy backend whose copies of snapshots wait for `OPEN`."""

    def create_share_from_snapshot(self, *args: Any) -> Any:
        OPEN.wait(30)
        return super().create_share_from_snapshot(*args)


@pytest.fixture(autouse=True)
def _open() -> Iterator[None]:
    OPEN.set()
    yield
    OPEN.set()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario on two backends without share servers and one with them."""

    def backend(name: str, **options: Any) -> dict[str, Any]:
        directory = str(tmp_path / name)
        settings = {"driver": "gated", "backoff_s": 0.01, "max_attempts": 2}
        return {**settings, "options": {"directory": directory, **options}}

    def run(scenario: Scenario, faults: dict[str, Any] | None = None, **config: Any) -> None:
        served = {**backend("t", **(faults or {})), "driver_handles_share_servers": True}
        backends = {"a": backend("a"), "b": backend("b"), "t": served}

        async def main() -> None:
            settings = Config(home=tmp_path, backends=backends, **config)
            async with system(settings, drivers={"gated": GatedDriver}) as running:
                await asyncio.wait_for(scenario(running), 60)

        asyncio.run(main())

    return run


async def refused(call: Awaitable[Any], kind: type[ShareActorsError], field: str) -> str:
    """The message of the error, which names *field*."""
    with pytest.raises(kind) as raised:
        await call
    assert raised.value.field == field
    return raised.value.message


async def is_not_recorded(running: InProcessSystem, share_id: str) -> None:
    with pytest.raises(NotFound):
        await running.history(share_id)


# -- snapshots -----------------------------------------------------------------------------------
def test_a_share_from_a_snapshot_has_its_type_protocol_and_pool(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.types.create("vip", {"driver_handles_share_servers": "False"})
        await running.types.create("std", {"driver_handles_share_servers": "False"})
        parent = await running.create_share(size=1, backend="b", share_type="vip", protocol="CIFS")
        snapshot = await parent.create_snapshot()
        copy = await running.create_share(size=2, snapshot_id=snapshot.id)
        seen = copy.seen
        assert (seen.host, seen.share_type, seen.share_proto) == ("b#b", "vip", "CIFS")

    play(scenario, default_backend="a", scheduler={"default_share_type": "std"})


def test_a_share_from_a_snapshot_of_a_share_without_a_type_has_none(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        parent = await running.create_share(size=1, backend="a")
        await running.types.create("std", {"driver_handles_share_servers": "False"})
        snapshot = await parent.create_snapshot()
        copy = await running.create_share(size=1, snapshot_id=snapshot.id)
        assert copy.seen.share_type is None

    play(scenario)


def test_a_share_from_a_snapshot_is_on_its_network_and_server(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        network = await running.networks.create(cidr="10.0.0.0/24")
        parent = await running.create_share(size=1, share_network_id=network.id)
        snapshot = await parent.create_snapshot()
        copy = await running.create_share(size=1, snapshot_id=snapshot.id)
        assert copy.seen.share_network_id == network.id
        assert copy.seen.share_server_id == parent.seen.share_server_id

    play(scenario)


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"protocol": "NFS"}, "protocol"),
        ({"share_proto": "NFS"}, "protocol"),
        ({"share_type": "std"}, "share_type"),
        ({"share_network_id": RED}, "share_network_id"),
        ({"backend": "a"}, "backend"),
        ({"host": "a#a"}, "backend"),
        ({"size": 1}, "size"),
    ],
)
def test_a_request_that_contradicts_its_snapshot_is_not_recorded(
    play: Any, named: dict[str, Any], field: str
) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.networks.create(cidr="10.0.0.0/24", network_id=RED)
        parent = await running.create_share(size=2, backend="b", protocol="CIFS")
        snapshot = await parent.create_snapshot()
        asked = {"size": 2, "share_id": COPY, "snapshot_id": snapshot.id, **named}
        message = await refused(running.create_share(**asked), InvalidRequest, field)
        assert snapshot.id in message
        await is_not_recorded(running, COPY)

    play(scenario)


def test_a_snapshot_that_cannot_be_used_is_refused_by_its_state(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        parent = await running.create_share(size=1, backend="a")
        gone = await parent.create_snapshot()
        await parent.delete_snapshot(gone.id)
        for snapshot_id in (COPY, gone.id):
            call = running.create_share(size=1, snapshot_id=snapshot_id, share_id=COPY)
            assert snapshot_id in await refused(call, NotFound, "snapshot_id")
        await is_not_recorded(running, COPY)

    play(scenario)


def test_a_snapshot_in_error_is_refused_by_its_state(tmp_path: Path, play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        network = await running.networks.create(cidr="10.0.0.0/24")
        parent = await running.create_share(size=1, share_network_id=network.id)
        with pytest.raises(ShareActorsError):
            await parent.create_snapshot()
        [broken] = (await running.share(parent.id)).seen.snapshots
        call = running.create_share(size=1, snapshot_id=broken.id, share_id=COPY)
        assert f"{broken.id} is error" in await refused(call, Refused, "snapshot_id")
        await is_not_recorded(running, COPY)

    play(scenario, faults={"fail": {"create_snapshot": "no space"}})


def test_a_snapshot_is_not_removed_while_a_share_is_created_from_it(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        parent = await running.create_share(size=1, backend="a")
        snapshot = await parent.create_snapshot()
        OPEN.clear()
        copy = await running.create_share(size=1, snapshot_id=snapshot.id, wait=False)

        for call, field in (
            (parent.delete_snapshot(snapshot.id), "snapshot_id"),
            (parent.unmanage_snapshot(snapshot.id), "snapshot_id"),
            (parent.delete(cascade=True), "id"),
        ):
            assert copy.id in await refused(call, Refused, field)
        await is_kept(running, parent.id, snapshot.id)

        OPEN.set()
        assert copy.receipt is not None
        await running.wait(copy.receipt)
        await parent.delete(cascade=True)

    play(scenario)


async def is_kept(running: InProcessSystem, share_id: str, snapshot_id: str) -> None:
    share = (await running.share(share_id)).seen
    assert share.status == "available"
    assert [s.status for s in share.snapshots if s.id == snapshot_id] == ["available"]


def test_a_deletion_of_what_is_created_frees_the_snapshot(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        parent = await running.create_share(size=1, backend="a")
        snapshot = await parent.create_snapshot()
        OPEN.clear()
        copy = await running.create_share(size=1, snapshot_id=snapshot.id, wait=False)
        deletion = asyncio.ensure_future(copy.delete())
        OPEN.set()
        await deletion
        await parent.delete_snapshot(snapshot.id)

    play(scenario)


def test_a_repeated_creation_has_its_first_reply_after_the_snapshot_is_gone(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        parent = await running.create_share(size=1, backend="a", protocol="CIFS")
        snapshot = await parent.create_snapshot()
        asked: dict[str, Any] = {"size": 1, "snapshot_id": snapshot.id, "command_id": "c1"}
        first = await running.create_share(**asked)
        await parent.delete_snapshot(snapshot.id)
        again = await running.create_share(**asked)
        assert (again.id, again.seen.share_proto) == (first.id, "CIFS")

    play(scenario)


# -- share networks ------------------------------------------------------------------------------
def test_a_share_on_a_network_that_is_not_there_is_not_recorded(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.networks.create(cidr="10.0.0.0/24", network_id=RED)
        await running.networks.delete(RED)
        for network_id, said in ((COPY, f"no share network {COPY}"), (RED, f"{RED} is deleted")):
            call = running.create_share(size=1, share_network_id=network_id, share_id=COPY)
            assert said in await refused(call, NotFound, "share_network_id")
        await is_not_recorded(running, COPY)

    play(scenario)


def test_a_network_is_not_deleted_while_a_share_in_error_is_on_it(play: Any) -> None:
    async def scenario(running: InProcessSystem) -> None:
        network = await running.networks.create(cidr="10.0.0.0/24")
        with pytest.raises(ShareActorsError):
            await running.create_share(size=1, share_network_id=network.id, share_id=COPY)
        assert COPY in await refused(running.networks.delete(network.id), Refused, "id")

        await (await running.share(COPY)).delete()
        await running.networks.delete(network.id)
        assert (await running.networks.get(network.id)).status == "deleted"

    play(scenario, faults={"fail": {"setup_server": "no memory"}})
