"""Systems in this process with a dummy backend, and commands as clients send them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from share_actors.actors.hosting.timings import HostTimings, SupervisorTimings
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.messaging.messages import CommandMessage, Sender, command_message
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.events.attempts import AttemptStarted
from share_actors.events.decider import Command, Event
from share_actors.events.envelope import Recorded
from share_actors.events.log import Log, OpenLog
from share_actors.events.log.memory import LogMemory
from share_actors.events.share.messages import CreateShare
from share_actors.testing import InMemoryLog
from share_actors.testing.in_process.cluster import InProcessCluster
from share_actors.testing.in_process.manager import InProcessManager
from share_actors.values import RequestContext, Share, nest_spec

WHO = Sender.of(RequestContext(user_id="alice", project_id="demo", is_admin=True))

FAST = ManagerTimings(
    silence_check_s=0.1,
    ensure_check_s=0.1,
    due_check_s=0.1,
    supervisor=SupervisorTimings(report_every_s=0.05),
)
STATS_RETRY_S = 0.1


def config(home: Path, *, hosting: dict[str, Any] | None = None, **options: Any) -> Config:
    """One backend, `dummy`, with these options; it keeps its state in `home`."""
    dummy = {"driver": "dummy", "backoff_s": 0.01}
    dummy |= {"options": {"directory": str(home / "dummy"), **options}}
    return Config(home=home, backends={"dummy": dummy}, hosting=hosting or {})


def create(share_id: str, *, wait: bool = True, **fields: Any) -> CommandMessage:
    fields = {"size": 1, "host": "dummy", "project_id": "demo", "user_id": "alice", **fields}
    return tell(share_id, CreateShare(**nest_spec({"share_id": share_id, **fields})), wait=wait)


def tell(
    share_id: str,
    command: Command,
    *,
    wait: bool = True,
    command_id: str = "",
    sender: Sender = WHO,
) -> CommandMessage:
    """*command* as clients send it; a creation comes from the project of the share."""
    if isinstance(command, CreateShare):
        sender = Sender.of(RequestContext(user_id="alice", project_id=command.spec.project_id))
    return command_message(share_id, command, sender, command_id or uuid4().hex, wait=wait)


@lru_cache(maxsize=4)
def _memory(home: Path) -> LogMemory:
    """The events of all systems that a test runs in *home*, one after another."""
    return LogMemory()


def in_memory(config: Config, nodes: int = 1) -> Log:
    """An `OpenLog`: in memory, the same events for the same home."""
    return InMemoryLog(config.log, memory=_memory(config.home))


class DummyCluster(InProcessCluster):
    """A cluster whose backend `dummy` tests look at."""

    def __init__(
        self,
        config: Config,
        open_log: OpenLog = in_memory,
        timings: ManagerTimings = FAST,
        host_timings: HostTimings | None = None,
    ) -> None:
        super().__init__(
            config,
            open_log,
            timings=timings,
            stats_retry_s=STATS_RETRY_S,
            host_timings=host_timings,
        )
        self.backend = DummyBackend(config.home / "dummy")

    async def status(self, share_id: str) -> str:
        """The share's status in the catalog, `absent` if it is not there."""
        share: Share | None = await self.catalog.ask("share", share_id=share_id)
        return "absent" if share is None else share.status

    async def history(self, address: str) -> list[Recorded]:
        """All that was recorded of an entity; raises `NotFound`."""
        recorded: list[Recorded] = await self.catalog.call("history", address)
        return recorded

    def events(self, share_id: str) -> list[Event]:
        """All events of a share."""
        with closing(in_memory(self.config)) as log:
            return [recorded.event for recorded in log.read(f"share-{share_id}")]


@asynccontextmanager
async def managed(
    config: Config, open_log: OpenLog = in_memory, timings: ManagerTimings = FAST
) -> AsyncIterator[tuple[InProcessManager, DummyCluster]]:
    """A manager and its cluster; all of it is stopped at the end."""
    cluster = DummyCluster(config, open_log, timings)
    manager = cluster.start_manager().manager
    try:
        yield manager, cluster
    finally:
        manager.abandon()
        await cluster.close()


ONE = {"min_actors": 1, "max_actors": 1}
TWO = {"min_actors": 2, "max_actors": 2}
SHORT_WAIT = replace(FAST, supervisor=replace(FAST.supervisor, max_wait_s=0.3))


async def available(cluster: DummyCluster, *share_ids: str) -> None:
    """Return once these shares are recorded as available."""
    for share_id in share_ids:
        while await cluster.status(share_id) != "available":
            await asyncio.sleep(0.02)


def attempts(cluster: DummyCluster, share_id: str) -> list[int]:
    events = cluster.events(share_id)
    return [event.n for event in events if isinstance(event, AttemptStarted)]
