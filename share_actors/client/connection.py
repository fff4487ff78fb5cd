"""The port by which a client reaches a system: on Ray, or in this process (`share_actors.testing`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from share_actors.actors.catalog_progress import incomplete
from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.messaging.parameters import seconds
from share_actors.actors.messaging.retries import MAX_WAIT_S
from share_actors.actors.runtime.manager_handle import ManagerHandle
from share_actors.actors.runtime.remote_calls import CallsHandle
from share_actors.values import RequestContext, Share

POLL_S = 10.0
"""How long one call to the catalog waits for it to catch up."""


class CatalogConnection(Protocol):
    """The catalog's actor. Calls are repeated while it is being restarted; then `Unavailable`."""

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*; raises `InvalidRequest`."""

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """The result of any method of `CatalogActor`."""


class HostConnection(Protocol):
    """One host, which a client calls itself; every method raises `Unavailable` if it can't be reached."""

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """See `ShareHost.begin_here`."""

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch."""

    async def wait_here(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: RequestContext, /
    ) -> list[CommandReply]:
        """See `ShareHost.wait_here`."""

    async def view_here(self, share_id: str, context: RequestContext, /) -> Share:
        """See `ShareHost.view_here`; raises `NotFound` or `Moved`."""


class CallerCatalog:
    """The catalog's actor, called on behalf of one user: it answers with what that user may read."""

    def __init__(self, catalog: CatalogConnection, context: RequestContext) -> None:
        self._catalog, self._context = catalog, context

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*; raises `InvalidRequest`, or `Forbidden`."""
        return await self._catalog.call("ask_as", self._context, query, **parameters)

    async def listed(self, query: str, /, *, wait: bool | float = False, **filters: Any) -> Any:
        """A page or a count; see `PageOptions` for *wait*. Raises `Unavailable` if that is not enough."""
        until = time.monotonic() + _wait_s(wait)
        found = await self.ask(query, **filters)
        while found.as_of is not None and wait:
            progress = await self.call("complete", min(POLL_S, until - time.monotonic()))
            if time.monotonic() >= until:
                raise incomplete(query, progress)
            found = await self.ask(query, **filters)
        return found

    async def call(self, method: str, *args: Any) -> Any:
        """The result of another method of `CatalogActor`; raises `Forbidden`."""
        return await self._catalog.call(method, *args, context=self._context)


def _wait_s(wait: object) -> float:
    """How long to wait for the catalog; raises `InvalidRequest`."""
    return MAX_WAIT_S * wait if isinstance(wait, bool) else seconds("wait", wait)


class Connection(Protocol):
    """The manager and the catalog of one system."""

    @property
    def manager(self) -> ManagerHandle:
        """The Ray actor handle of the manager."""

    @property
    def catalog(self) -> CatalogConnection:
        """The catalog's actor."""

    async def host(self, name: str) -> HostConnection:
        """The host of this name; raises `Unavailable` if there is none."""

    async def call_manager(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of one call of the manager; raises its errors.

        Raises `Unavailable` if it cannot be reached, with the detail `passing` while it is being restarted.
        """

    async def start_calls(self) -> CallsHandle:
        """The Ray actor handle of the system's `ShareCalls`, started unless it runs; raises `Unavailable`."""

    async def stop_system(self, timeout_s: float) -> list[dict[str, Any]]:
        """Stop the system, which belongs to this connection; returns the driver calls that were cut off."""
