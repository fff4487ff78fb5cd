"""Sizes of shares that exist: an extension, or the retry of what failed, takes room in the share's own pool.

As in Manila, where the scheduler checks an extension, and the share type limits all sizes. What does not fit
is refused before anything is recorded.
"""

from __future__ import annotations

from typing import NamedTuple

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.placement_errors import no_room_error, not_ready_error
from share_actors.actors.scheduling.scheduler import Scheduler, perhaps_fits
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.events.share.resize import ExtendShare
from share_actors.events.share.room import ShareRoom
from share_actors.policy import is_permitted
from share_actors.scheduling.extra_specs import Operation, size_refusal
from share_actors.scheduling.filters import CAPACITY
from share_actors.scheduling.pools import PoolState, lack_of_room
from share_actors.scheduling.request import RequestSpec
from share_actors.values import PlacementRequest, ShareType


class _Lack(NamedTuple):
    """What does not fit, and the pools that it may be on: none if they are not known."""

    size: int
    spec: RequestSpec
    backend: str
    pools: list[PoolState]

    @property
    def reasons(self) -> dict[str, dict[str, str]]:
        """Why it does not fit, by pool."""
        return {p.name: {CAPACITY: lack_of_room(self.spec, p) or ""} for p in self.pools}

    @property
    def uncertain(self) -> set[str]:
        """Its backend, if it fits unless work that was under way takes the room."""
        return {pool.backend for pool in self.pools if perhaps_fits(self.spec, pool)}


class Growth:
    """Takes the room that commands need for shares that exist."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._ledger = scheduler, scheduler.ledger

    async def admit(self, message: CommandMessage, request: PlacementRequest) -> None:
        """Take the room for *message*, if it needs any; the ledger watches it.

        Raises `NoValidHost` with the reason of the pool; `Busy` or `Unavailable` if that is not final;
        `InvalidRequest` for a size that the share type excludes.
        """
        decision = Decision(message.share_id, message.command_id)
        lack = await self._take(decision, message, request)
        if lack is not None and not await self._scheduler.is_recorded(message):
            raise self._error(lack)

    async def check_shrink(self, message: CommandMessage, request: PlacementRequest) -> None:
        """Raise `InvalidRequest` if the type of the share excludes the smaller size."""
        present = await self._present(message)
        if present is not None:
            await self._check_size(message, await self._type(present), request.size)

    async def _take(
        self, decision: Decision, message: CommandMessage, request: PlacementRequest
    ) -> _Lack | None:
        """Take the room; waits for the first report of the pool, and for one that tells more."""
        number = self._scheduler.backend_reports.number
        lack = await self._try(decision, message, request)
        while lack is not None and not lack.pools:
            if not await self._scheduler.wait_for_first_report([lack.backend], number):
                return lack
            number = self._scheduler.backend_reports.number
            lack = await self._try(decision, message, request)
        if lack is not None and lack.uncertain:
            await self._scheduler.measure_again(lack.uncertain)
            lack = await self._try(decision, message, request)
        return lack

    async def _try(
        self, decision: Decision, message: CommandMessage, request: PlacementRequest
    ) -> _Lack | None:
        """Take the room if the pool has it now."""
        present = await self._present(message)
        if present is None:
            return None
        share_type = await self._type(present)
        extends = message.topic == ExtendShare.topic
        size = request.size if extends else present.after_retry
        if extends:
            await self._check_size(message, share_type, size)
        growth = self._ledger.growth(decision.share_id, size)
        spec = RequestSpec(
            share_id=decision.share_id,
            size=growth,
            share_proto="",
            share_type=share_type,
            extends=present.taken > 0,
        )
        if not growth or self._fits(spec, present):
            self._ledger.take(decision, present.host, size)
            return None
        backend = present.host.partition("#")[0]
        return _Lack(size, spec, backend, self._scheduler.pools_of(present.host))

    async def _present(self, message: CommandMessage) -> ShareRoom | None:
        """The share, by a reading of the ledger that has all that is recorded; None if its actor refuses."""
        await self._ledger.read()
        present = self._ledger.present(message.share_id)
        if present is None or not is_permitted(message.topic, message.caller, present.owner):
            return None
        return present

    async def _type(self, present: ShareRoom) -> ShareType | None:
        name = present.share_type
        return None if name is None else await self._scheduler.any_share_type(name)

    async def _check_size(
        self, message: CommandMessage, share_type: ShareType | None, size: int
    ) -> None:
        operation: Operation = "shrink"
        if message.topic == ExtendShare.topic:
            operation = "admin extend" if message.caller.is_system_admin else "extend"
        refusal = size_refusal(share_type, size, operation)
        if refusal is not None and not await self._scheduler.is_recorded(message):
            raise InvalidRequest(f"size: {refusal}", field="size", value=size)

    def _fits(self, spec: RequestSpec, present: ShareRoom) -> bool:
        """Whether the pool has room; a pool that its backend does not report is not limited."""
        pools = self._scheduler.pools_of(present.host)
        if pools:
            return any(lack_of_room(spec, pool) is None for pool in pools)
        backend = present.host.partition("#")[0]
        report = self._scheduler.backend_reports.latest(backend)
        unknown = report is not None and report.capabilities is not None
        return unknown or backend not in self._scheduler.config.backends

    def _error(self, lack: _Lack) -> ShareActorsError:
        if not lack.pools:
            settings = self._scheduler.config.backends[lack.backend]
            return not_ready_error(lack.backend, settings, self._scheduler.backend_reports)
        error = no_room_error(lack.spec, lack.reasons, lack.uncertain)
        error.value = lack.size
        return error
