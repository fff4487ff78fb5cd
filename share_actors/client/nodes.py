"""The nodes of the Ray cluster: what is on each, and draining and forgetting them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from share_actors.actors.messaging.parameters import flag, seconds, word
from share_actors.client.keywords import DEFAULT_TIMEOUT_S
from share_actors.client.requests import Requests
from share_actors.client.results import (
    ForgottenNode,
    ManagerStatus,
    MarkedNode,
    NodeDrain,
    NodeStatus,
)
from share_actors.client.showing import Shown, caller_text
from share_actors.client.sync.background_loop import run
from share_actors.errors import TimedOut
from share_actors.events.cluster import ADDRESS
from share_actors.events.envelope import Recorded

POLL_S = 0.3
"""How often a drain in progress is looked at."""


class AsyncNodeCollection(Shown):
    """Nodes. Each is given by its name or the beginning of its id. For the system's administrator.

    Every method that names one raises `NotFound` if there is none, and `Ambiguous` if there are several.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def __repr__(self) -> str:
        return f"<nodes, as {caller_text(self._requests.context)}>"

    async def list(self) -> Sequence[NodeStatus]:
        """All nodes, the living ones first, and then those that were lost."""
        status: ManagerStatus = await self._requests.ask_manager("status")
        return status["nodes"]

    async def history(self) -> Sequence[Recorded]:
        """What was recorded of nodes: which ones joined, were drained or forgotten, by whom and why.

        Raises `NotFound` if nothing was.
        """
        return await self._requests.history(ADDRESS)

    async def drain(
        self,
        node: str,
        *,
        reason: str | None = None,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> NodeDrain:
        """Start no actors on a node from now on, and move those that it has; what stays, and why.

        Commands are answered meanwhile, and driver calls in progress end where they began. Without *wait*
        it returns at once, with what is still `moving`. It may be repeated. Raises `TimedOut` if something is
        still on the node after *timeout* seconds; the drain goes on.
        """
        word("node", node)
        until, wait = time.monotonic() + seconds("timeout", timeout), flag("wait", wait)
        while True:
            drained: NodeDrain = await self._requests.ask_manager("drain_node", node, reason)
            if not wait or not drained["moving"]:
                return drained
            if time.monotonic() > until:
                raise still_moving(drained, timeout)
            await asyncio.sleep(POLL_S)

    async def undrain(self, node: str) -> MarkedNode:
        """Use a drained node again; actors that have left it stay where they are."""
        marked: MarkedNode = await self._requests.ask_manager("undrain_node", node)
        return marked

    async def forget(self, node: str, reason: str) -> ForgottenNode:
        """Record that a lost node will not come back; the backends that are pinned to it can be moved then.

        Raises `Refused` while the node is alive.
        """
        forgotten: ForgottenNode = await self._requests.ask_manager("forget_node", node, reason)
        return forgotten

    async def accept(self, node: str) -> MarkedNode:
        """Use a forgotten node again, which has come back."""
        marked: MarkedNode = await self._requests.ask_manager("accept_node", node)
        return marked


def still_moving(drained: NodeDrain, timeout_s: float) -> TimedOut:
    """The error of a drain that takes longer than *timeout_s*."""
    moving, calls = drained["moving"], len(drained["under_way"])
    text = f"{', '.join(moving)} still on node {drained['name']} after {timeout_s:g} s"
    return TimedOut(
        f"{text}, with {calls} driver calls under way; the drain is recorded and goes on",
        field="node",
        value=drained["id"],
        next_step="Run `node drain` again to see how far it is, or `node undrain` to cancel it.",
        drain=dict(drained),
    )


class NodeCollection(Shown):
    """Nodes; see `AsyncNodeCollection`."""

    def __init__(self, nodes: AsyncNodeCollection) -> None:
        self._nodes = nodes

    def __repr__(self) -> str:
        return repr(self._nodes)

    def list(self) -> Sequence[NodeStatus]:
        """All nodes, the living ones first, and then those that were lost."""
        return run(self._nodes.list())

    def history(self) -> Sequence[Recorded]:
        """What was recorded of nodes: which ones joined, were drained or forgotten, by whom and why."""
        return run(self._nodes.history())

    def drain(
        self,
        node: str,
        *,
        reason: str | None = None,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> NodeDrain:
        """Start no actors on a node from now on, and move those that it has; what stays, and why."""
        return run(self._nodes.drain(node, reason=reason, wait=wait, timeout=timeout))

    def undrain(self, node: str) -> MarkedNode:
        """Use a drained node again; actors that have left it stay where they are."""
        return run(self._nodes.undrain(node))

    def forget(self, node: str, reason: str) -> ForgottenNode:
        """Record that a lost node will not come back; its backends can be moved then."""
        return run(self._nodes.forget(node, reason))

    def accept(self, node: str) -> MarkedNode:
        """Use a forgotten node again, which has come back."""
        return run(self._nodes.accept(node))
