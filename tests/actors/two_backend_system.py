"""A manager in this process with one backend of each mode, and helpers to send it requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.messages import CommandReply, Sender, unpack_error
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.events.decider import Command
from share_actors.events.log import OpenLog
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare
from share_actors.events.share_network import CreateShareNetwork
from share_actors.values import Share, ShareNetwork, ShareServer, nest_spec
from tests.actors.in_process import WHO, DummyCluster, in_memory, managed, tell

T = TypeVar("T")
NET = "net"


def settings(home: Path, *, servers: dict[str, Any] | None = None, **plain: Any) -> Config:
    """`plain` and `served`, dummy backends without and with share servers; their options."""
    common = {"driver": "dummy", "backoff_s": 0.01, "max_backoff_s": 0.05}
    return Config(
        home=home,
        backends={
            "plain": {**common, "options": {"directory": str(home / "plain"), **plain}},
            "served": {
                **common,
                "driver_handles_share_servers": True,
                "options": {"directory": str(home / "served"), **(servers or {})},
            },
        },
    )


class TwoBackendSystem:
    """Sends requests to the manager and waits for their outcomes."""

    def __init__(self, manager: ManagerActor, cluster: DummyCluster, config: Config) -> None:
        self.manager, self.cluster, self.config = manager, cluster, config
        self.plain = DummyBackend(config.home / "plain")
        self.served = DummyBackend(config.home / "served")

    async def ask(
        self,
        address: str,
        command: Command,
        *,
        command_id: str = "",
        repeated: bool = False,
        sender: Sender = WHO,
    ) -> CommandReply:
        """Send *command*; returns its outcome, or raises the error of its refusal."""
        message = tell(address, command, command_id=command_id, sender=sender)
        message = message._replace(repeated=repeated)
        [reply] = await self.manager.submit([message])
        while reply.status == "accepted":
            outcomes = await self.manager.wait([(reply.share_id, reply.command_id)], 5.0)
            reply = outcomes[0] if outcomes else reply
        if reply.error is not None:
            raise unpack_error(reply.error)
        return reply

    async def create(self, share_id: str = "", **fields: Any) -> Share:
        """Create a share, which must succeed."""
        reply = await self.create_reply(share_id, **fields)
        assert reply.status == "done", reply
        assert reply.view is not None
        return Share.model_validate_json(reply.view)

    async def create_reply(self, share_id: str = "", **fields: Any) -> CommandReply:
        new_id = share_id or uuid4().hex
        spec = {"size": 1, "host": "", "project_id": "demo", "user_id": "alice", **fields}
        return await self.ask(new_id, CreateShare(**nest_spec({"share_id": new_id, **spec})))

    async def network(self, network_id: str = NET, cidr: str = "10.0.0.0/28") -> None:
        command = CreateShareNetwork(
            network_id=network_id, cidr=cidr, project_id="demo", user_id="alice"
        )
        await self.ask(f"{NETWORK}{network_id}", command)

    async def view_network(self, network_id: str = NET) -> ShareNetwork:
        network: ShareNetwork = await self.manager.view(f"{NETWORK}{network_id}")
        return network

    async def server(self, server_id: str | None) -> ShareServer:
        server: ShareServer = await self.manager.view(f"{SERVER}{server_id}")
        return server

    async def share(self, share_id: str) -> Share:
        share: Share = await self.manager.view(share_id)
        return share

    async def servers(self, status: str | None = None) -> list[ShareServer]:
        page = await self.cluster.catalog.ask("entities", kind="share_server", status=status)
        return list(page.items)


@asynccontextmanager
async def running_system(
    config: Config, open_log: OpenLog = in_memory
) -> AsyncIterator[TwoBackendSystem]:
    async with managed(config, open_log) as (manager, cluster):
        await manager.ready()
        yield TwoBackendSystem(manager, cluster, config)


def manage(share_id: str, size: int) -> ManageShare:
    who = {"project_id": "demo", "user_id": "alice"}
    fields = {"share_id": share_id, "host": "plain", "driver_options": {"size": size}, **who}
    return ManageShare(**nest_spec(fields))


async def with_options(system: TwoBackendSystem, **options: Any) -> None:
    """Give the backend `plain` other options."""
    await system.manager.reload(settings(system.config.home, **options))


def replaced_manager(system: TwoBackendSystem) -> Any:
    """Another manager, which has to learn everything from the log and from the backends."""
    system.cluster.find_manager().kill()
    system.manager = system.cluster.start_manager().manager
    return system.manager


def nothing_left(system: TwoBackendSystem) -> bool:
    return not (system.served.shares() or system.served.servers() or system.served.networks())


async def servers_gone(system: TwoBackendSystem) -> bool:
    return [s.status for s in await system.servers("deleted")] == ["deleted"]
