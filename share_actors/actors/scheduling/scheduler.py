"""The manager's scheduler: chooses the pool of each new share and reserves its capacity at once.

Only one process decides, so that two shares are never given the same capacity.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.actors.scheduling.reservations import Reservations
from share_actors.config import Config
from share_actors.errors import (
    InvalidRequest,
    NotFound,
    NoValidHost,
    ShareActorsError,
    Unavailable,
)
from share_actors.scheduling.filters import NAMES, PoolState, RequestSpec, refusals
from share_actors.scheduling.weighing import choose, no_valid_host
from share_actors.values import Assignment, Placement, PlacementRequest, Share, ShareType

RESERVATIONS_MAX_AGE_S = 0.5
"""Before a share is refused, reservations older than this are refreshed: shares may have been deleted."""
TYPES_MAX_AGE_S = VERDICTS_MAX_AGE_S = 1.0
"""How long share types and filter verdicts are cached."""
NEVER = (-1, 0)
NO_POOLS = "it reports no pools"


class Scheduler:
    """Chooses pools for new shares, from the `BackendReports` and the `Reservations`."""

    def __init__(
        self,
        config: Config,
        catalog: CatalogPort,
        backend_reports: BackendReports,
        *,
        reservations_max_age_s: float = RESERVATIONS_MAX_AGE_S,
    ) -> None:
        self.config = config
        self.backend_reports = backend_reports
        self.reservations = Reservations(catalog)
        self._reservations_max_age_s = reservations_max_age_s
        self._catalog = catalog
        self._provisioned_at_report: dict[str, float] = {}
        self._refreshed_at: float | None = None
        self._first_stats_by = time.monotonic() + config.scheduler.first_stats_s
        self._refreshing = asyncio.Lock()
        self._types: dict[str, tuple[float, ShareType]] = {}
        self._verdicts_valid_for = NEVER
        self._verdicts: dict[Any, dict[str, dict[str, str]]] = {}
        self._pools: list[PoolState] = []

    def reconfigure(self, config: Config) -> None:
        """Continue with *config*, which may have other backends."""
        self.config, self._verdicts_valid_for = config, NEVER

    def note_measured(self, backend: str) -> None:
        """Note that *backend* has just measured its free capacity, which excludes later decisions."""
        if self._refreshed_at is None:  # `refresh_reservations` does it then
            return
        for pool in self.backend_reports.pool_states(self.config.backends):
            if pool.backend == backend:
                provisioned = self.reservations.provisioned(pool.name)
                self._provisioned_at_report[pool.name] = provisioned

    async def refresh_reservations(self) -> None:
        """Read the provisioned capacity from the catalog."""
        async with self._refreshing:
            await self.reservations.refresh()
            first, self._refreshed_at = self._refreshed_at is None, time.monotonic()
            for backend in self.config.backends if first else ():
                self.note_measured(backend)

    async def wait_for_backends(self, backends: Iterable[str]) -> bool:
        """Return once each of *backends* has reported, or `first_stats_s` after the start.

        False if that time had passed before the call, so that there was nothing to wait for.
        """
        remaining_s = self._first_stats_by - time.monotonic()
        await self.backend_reports.wait_for_backends(backends, remaining_s)
        return remaining_s > 0

    # -- one creation ----------------------------------------------------------------------------
    async def place(self, message: CommandMessage, request: PlacementRequest) -> Assignment:
        """Choose the pool of a new share, and reserve its capacity.

        A repeated message gets the first choice again. Raises `NoValidHost`, `NotFound` (a share type) or
        `ConfigError`.
        """
        share_id = message.share_id
        if message.repeated and (existing := await self._existing(share_id, request)) is not None:
            return existing
        if (reserved := self.reservations.host_of(share_id)) is not None:
            return _assigned_before(reserved, request)
        spec = await self._request_spec(share_id, message.project_id, request)
        return await self._choose(share_id, request, spec)

    async def _choose(
        self, share_id: str, request: PlacementRequest, spec: RequestSpec
    ) -> Assignment:
        """No other choice is made between looking at the pools and reserving."""
        chosen, placement = self._choose_pool(spec)
        if chosen is None and await self.wait_for_backends(self._candidates(request.host)):
            chosen, placement = self._choose_pool(spec)
        if chosen is None and (existing := await self._existing(share_id, request)) is not None:
            return existing
        if chosen is None and self._reservations_stale():
            await self.refresh_reservations()
            chosen, placement = self._choose_pool(spec)
        if chosen is None:
            raise self._no_pool_error(request, placement)
        self.reservations.reserve(share_id, chosen.name, request.size)
        share_type = request.share_type if spec.share_type is None else spec.share_type.id
        return Assignment(chosen.name, share_type, placement)

    def _reservations_stale(self) -> bool:
        refreshed_at = self._refreshed_at
        if refreshed_at is None:
            return True
        return time.monotonic() - refreshed_at > self._reservations_max_age_s

    def _choose_pool(self, spec: RequestSpec) -> tuple[PoolState | None, Placement]:
        settings = self.config.scheduler
        pools, verdicts = self._fixed_verdicts(spec)
        return choose(
            spec,
            [self._with_reservations(pool) for pool in pools],
            verdicts,
            capacity=settings.capacity_weight,
            goodness=settings.goodness_weight,
        )

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

    def _with_reservations(self, pool: PoolState) -> PoolState:
        """*pool* with its present `provisioned` and `unmeasured` capacity."""
        on_pool = self.reservations.provisioned(pool.name)
        provisioned = on_pool + self.reservations.provisioned(pool.backend)
        at_report = self._provisioned_at_report.get(pool.name, provisioned)
        unmeasured = max(0.0, provisioned - at_report)
        return pool.replace(provisioned=provisioned, unmeasured=unmeasured)

    def _no_pool_error(self, request: PlacementRequest, placement: Placement) -> ShareActorsError:
        """The error when no pool is suitable; for a backend that was named, its own reasons only."""
        name = request.host.partition("#")[0]
        refused = {
            pool: reasons
            for pool, reasons in placement.refused.items()
            if not name or pool.partition("#")[0] == name
        }
        if name and (reason := self._not_ready(name)) is not None:
            message = f"backend {name!r} is not ready: {reason}"
            return Unavailable(message, field="backend", value=name)
        if name and all("protocol" in reasons for reasons in refused.values()):
            supported = ", ".join(self.backend_reports.protocols(name))
            proto = request.share_proto
            message = f"protocol: backend {name} supports {supported}, not {proto!r}"
            return InvalidRequest(message, field="protocol", value=proto)
        result = placement.replace(refused=refused)
        result = result if name else self._with_missing_backends(result)
        return NoValidHost(
            no_valid_host(result), field="size", value=request.size, pools=result.refused
        )

    def _not_ready(self, backend: str) -> str | None:
        report = self.backend_reports.latest(backend)
        if report is None:
            return "no report yet"
        reason = self.backend_reports.failure_reason(backend, self.config.backends[backend])
        has_pools = report.capabilities is not None and report.capabilities.pools
        return reason or (None if has_pools else NO_POOLS)

    def _with_missing_backends(self, placement: Placement) -> Placement:
        """*placement* with the backends that reported no pools, each with the reason."""
        reported = {pool.partition("#")[0] for pool in placement.refused}
        missing = {
            name: {"backend": self._not_ready(name) or NO_POOLS}
            for name in self.config.backends
            if name not in reported
        }
        return placement.replace(refused={**placement.refused, **missing})

    # -- look-ups --------------------------------------------------------------------------------
    async def _existing(self, share_id: str, request: PlacementRequest) -> Assignment | None:
        """The assignment of a share that exists already; None if there is no such share."""
        share: Share | None = await self._catalog.ask("share", share_id=share_id)
        return None if share is None else _assigned_before(share.host, request)

    async def _request_spec(
        self, share_id: str, project_id: str, request: PlacementRequest
    ) -> RequestSpec:
        source_id = request.source_share_id
        snapshot_hosts = await self._hosts_of([] if source_id is None else [source_id])
        return RequestSpec(
            share_id=share_id,
            size=request.size,
            share_proto=request.share_proto,
            requested_host=request.host or None,
            share_type=await self._type(request.share_type, project_id),
            needs_share_server=request.share_network_id is not None,
            availability_zone=request.availability_zone,
            snapshot_host=None if source_id is None else snapshot_hosts[source_id],
            same_host=await self._hosts_of(request.same_host),
            different_host=await self._hosts_of(request.different_host),
        )

    async def _type(self, name: str | None, project_id: str) -> ShareType | None:
        name = name or self.config.scheduler.default_share_type
        return None if name is None else await self.share_type(name, project_id)

    async def share_type(self, name: str, project_id: str) -> ShareType:
        """The share type *name*; raises `NotFound` unless *project_id* may use it."""
        read_at, share_type = self._types.get(name, (float("-inf"), ShareType()))
        if time.monotonic() - read_at > TYPES_MAX_AGE_S:
            entity = await self._catalog.ask("entity", address=f"share_type:{name}")
            share_type = entity or ShareType()
            self._types[name] = (time.monotonic(), share_type)
        hidden = not share_type.is_public and project_id not in share_type.projects
        if share_type.status != "active" or hidden:
            raise NotFound(f"there is no share type {name}", field="share_type", value=name)
        return share_type

    def forget_type(self, name: str) -> None:
        """Drop *name* from the cache of share types: it is being changed."""
        self._types.pop(name, None)

    async def _hosts_of(self, share_ids: Iterable[str]) -> dict[str, str]:
        """The host of each share by id; '' for a share that is on no backend."""
        hosts: dict[str, str] = {}
        for share_id in share_ids:
            share: Share | None = await self._catalog.ask("share", share_id=share_id)
            gone = share is None or share.status in ("deleted", "unmanaged")
            hosts[share_id] = "" if share is None or gone else share.host
        return hosts

    def _candidates(self, host: str) -> list[str]:
        """The backends that a share may go to: that of *host*, or all if it is empty."""
        name = host.partition("#")[0]
        return [self.config.backend_name(name)] if name else list(self.config.backends)


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
