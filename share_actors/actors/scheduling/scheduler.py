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
from share_actors.actors.scheduling.candidates import candidates
from share_actors.actors.scheduling.placement_errors import no_pool_error
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.actors.scheduling.reservations import Reservations
from share_actors.config import Config
from share_actors.errors import NotFound
from share_actors.scheduling.filters import NAMES, PoolState, RequestSpec, refusals
from share_actors.scheduling.weighing import choose
from share_actors.values import Assignment, Placement, PlacementRequest, Share, ShareType

RESERVATIONS_MAX_AGE_S = 0.5
"""Before a share is refused, reservations older than this are refreshed: shares may have been deleted."""
TYPES_MAX_AGE_S = VERDICTS_MAX_AGE_S = 1.0
"""How long share types and filter verdicts are cached."""
NEVER = (-1, 0)


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
        self.backend_reports.expect(config.backends)
        self._refreshing, self._refresh_began_at = asyncio.Lock(), float("-inf")
        self._types: dict[str, tuple[float, ShareType]] = {}
        self._verdicts_valid_for = NEVER
        self._verdicts: dict[Any, dict[str, dict[str, str]]] = {}
        self._pools: list[PoolState] = []

    def reconfigure(self, config: Config) -> None:
        """Continue with *config*, which may have other backends."""
        self.config, self._verdicts_valid_for = config, NEVER
        self.backend_reports.expect(config.backends)

    def note_measured(self, backend: str) -> None:
        """Note that *backend* has just measured its free capacity, which excludes later decisions."""
        if self._refreshed_at is None:  # `refresh_reservations` does it then
            return
        for pool in self.backend_reports.pool_states(self.config.backends):
            if pool.backend == backend:
                provisioned = self.reservations.provisioned(pool.name)
                self._provisioned_at_report[pool.name] = provisioned

    async def refresh_reservations(self) -> None:
        """Read the provisioned capacity from the catalog, unless another caller has since this call."""
        asked_at = time.monotonic()
        async with self._refreshing:
            if self._refresh_began_at > asked_at:
                return
            began_at = time.monotonic()
            await self.reservations.refresh()
            self._refresh_began_at = began_at
            first, self._refreshed_at = self._refreshed_at is None, time.monotonic()
            for backend in self.config.backends if first else ():
                self.note_measured(backend)

    async def wait_for_backends(self, backends: Iterable[str]) -> None:
        """Return once each of *backends* has reported; waits for each at most `first_stats_s`."""
        names = list(backends)
        while await self._wait_for_first_report(names, self.backend_reports.number):
            pass

    async def _wait_for_first_report(self, backends: Iterable[str], after: int) -> bool:
        """Wait for a report with a number above *after*.

        False, at once, if none of *backends* is to be waited for: each has reported, or was given
        `first_stats_s` to report since it is configured.
        """
        waited_s = self.backend_reports.unreported(backends).values()
        remaining_s = self.config.scheduler.first_stats_s - min(waited_s, default=float("inf"))
        if remaining_s <= 0:
            return False
        await self.backend_reports.wait_for_update(after, remaining_s)
        return True

    # -- one creation ----------------------------------------------------------------------------
    async def place(self, message: CommandMessage, request: PlacementRequest) -> Assignment:
        """Choose the pool of a new share, and reserve its capacity.

        A repeated message gets the first choice again. Raises `NotFound` (a share type), `ConfigError`, or
        the error of `no_pool_error`.
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
        chosen, placement = await self._choose_with_first_reports(spec)
        if chosen is None and (existing := await self._existing(share_id, request)) is not None:
            return existing
        if chosen is None and self._reservations_stale():
            await self.refresh_reservations()
            chosen, placement = self._choose_pool(spec)
        if chosen is None:
            self._check_backend(request.host)
            raise no_pool_error(spec, placement, self.config.backends, self.backend_reports)
        self.reservations.reserve(share_id, chosen.name, request.size)
        share_type = request.share_type if spec.share_type is None else spec.share_type.id
        return Assignment(chosen.name, share_type, placement)

    async def _choose_with_first_reports(
        self, spec: RequestSpec
    ) -> tuple[PoolState | None, Placement]:
        """Choose a pool; while none fits, wait for backends that might fit and have not reported."""
        might_fit = candidates(spec, self.config.backends)
        while True:
            number = self.backend_reports.number
            chosen, placement = self._choose_pool(spec)
            if chosen is not None or not await self._wait_for_first_report(might_fit, number):
                return chosen, placement

    def _check_backend(self, host: str) -> None:
        """Raise `ConfigError` if *host* names a backend that is not configured."""
        if host:
            self.config.backend_name(host.partition("#")[0])

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
