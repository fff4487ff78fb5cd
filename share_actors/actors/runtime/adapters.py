"""The ports of `actors/ports.py`, implemented on Ray actor handles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.messaging.retries import MAX_WAIT_S, with_retries
from share_actors.actors.ports import CallUnderWay, HostLost, HostReport
from share_actors.actors.runtime.calls import call, call_by, call_with_retries, from_ray
from share_actors.actors.runtime.names import CATALOG, MANAGER, Handle, find_actor
from share_actors.actors.runtime.trace_gate import TraceGate
from share_actors.config import Config
from share_actors.drivers.abilities import BackendObject
from share_actors.errors import Unavailable
from share_actors.events.catalog.figures import Figures
from share_actors.observability.counts import Sample
from share_actors.policy import Caller
from share_actors.values import (
    BackendReport,
    RequestContext,
    RoomTaken,
    Share,
    ShareClient,
    Snapshot,
)
from share_actors.values.waiting import WaitingForThread
from share_actors.versions import OWN

T = TypeVar("T")
END_S, END_POLL_S = 10.0, 0.02
"""How long the end of a killed actor is waited for, and how often it is looked at."""


class RayHost:
    """A `Host` that is a Ray actor."""

    def __init__(self, name: str, handle: Handle) -> None:
        self._name, self._handle = name, handle
        self._gate = TraceGate(self.versions)

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]:
        """Have each command decided and recorded; replies in order."""
        messages = await self._gate.passed(messages)
        return await self._call(self._handle.submit.remote(messages))

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """Have each command decided and recorded; the replies that come first."""
        messages = await self._gate.passed(messages)
        return await self._call(self._handle.begin.remote(messages))

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch; raises `Unavailable` if it is unknown."""
        return await self._call(self._handle.more.remote(rest))

    async def wait(
        self,
        pairs: Sequence[tuple[str, str]],
        timeout_s: float,
        caller: Caller | None = None,
        /,
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (entity id, command id) that have ended."""
        return await self._call(self._handle.wait.remote(pairs, timeout_s, caller))

    async def wake(self, entity_ids: Sequence[str], /) -> dict[str, str]:
        """Activate these entities; the reasons of those that cannot be, by id."""
        return await self._call(self._handle.wake.remote(entity_ids))

    async def view(self, entity_id: str, /) -> Any:
        """The entity as clients see it; raises `NotFound`."""
        return await self._call(self._handle.view.remote(entity_id))

    async def report(self) -> HostReport:
        """The state of the host."""
        return await self._call(self._handle.report.remote())

    async def versions(self) -> Mapping[str, Any]:
        """What it tells of its version; nothing if its actor was created by an earlier version."""
        if not hasattr(self._handle, "versions"):
            return {}
        return await self._call(self._handle.versions.remote())

    async def passivated(self, leaving: Sequence[str], /) -> Sequence[str]:
        """Entities passivated since the last call, and those of *leaving* that are not active."""
        return await self._call(self._handle.passivated.remote(leaving))

    async def resident(self) -> Mapping[str, int]:
        """The versions of all active entities, by id."""
        return await self._call(self._handle.resident.remote())

    async def drop(self, entity_ids: Sequence[str], /) -> None:
        """End the activations of these entities, which have their home elsewhere."""
        await self._call(self._handle.drop.remote(entity_ids))

    async def metrics(self, name: str, /) -> Sequence[Sample]:
        """What the host has counted."""
        return await self._call(self._handle.metrics.remote(name))

    async def under_way(self) -> Sequence[CallUnderWay]:
        """The driver calls that are under way."""
        return await self._call(self._handle.under_way.remote())

    async def place_in_line(self, entity_id: str, /) -> WaitingForThread | None:
        """Where the driver call of an entity waits for a thread; None if none does."""
        return await self._call(self._handle.place_in_line.remote(entity_id))

    async def stop(self, timeout_s: float | None = None, /) -> Sequence[CallUnderWay]:
        """Accept no more commands, let driver calls end, and close the log."""
        return await self._call(self._handle.stop.remote(timeout_s))

    async def reconfigure(self, config: Config, /) -> None:
        """Use *config* from now on."""
        await self._call(self._handle.reconfigure.remote(config))

    async def leave(self) -> Sequence[str]:
        """Take in no more entities and end what is not at work; what is left."""
        if not hasattr(self._handle, "leave"):  # the actor of an earlier version has no such method
            return ()
        return await self._call(self._handle.leave.remote())

    async def drain(self) -> None:
        """Return once every command submitted so far has its reply."""
        await self._call(self._handle.drain.remote())

    async def restart(self) -> None:
        """Kill its process; Ray starts it again, without entities."""
        ray.kill(self._handle, no_restart=False)

    async def _call(self, pending: Awaitable[T]) -> T:
        try:
            return await pending
        except RayTaskError as error:
            raise from_ray(error) from None
        except RayError as error:
            self._gate.forget()
            raise HostLost(self._name, str(error)) from error


class RayManager:
    """The manager for the other actors of the system; looked up by name again when a call fails."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._handle: Handle | None = None
        self._gate = TraceGate(lambda: self._call("hello", OWN.told()))

    def connected(self) -> RayManager:
        """Look the manager up if necessary, and return self; raises `Unavailable` if there is none."""
        if self._handle is None:
            self._handle = find_actor(MANAGER, self._namespace)
        return self

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]:
        """Route each command to its entity; replies in order."""
        messages = await self._gate.passed(messages)
        replies: list[CommandReply] = await self._call("submit", messages)
        return replies

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (entity id, command id) that have ended."""
        replies: list[CommandReply] = await self._call("wait", pairs, timeout_s)
        return replies

    async def view(self, address: str, /) -> Any:
        """The entity at *address*; raises `NotFound`."""
        return await self._call("view", address)

    async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
        """What shares take of *backend*, which is measured now."""
        taken: dict[str, RoomTaken] = await self._call("begin_measurement", backend)
        return taken

    async def publish(self, report: BackendReport, /) -> None:
        """Send a backend's report to the manager."""
        await self._call("publish", report)

    async def _call(self, method: str, *args: Any) -> Any:
        try:
            return await call(getattr(self._handle, method).remote(*args))
        except Unavailable:
            self._handle = None
            self._gate.forget()
            raise


class RayStats:
    """A `Stats` that is a Ray actor."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def follow(self) -> int:
        """Start the periodic reports; returns the process id."""
        return int(await call(self._handle.follow.remote()))

    async def latest(self) -> BackendReport | None:
        """The latest report; None before the first."""
        report: BackendReport | None = await call(self._handle.latest.remote())
        return report

    async def publish_now(self) -> BackendReport:
        """Read the backend's statistics now, and publish the report."""
        report: BackendReport = await call(self._handle.publish_now.remote())
        return report

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        """What managing *share* with these options would adopt; raises `Refused`."""
        properties: dict[str, Any] = await call(
            self._handle.preview.remote(share, dict(driver_options))
        )
        return properties

    async def usage(self, shares: Sequence[Share], /) -> dict[str, int]:
        """The bytes that each of *shares* uses, by id; raises `Refused` if the driver cannot measure it."""
        used: dict[str, int] = await call(self._handle.usage.remote(list(shares)))
        return used

    async def clients(self, share: Share, /) -> list[ShareClient]:
        """Who is connected to *share* now; raises `Refused` if the driver cannot tell."""
        clients: list[ShareClient] = await call(self._handle.clients.remote(share))
        return clients

    async def start_backend(self) -> BackendReport:
        """Start what serves the backend, and publish a report; raises `Refused` if nothing does."""
        report: BackendReport = await call(self._handle.start_backend.remote())
        return report

    async def stop_backend(self, user: str, /) -> BackendReport:
        """Stop what serves the backend, for *user*, and publish a report; `Refused` if nothing does."""
        report: BackendReport = await call(self._handle.stop_backend.remote(user))
        return report

    async def missing(self, shares: Sequence[Share], /) -> list[str]:
        """The ids of those of *shares* that the driver does not find on the backend."""
        missing: list[str] = await call(self._handle.missing.remote(list(shares)))
        return missing

    async def objects(self) -> list[BackendObject]:
        """What the driver lists on the backend; raises `Refused` if it cannot."""
        objects: list[BackendObject] = await call(self._handle.objects.remote())
        return objects

    async def check_manage(
        self, item: Share | Snapshot, driver_options: Mapping[str, Any], /
    ) -> None:
        """Raise `Refused` if *item* could never be managed with these options."""
        await call(self._handle.check_manage.remote(item, dict(driver_options)))

    async def reconfigure(self, config: Config, /) -> None:
        """Use *config* from now on."""
        await call(self._handle.reconfigure.remote(config))

    async def versions(self) -> Mapping[str, Any]:
        """What it tells of its version; nothing if its actor was created by an earlier version."""
        if not hasattr(self._handle, "versions"):
            return {}
        told: Mapping[str, Any] = await call(self._handle.versions.remote())
        return told

    async def node(self) -> str:
        """The id of the node that it runs on."""
        return str(await call(self._handle.node.remote()))

    async def leave(self) -> None:
        """Stop what serves the backend on this node; raises `Unavailable` if that fails."""
        await call(self._handle.leave.remote())

    async def end(self) -> None:
        """Stop the actor, and kill its process; it has ended on return, unless that takes `END_S`."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(END_S):  # its node may be lost
                await call(self._handle.stop.remote())
        ray.kill(self._handle, no_restart=True)
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(END_S):
                while True:  # Ray kills it a moment later
                    await self.latest()
                    await asyncio.sleep(END_POLL_S)


class RayProbe:
    """A `Probe` that is a Ray actor."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def check(self, shares: Sequence[Share], /) -> list[str]:
        """The ids of those of *shares* that the driver does not find; raises `Unavailable`."""
        missing: list[str] = await call(self._handle.check.remote(list(shares)))
        return missing

    async def end(self) -> None:
        """Kill it."""
        ray.kill(self._handle, no_restart=True)


class RayCatalog:
    """A `CatalogPort` that is a Ray actor, looked up by name at the first call.

    *explain* may replace an `Unavailable`.
    """

    def __init__(
        self, namespace: str, explain: Callable[[Unavailable], Unavailable] | None = None
    ) -> None:
        self._namespace, self._explain = namespace, explain
        self._handle: Handle | None = None

    def connected(self) -> RayCatalog:
        """Look the catalog up if necessary, and return self; raises `Unavailable` if there is none."""
        if self._handle is None:
            self._handle = find_actor(CATALOG, self._namespace)
        return self

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's *query*; raises `InvalidRequest` if it is unknown."""
        return await self.call("ask", query, **parameters)

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The same for the caller in *context*, who sees what it may read."""
        return await self.call("ask_as", context, query, **parameters)

    async def figures(self) -> Figures:
        """The size of the log, how far the catalog is, and the numbers of shares."""
        figures: Figures = await self.call("figures")
        return figures

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call any method of `CatalogActor`; they may be repeated, so a restarting actor is called again."""
        limit_s = None if method in ("rebuild", "forget_subject") else MAX_WAIT_S
        if (explain := self._explain) is None:
            return await call_with_retries(lambda: self._called(method, args, kwargs), limit_s)
        return await with_retries(
            lambda: call_by(lambda: self._called(method, args, kwargs), explain), limit_s
        )

    def _called(self, method: str, args: Any, kwargs: Any) -> Any:
        return getattr(self.connected()._handle, method).remote(*args, **kwargs)
