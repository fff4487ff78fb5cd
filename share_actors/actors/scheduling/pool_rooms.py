"""What the pools have room for: the backends' reports, and what shares took before and after each.

A measurement takes time, and so does the work on shares. What was settled from the begin of a measurement to
its end is certainly in its result; what was under way may be. Until the next measurement the latter counts
as if it was not: so the room is never promised twice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from share_actors.actors.scheduling.ledger import Ledger
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.errors import ShareActorsError
from share_actors.events.share.room import Room
from share_actors.scheduling.pools import PoolState
from share_actors.values import BackendReport, RoomTaken

logger = logging.getLogger(__name__)
READ_S = 5.0
"""How long a report waits for the catalog."""


class _Measured(NamedTuple):
    """The GiB of shares that were on a pool when its free capacity was measured, at least and at most."""

    least: int
    most: int


class PoolRooms:
    """Combines the reports with the ledger."""

    def __init__(self, reports: BackendReports, ledger: Ledger) -> None:
        self._reports, self._ledger = reports, ledger
        self._measured: dict[str, _Measured] = {}

    async def begin(self, backend: str) -> dict[str, RoomTaken]:
        """What shares take of *backend* by host now, before it is measured."""
        await self._ledger.read()
        return {
            host: RoomTaken(room.settled, room.unsettled, room.returned)
            for host, room in self._ledger.of_backend(backend).items()
        }

    async def publish(self, report: BackendReport) -> None:
        """Store *report*, with what shares took meanwhile."""
        try:
            async with asyncio.timeout(READ_S):
                await self._ledger.read()
        except (ShareActorsError, TimeoutError) as error:
            logger.warning("the room of backend %s may be out of date: %s", report.backend, error)
        self._reports.publish(report)
        pools = () if report.capabilities is None else report.capabilities.pools
        for pool in pools:
            name = f"{report.backend}#{pool.name}"
            if report.reason is None or name not in self._measured:
                self._measured[name] = self._measured_with(name, report)

    def forget_measured(self) -> None:
        """Drop what was noted of measurements before the sums were known; the backends report again."""
        self._measured.clear()

    def with_room(self, pool: PoolState) -> PoolState:
        """*pool* with what shares take of it now."""
        taken = self._taken(pool.name)
        measured = self._measured.get(pool.name) or _Measured(taken.settled, taken.consumed)
        return pool.replace(
            provisioned=taken.provisioned,
            unmeasured=taken.consumed - measured.least,
            uncertain=measured.most - measured.least,
        )

    def _measured_with(self, name: str, report: BackendReport) -> _Measured:
        now = self._taken(name)
        if report.began is None:
            return _Measured(now.settled, now.consumed)
        began = [report.began[h] for h in (name, report.backend) if h in report.began]
        settled = sum(taken.settled for taken in began)
        unsettled = now.unsettled - sum(taken.unsettled for taken in began)
        returned = now.returned - sum(taken.returned for taken in began)
        return _Measured(settled - unsettled, now.consumed + returned)

    def _taken(self, name: str) -> Room:
        """What is taken on the pool, and on its backend by shares without a pool."""
        backend = name.partition("#")[0]
        return self._ledger.room(name).plus(self._ledger.room(backend))
