"""The manager's scheduler: chooses the pool of each new share and takes its room at once.

Only one process decides, so that two shares are never given the same room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import Any

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.candidates import candidates, with_type
from share_actors.actors.scheduling.ledger import Decision, Ledger
from share_actors.actors.scheduling.placement_errors import no_pool_error
from share_actors.actors.scheduling.pool_rooms import PoolRooms
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, ShareActorsError
from share_actors.policy import Caller, may_read, owner_of
from share_actors.scheduling.extra_specs import size_refusal
from share_actors.scheduling.filters import NAMES, refusals
from share_actors.scheduling.pools import PoolState, lack_of_room
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import choose
from share_actors.values import Assignment, Placement, PlacementRequest, Share, ShareType

TYPES_MAX_AGE_S = VERDICTS_MAX_AGE_S = 1.0
"""How long share types and filter verdicts are cached."""
MEASURE_AGAIN_S = 1.0
"""How often a backend is measured again at most for shares that perhaps fit."""
BEST_POOL_S = 2.0
"""How long the first shares after a start, which fit on a pool, wait for other backends to report.

So they are on the best pool, rather than on the backend that reports first.
"""
READ_AGAIN_S = 1.0
"""How often the sums are read again while the catalog catches up with the log."""
NEVER = (-1, 0)
Measure = Callable[[str], Awaitable[object]]


class Scheduler:
    """Chooses pools for new shares, from the `BackendReports` and the `Ledger`.

    *measure* has a backend report now.
    """

    def __init__(
        self,
        config: Config,
        catalog: CatalogPort,
        backend_reports: BackendReports,
        measure: Measure,
    ) -> None:
        self.config = config
        self.backend_reports = backend_reports
        self.ledger = Ledger(catalog)
        self.rooms = PoolRooms(backend_reports, self.ledger)
        self._catalog, self._measure = catalog, measure
        self._measuring: dict[str, asyncio.Task[None]] = {}
        self._measured_again_at: dict[str, float] = {}
        self._turns = count()
        self.backend_reports.expect(config.backends)
        self._types: dict[str, tuple[float, ShareType]] = {}
        self._verdicts_valid_for = NEVER
        self._verdicts: dict[Any, dict[str, dict[str, str]]] = {}
        self._pools: list[PoolState] = []

    def reconfigure(self, config: Config) -> None:
        """Continue with *config*, which may have other backends."""
        self.config, self._verdicts_valid_for = config, NEVER
        self.backend_reports.expect(config.backends)

    async def wait_for_backends(self, backends: Iterable[str]) -> None:
        """Return once each of *backends* has reported; waits for each at most `first_stats_s`."""
        names = list(backends)
        while await self.wait_for_first_report(names, self.backend_reports.number):
            pass

    async def wait_for_first_report(
        self, backends: Iterable[str], after: int, limit_s: float = float("inf")
    ) -> bool:
        """Wait for a report with a number above *after*.

        False, at once, if none of *backends* is to be waited for: each has reported, or was given
        `first_stats_s`, and not more than *limit_s*, to report since it is configured.
        """
        waited_s = self.backend_reports.unreported(backends).values()
        limit_s = min(limit_s, self.config.scheduler.first_stats_s)
        remaining_s = limit_s - min(waited_s, default=float("inf"))
        if remaining_s <= 0:
            return False
        await self.backend_reports.wait_for_update(after, remaining_s)
        return True

    # -- one creation ----------------------------------------------------------------------------
    async def place(self, message: CommandMessage, request: PlacementRequest) -> Assignment:
        """Choose the pool of a new share, and reserve its capacity.

        A repeated message gets the first choice again. Raises `NotFound` (a share type, or the share of a
        hint), `InvalidRequest` (a size that the share type excludes), `ConfigError`, or the error of
        `no_pool_error`.
        """
        decision = Decision(message.share_id, message.command_id)
        if message.repeated and (existing := await self._existing(decision, request)) is not None:
            return existing
        if reserved := self.ledger.host_of(decision.share_id):
            if self.ledger.growth(decision.share_id, request.size) == 0:
                self.ledger.take(decision, reserved, request.size)
                return _assigned_before(reserved, request)
            request = request._replace(host=reserved)
        spec = await self._request_spec(decision.share_id, message.caller, request)
        if (refusal := size_refusal(spec.share_type, spec.size, "create")) is not None:
            raise InvalidRequest(f"size: {refusal}", field="size", value=spec.size)
        return await self._choose(decision, request, spec)

    async def _choose(
        self, decision: Decision, request: PlacementRequest, spec: RequestSpec
    ) -> Assignment:
        """No other choice is made between looking at the pools and taking the room."""
        chosen, placement = await self._choose_with_first_reports(spec)
        if chosen is None and (existing := await self._existing(decision, request)) is not None:
            return existing
        if chosen is None:  # perhaps for room that was given back
            await self.ledger.read()
            chosen, placement = self.choose_pool(spec)
        if chosen is None and (uncertain := self._perhaps_fitting(spec)):
            await self.measure_again(uncertain)
            chosen, placement = self.choose_pool(spec)
        if chosen is None:
            self._check_backend(request.host)
            raise no_pool_error(
                spec,
                placement,
                self.config.backends,
                self.backend_reports,
                self._perhaps_fitting(spec),
            )
        self.ledger.take(decision, chosen.name, request.size)
        share_type = request.share_type if spec.share_type is None else spec.share_type.id
        return Assignment(chosen.name, share_type, placement)

    async def _choose_with_first_reports(
        self, spec: RequestSpec
    ) -> tuple[PoolState | None, Placement]:
        """Choose a pool; wait for backends that might fit and have not reported: longer while none fits."""
        might_fit = candidates(spec, self.config.backends)
        if self.ledger.has_unsized:
            await self.ledger.read()
        while True:
            number = self.backend_reports.number
            chosen, placement = self.choose_pool(spec)
            limit_s = float("inf") if chosen is None else BEST_POOL_S
            if not await self.wait_for_first_report(might_fit, number, limit_s):
                return chosen, placement

    def _check_backend(self, host: str) -> None:
        """Raise `ConfigError` if *host* names a backend that is not configured."""
        if host:
            self.config.backend_name(host.partition("#")[0])

    def choose_pool(self, spec: RequestSpec) -> tuple[PoolState | None, Placement]:
        """The pool for *spec* by what is known now, None if none fits, and why."""
        settings = self.config.scheduler
        pools, verdicts = self._fixed_verdicts(spec)
        return choose(
            spec,
            [self.rooms.with_room(pool) for pool in pools],
            verdicts,
            capacity=settings.capacity_weight,
            goodness=settings.goodness_weight,
            turn=next(self._turns),
        )

    def _perhaps_fitting(self, spec: RequestSpec) -> set[str]:
        """The backends of pools that lack room, unless what was under way was measured already."""
        pools, verdicts = self._fixed_verdicts(spec)
        with_room = (self.rooms.with_room(pool) for pool in pools if not verdicts[pool.name])
        return {pool.backend for pool in with_room if perhaps_fits(spec, pool)}

    async def count_whole(self) -> None:
        """Count by the whole sums of the catalog, once it has caught up with the log."""
        while not self.ledger.is_whole:
            await asyncio.sleep(READ_AGAIN_S)
            with suppress(ShareActorsError):
                await self.ledger.read()
        self.rooms.forget_measured()
        self._measured_again_at.clear()
        await self.measure_again(self.config.backends)

    async def measure_again(self, backends: Iterable[str]) -> None:
        """Have *backends* report now, unless they just had to; waits for each at most `first_stats_s`."""
        names, now = list(backends), time.monotonic()
        for name in names:
            recent = now - self._measured_again_at.get(name, float("-inf")) < MEASURE_AGAIN_S
            if not recent and name not in self._measuring:
                self._measured_again_at[name] = now
                self._measuring[name] = asyncio.ensure_future(self._report(name))
        waiting = [self._measuring[name] for name in names if name in self._measuring]
        if waiting:
            await asyncio.wait(waiting, timeout=self.config.scheduler.first_stats_s)

    async def _report(self, backend: str) -> None:
        try:
            with suppress(ShareActorsError):
                await self._measure(backend)
        finally:
            del self._measuring[backend]

    def pools_of(self, host: str) -> list[PoolState]:
        """The pools, with their room, that *host* may mean: one, or all of a backend."""
        backend, _, name = host.partition("#")
        pools = self.backend_reports.pool_states(self.config.backends)
        return [
            self.rooms.with_room(pool)
            for pool in pools
            if pool.backend == backend and name in ("", pool.pool.name)
        ]

    def _fixed_verdicts(
        self, spec: RequestSpec
    ) -> tuple[list[PoolState], dict[str, dict[str, str]]]:
        """The pools, and the verdicts on them that do not depend on their room.

        They are cached until the next report, but not longer than `VERDICTS_MAX_AGE_S`.
        """
        valid_for = (self.backend_reports.number, int(time.monotonic() / VERDICTS_MAX_AGE_S))
        if valid_for != self._verdicts_valid_for:
            self._verdicts_valid_for, self._verdicts = valid_for, {}
            self._pools = self.backend_reports.pool_states(self.config.backends)
        key = _cache_key(spec)
        verdicts = self._verdicts.get(key)
        if verdicts is None:
            verdicts = {pool.name: refusals(spec, pool) for pool in self._pools}
            if key is not None:
                self._verdicts[key] = verdicts
        return self._pools, verdicts

    # -- look-ups --------------------------------------------------------------------------------
    async def _existing(self, decision: Decision, request: PlacementRequest) -> Assignment | None:
        """The assignment of a share that exists already; None if there is no such share."""
        share: Share | None = await self._catalog.ask("share", share_id=decision.share_id)
        return None if share is None else _assigned_before(share.host, request)

    async def is_recorded(self, message: CommandMessage) -> bool:
        """Whether *message* is a repetition of a command that is in the log."""
        if not message.repeated:
            return False
        found: bool = await self._catalog.ask(
            "has_command", share_id=message.share_id, command_id=message.command_id
        )
        return found

    async def _request_spec(
        self, share_id: str, caller: Caller, request: PlacementRequest
    ) -> RequestSpec:
        return RequestSpec(
            share_id=share_id,
            size=request.size,
            share_proto=request.share_proto,
            requested_host=request.host or None,
            share_type=await self._type(request, caller),
            needs_share_server=request.share_network_id is not None,
            availability_zone=request.availability_zone,
            snapshot_host=request.source_host,
            same_host=await self._hosts_of("same_host", request.same_host, caller),
            different_host=await self._hosts_of("different_host", request.different_host, caller),
        )

    async def _type(self, request: PlacementRequest, caller: Caller) -> ShareType | None:
        """The requested share type, or the default; a share from a snapshot has its parent's or none."""
        name = with_type(request, self.config.scheduler).share_type
        return None if name is None else await self.share_type(name, caller)

    async def share_type(self, name: str, caller: Caller) -> ShareType:
        """The share type *name*; raises `NotFound` unless *caller* may use it."""
        share_type = await self.any_share_type(name)
        if share_type.status != "active" or not may_read(caller, owner_of(share_type)):
            raise NotFound(f"there is no share type {name}", field="share_type", value=name)
        return share_type

    async def extra_specs(self, name: str | None) -> dict[str, str]:
        """The extra specs of the share type *name*; none without a type."""
        return {} if name is None else (await self.any_share_type(name)).extra_specs

    async def any_share_type(self, name: str) -> ShareType:
        """The share type *name*, whoever may use it; one that is absent has no extra specs."""
        read_at, share_type = self._types.get(name, (float("-inf"), ShareType()))
        if time.monotonic() - read_at > TYPES_MAX_AGE_S:
            entity = await self._catalog.ask("entity", address=f"share_type:{name}")
            share_type = entity or ShareType()
            self._types[name] = (time.monotonic(), share_type)
        return share_type

    def forget_type(self, name: str) -> None:
        """Drop *name* from the cache of share types: it is being changed."""
        self._types.pop(name, None)

    async def _hosts_of(
        self, hint: str, share_ids: Iterable[str], caller: Caller
    ) -> dict[str, str]:
        """The host of each share that *hint* names, by id; raises `NotFound` for one that is not there."""
        hosts: dict[str, str] = {}
        for share_id in share_ids:
            hosts[share_id] = host = await self._host_of(share_id, caller)
            if not host:
                message = f"{hint}: there is no share {share_id} on any backend; give ids of shares"
                raise NotFound(message, field=hint, value=share_id)
        return hosts

    async def _host_of(self, share_id: str, caller: Caller) -> str:
        """The host of a share; '' for one that is on no backend, or not the caller's to see."""
        share: Share | None = await self._catalog.ask("share", share_id=share_id)
        if share is not None and not may_read(caller, owner_of(share)):
            share = None
        gone = share is None or share.status in ("deleted", "unmanaged")
        return "" if share is None or gone else share.host


def perhaps_fits(spec: RequestSpec, pool: PoolState) -> bool:
    """Whether *pool* lacks room, unless the measurement had all that was under way."""
    measured = pool.replace(unmeasured=pool.unmeasured - pool.uncertain)
    return lack_of_room(spec, pool) is not None and lack_of_room(spec, measured) is None


def _cache_key(spec: RequestSpec) -> Any:
    """The part of *spec* that the verdicts depend on; None if they are not worth caching."""
    if spec.same_host or spec.different_host:
        return None
    share_type = spec.share_type
    return (
        spec.share_proto,
        spec.requested_host,
        None if share_type is None else tuple(share_type.extra_specs.items()),
        spec.needs_share_server,
        spec.availability_zone,
        spec.snapshot_host,
    )


def _assigned_before(host: str, request: PlacementRequest) -> Assignment:
    """The assignment of a share that was placed on *host* before."""
    return Assignment(host, request.share_type, Placement(filters=NAMES, weights={host: 0.0}))
