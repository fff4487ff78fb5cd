"""A manager in this process with backends of both modes, and what tests ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from share_actors.actors.effects.server_attachment import NETWORK, SERVER
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.messages import CommandReply, unpack_error
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.events.decider import Command
from share_actors.events.log import OpenLog
from share_actors.events.share.messages import CreateShare
from share_actors.events.share_network import CreateShareNetwork
from share_actors.values import Share, ShareNetwork, ShareServer, nest_spec
from tests.actors.in_process import DummyCluster, in_memory, managed, tell

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
    """The system, as a test asks it: each request is awaited to its end."""

    def __init__(self, manager: ManagerActor, cluster: DummyCluster, config: Config) -> None:
        self.manager, self.cluster, self.config = manager, cluster, config
        self.plain = DummyBackend(config.home / "plain")
        self.served = DummyBackend(config.home / "served")

    async def ask(self, address: str, command: Command, *, command_id: str = "") -> CommandReply:
        """What *command* came to; raises the error that it was refused with."""
        [answer] = await self.manager.submit([tell(address, command, command_id=command_id)])
        while answer.status == "accepted":
            ended = await self.manager.wait([(answer.share_id, answer.command_id)], 5.0)
            answer = ended[0] if ended else answer
        if answer.error is not None:
            raise unpack_error(answer.error)
        return answer

    async def create(self, share_id: str = "", **fields: Any) -> Share:
        """A share, which must come to be."""
        answer = await self.try_create(share_id, **fields)
        assert answer.status == "done", answer
        assert answer.view is not None
        return Share.model_validate_json(answer.view)

    async def try_create(self, share_id: str = "", **fields: Any) -> CommandReply:
        made = share_id or uuid4().hex
        asked = {"size": 1, "host": "", "project_id": "demo", "user_id": "alice", **fields}
        return await self.ask(made, CreateShare(**nest_spec({"share_id": made, **asked})))

    async def network(self, network_id: str = NET, cidr: str = "10.0.0.0/28") -> None:
        command = CreateShareNetwork(
            network_id=network_id, cidr=cidr, project_id="demo", user_id="alice"
        )
        await self.ask(f"{NETWORK}{network_id}", command)

    async def seen_network(self, network_id: str = NET) -> ShareNetwork:
        found: ShareNetwork = await self.manager.view(f"{NETWORK}{network_id}")
        return found

    async def server(self, server_id: str | None) -> ShareServer:
        found: ShareServer = await self.manager.view(f"{SERVER}{server_id}")
        return found

    async def share(self, share_id: str) -> Share:
        found: Share = await self.manager.view(share_id)
        return found

    async def servers(self, status: str | None = None) -> list[ShareServer]:
        page = await self.cluster.catalog.ask("entities", kind="share_server", status=status)
        return list(page.items)


@asynccontextmanager
async def around(config: Config, open_log: OpenLog = in_memory) -> AsyncIterator[TwoBackendSystem]:
    async with managed(config, open_log) as (manager, cluster):
        await manager.ready()
        yield TwoBackendSystem(manager, cluster, config)


async def until(ask: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first answer of *ask* that is true."""
    async with asyncio.timeout(seconds):
        while True:
            answer = ask()
            answer = await answer if asyncio.iscoroutine(answer) else answer
            if answer:
                return answer
            await asyncio.sleep(0.02)
