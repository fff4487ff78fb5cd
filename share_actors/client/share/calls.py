"""The Ray actor that makes the calls of `ShareActor` handles: a client of the system inside its cluster.

It is started with the first handle, and ends with the system. Concurrent calls of all programs are sent in
the same batches. Ray repeats its calls if it dies; requests are executed once, by their command ids.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Any

from share_actors.actors.messaging.retries import with_retries
from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.cluster import was_restarted
from share_actors.actors.runtime.connection import RayConnection
from share_actors.actors.runtime.head.orphans import end_with_raylet
from share_actors.actors.runtime.log_records import mask_log_records
from share_actors.client.connection import Connection
from share_actors.client.ids import FreshId
from share_actors.client.keywords import RequestOptions
from share_actors.client.receipt import raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.share.actor import ShareActor, ShareMethod
from share_actors.client.share.handle import AsyncShare
from share_actors.errors import InvalidRequest
from share_actors.events.decider import Command
from share_actors.values import RequestContext, Share

CALLERS = 1024
"""For how many callers, the latest ones, batches are kept."""
REMEMBERED_IDS = 100_000
"""How many command ids, the latest ones, are known as sent."""
METHODS = frozenset(
    member.name for member in vars(ShareActor).values() if isinstance(member, ShareMethod)
)
"""The methods of `AsyncShare` that a `ShareActor` has."""


class CalledShare(AsyncShare):
    """A share for one call: it takes from the reply what the call returns, and reads no more."""

    async def _send(self, command: Command, options: RequestOptions) -> Share | None:
        receipt = await self._requests.ask(self.id, command, **options)
        self.receipt = receipt
        raise_for_status(receipt)
        return receipt.share

    async def now(self) -> Share:
        """The share as of the reply, which is read if the reply does not have it."""
        return (self if self._last_view() is not None else await self.refresh()).seen


class ShareCalls:
    """Makes calls on behalf of any user; a plain class, which runs as a Ray actor."""

    def __init__(self, namespace: str) -> None:
        mask_log_records()
        end_with_raylet()
        self._namespace = namespace
        self._connection: Connection | None = None
        self._requests = lru_cache(maxsize=CALLERS)(self._new_requests)
        self._sent, self._latest = set[str](), deque[str]()
        self._restarted: bool | None = None

    async def call(
        self, context: RequestContext, share_id: str, method: str, /, *args: Any, **options: Any
    ) -> object:
        """The result of a method of a share; raises its error."""
        if method not in METHODS:
            raise InvalidRequest(f"a share has no method {method!r}", field="method", value=method)
        if "command_id" in options:
            options["command_id"] = self._id_of_request(options["command_id"])
        if self._connection is None:
            self._connection = await with_retries(self._connect)
        share = CalledShare(self._requests(context), share_id)
        result = await getattr(share, method)(*args, **options)
        return await share.now() if result is share else result

    def _id_of_request(self, command_id: object) -> object:
        """*command_id*, which is not fresh if the request may have been sent before."""
        if not isinstance(command_id, FreshId):
            return command_id
        if self._restarted is None:
            self._restarted = was_restarted()
        if self._restarted or command_id in self._sent:
            return str(command_id)
        self._sent.add(command_id)
        self._latest.append(command_id)
        if len(self._latest) > REMEMBERED_IDS:
            self._sent.discard(self._latest.popleft())
        return command_id

    async def _connect(self) -> Connection:
        return RayConnection(lifecycle.find_manager(self._namespace), self._namespace)

    def _new_requests(self, context: RequestContext) -> Requests:
        assert self._connection is not None
        return Requests(self._connection, context)
