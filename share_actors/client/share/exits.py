"""Requests of the asynchronous client by which a share or a snapshot leaves the system, and explanations."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Self, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import word
from share_actors.audit.explanation import Explanation, explain
from share_actors.client.keywords import RequestOptions
from share_actors.client.requests import Requests
from share_actors.client.share.blocking import HandlePart, blocking, blocking_request
from share_actors.client.showing import Shown
from share_actors.config import Config
from share_actors.errors import NotFound, Unavailable
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.snapshot.messages import ForgetSnapshot, UnmanageSnapshot
from share_actors.policy import caller_of, is_permitted
from share_actors.values import ShareClient, ShareUsage, Snapshot, utc_now
from share_actors.values.waiting import WaitingForThread


class AsyncShareExits(Shown, ABC):
    """The part of `AsyncShare` that does not depend on a driver's success."""

    _requests: Requests

    @abstractmethod
    async def _ask(self, command: Command, options: RequestOptions) -> Self:
        """Have *command* done, and keep the share as it is then."""

    @abstractmethod
    async def history(self) -> list[Recorded]:
        """All events of the share."""

    id: str

    async def usage(self) -> ShareUsage:
        """How much of the share is used, as its backend measures it now: `used`, `size` (bytes), `percent`.

        Raises `Refused` if the backend cannot tell, and `Unavailable` if it fails or takes too long.
        """
        usage: ShareUsage = await self._requests.ask_manager("share_usage", self.id)
        return usage

    async def clients(self) -> Sequence[ShareClient]:
        """Who is connected to the share now: address, protocol, bytes, operations, if known.

        Raises `Refused` if the backend cannot tell, and `Unavailable` if it fails or takes too long.
        """
        clients: Sequence[ShareClient] = await self._requests.ask_manager("share_clients", self.id)
        return clients

    async def unmanage(self, **options: Unpack[RequestOptions]) -> Self:
        """Remove the share from the system; its data on the backend are left in place."""
        return await self._ask(UnmanageShare(), options)

    async def unmanage_snapshot(
        self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]
    ) -> None:
        """Remove a snapshot from the system; its data on the backend are left in place."""
        await self._ask(build(UnmanageSnapshot, {"snapshot_id": id_of(snapshot)}), options)

    async def forget(self, reason: str, **options: Unpack[RequestOptions]) -> Self:
        """Remove the share with its rules and snapshots from the system, whatever its status.

        No driver is called, so that it works for a backend that is gone for good; *reason* is recorded.
        What the backend has of the share is left as it is, also the access of its clients. It can be
        managed again: `manage_share` with the same `share_id`.
        """
        return await self._ask(build(ForgetShare, {"reason": reason}), options)

    async def forget_snapshot(
        self, snapshot: Snapshot | str, reason: str, **options: Unpack[RequestOptions]
    ) -> None:
        """Remove a snapshot from the system, whatever its status; no driver is called."""
        fields = {"snapshot_id": id_of(snapshot), "reason": reason}
        await self._ask(build(ForgetSnapshot, fields), options)

    async def explain(self) -> Explanation:
        """Why the share is in its status: pending work, attempts, and what can be done now."""
        history, backends, waiting = await asyncio.gather(
            self.history(),
            configured_backends(self._requests),
            place_in_line(self._requests, self.id),
        )
        permits = permitted_operations(self._requests)
        return await asyncio.to_thread(
            explain, history, utc_now(), backends=backends, permits=permits, waiting=waiting
        )


def id_of(snapshot: Snapshot | str) -> str:
    """The id of *snapshot*, which may be the id itself."""
    return snapshot.id if isinstance(snapshot, Snapshot) else word("snapshot", snapshot)


def permitted_operations(requests: Requests) -> Callable[[str], bool]:
    """Whether the user of *requests* may do an operation on what the user's project owns."""
    return partial(is_permitted, caller=caller_of(requests.context))


async def place_in_line(requests: Requests, share_id: str) -> WaitingForThread | None:
    """Where the driver call of a share waits for a thread; None if it does not, or nothing can tell now."""
    with suppress(NotFound, Unavailable):
        place: WaitingForThread | None
        place = await requests.call_manager_once(
            "place_in_line", share_id, context=requests.context
        )
        return place
    return None


async def configured_backends(requests: Requests) -> Collection[str] | None:
    """The names of the configured backends; None if the manager cannot be asked now."""
    with suppress(Unavailable):
        config: Config = await requests.call_manager_once("config")
        return set(config.backends)
    return None


class ShareExits(HandlePart):
    """The same of `ShareHandle`."""

    unmanage = blocking_request(AsyncShareExits.unmanage)
    forget = blocking_request(AsyncShareExits.forget)
    unmanage_snapshot = blocking(AsyncShareExits.unmanage_snapshot)
    forget_snapshot = blocking(AsyncShareExits.forget_snapshot)
    usage = blocking(AsyncShareExits.usage)
    clients = blocking(AsyncShareExits.clients)
    explain = blocking(AsyncShareExits.explain)
