"""The scheduler in the manager: where each new share goes, decided by one process, counted at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

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
from share_actors.events.share.messages import CreateShare
from share_actors.scheduling.filters import NAMES, PoolState, RequestSpec, refusals
from share_actors.scheduling.weighing import choose, no_valid_host
from share_actors.values import Placement, Share, ShareType

LOOK_AGAIN_S = 0.5
"""Before a share is refused for lack of room, the catalog is asked whether room was made."""
TYPES_KEPT_S = VERDICTS_KEPT_S = 1.0


class Scheduler:
    """Chooses pools for new shares; `Reservations` and `BackendReports` are what it knows."""

    def __init__(
        self, config: Config, catalog: CatalogPort, backend_reports: BackendReports
    ) -> None:
        self.config = config
        self.backend_reports = backend_reports
        self.reservations = Reservations(catalog)
        self._catalog = catalog
        self._measured: dict[str, float] = {}
        self._looked = float("-inf")
        self._first_stats_by = time.monotonic() + config.scheduler.first_stats_s
        self._looking = asyncio.Lock()
        self._types: dict[str, tuple[float, ShareType]] = {}
        self._kept_for = (-1, 0)
        self._kept: dict[Any, dict[str, dict[str, str]]] = {}
        self._pools: list[PoolState] = []

    def reconfigure(self, config: Config) -> None:
        """Go on with other backends."""
        self.config, self._kept_for = config, (-1, 0)

    def note_measured(self, backend: str) -> None:
        """The backend has just told its free capacity: what is decided from now on is not in it."""
        if self._looked == float(
            "-inf"
        ):  # what is promised is not known yet: see `refresh_reservations`
            return
        for host in self.backend_reports.pool_states(self.config.backends):
            if host.backend == backend:
                self._measured[host.name] = self.reservations.provisioned(host.name)

    async def refresh_reservations(self) -> None:
        """Have the ledger agree with the catalog."""
        async with self._looking:
            await self.reservations.refresh()
            first, self._looked = self._looked == float("-inf"), time.monotonic()
            for backend in self.config.backends if first else ():
                self.note_measured(backend)

    async def wait_for_backends(self, backends: Iterable[str]) -> bool:
        """Return once each of *backends* has told something; False if the time for that is over.

        That time is counted from the start: `first_stats_s`.
        """
        left = self._first_stats_by - time.monotonic()
        await self.backend_reports.wait_for_backends(backends, left)
        return left > 0

    # -- one creation ----------------------------------------------------------------------------
    async def placed(self, command: CreateShare, *, repeated: bool) -> CreateShare:
        """*command* with its host; raises `NoValidHost`, `NotFound` (a share type) or `ConfigError`."""
        if repeated and (known := await self._known(command)) is not None:
            return known
        if (before := self.reservations.host_of(command.share_id)) is not None:
            return _at(command, before, _again(before))
        return await self._decided(command, await self._request(command))

    async def _decided(self, command: CreateShare, wanted: RequestSpec) -> CreateShare:
        """No other decision is made between looking at the pools and reserving."""
        chosen, placement = self._place(wanted)
        if chosen is None and await self.wait_for_backends(self._backends(command.host)):
            chosen, placement = self._place(wanted)
        if chosen is None and (known := await self._known(command)) is not None:
            return known
        if chosen is None and time.monotonic() - self._looked > LOOK_AGAIN_S:
            await self.refresh_reservations()
            chosen, placement = self._place(wanted)
        if chosen is None:
            raise self._refusal(command, placement)
        self.reservations.reserve(command.share_id, chosen.name, command.size)
        return _at(command, chosen.name, placement, wanted.share_type)

    def _place(self, wanted: RequestSpec) -> tuple[PoolState | None, Placement]:
        settings = self.config.scheduler
        hosts, fixed = self._verdicts(wanted)
        return choose(
            wanted, [self._now(host) for host in hosts], fixed,
            capacity=settings.capacity_weight, goodness=settings.goodness_weight,
        )  # fmt: skip

    def _verdicts(self, wanted: RequestSpec) -> tuple[list[PoolState], dict[str, dict[str, str]]]:
        """The pools, and what does not depend on their room: looked at anew with each publication."""
        now = (self.backend_reports.number, int(time.monotonic() / VERDICTS_KEPT_S))
        if now != self._kept_for:
            self._kept_for, self._kept = now, {}
            self._pools = self.backend_reports.pool_states(self.config.backends)
        key = _kind(wanted)
        fixed = self._kept.get(key)
        if fixed is None:
            fixed = {host.name: refusals(wanted, host) for host in self._pools}
            if key is not None:
                self._kept[key] = fixed
        return self._pools, fixed

    def _now(self, host: PoolState) -> PoolState:
        """With what is promised by now."""
        promised = self.reservations.provisioned(host.name) + self.reservations.provisioned(
            host.backend
        )
        unmeasured = max(0.0, promised - self._measured.get(host.name, promised))
        return host.replace(provisioned=promised, unmeasured=unmeasured)

    def _refusal(self, command: CreateShare, placement: Placement) -> ShareActorsError:
        """Why it can be nowhere. Of a backend that was asked for by name, what is wrong with it alone."""
        name = command.host.partition("#")[0]
        refused = placement.refused.items()
        mine = {pool: why for pool, why in refused if not name or pool.partition("#")[0] == name}
        if name and (why := self._not_ready(name)) is not None:
            said = f"backend {name!r} is not ready: {why}"
            return Unavailable(said, field="backend", value=name)
        if name and all("protocol" in why for why in mine.values()):
            known = ", ".join(self.backend_reports.protocols(name))
            said = f"protocol: backend {name} knows {known}, not {command.share_proto!r}"
            return InvalidRequest(said, field="protocol", value=command.share_proto)
        left = placement.replace(refused=mine)
        told = left if name else self._with_the_unheard(left)
        return NoValidHost(
            no_valid_host(told), field="size", value=command.size, pools=told.refused
        )

    def _not_ready(self, backend: str) -> str | None:
        last = self.backend_reports.latest(backend)
        if last is None:
            return "it has not told of itself yet"
        why = last.reason or self.backend_reports.silence_reason(
            backend, self.config.backends[backend]
        )
        return why or (None if last.capabilities and last.capabilities.pools else "it has no pool")

    def _with_the_unheard(self, placement: Placement) -> Placement:
        """Backends that told of no pool, so that their silence is told with the others' reasons."""
        known = {pool.partition("#")[0] for pool in placement.refused}
        unheard = {
            name: {"backend": self._not_ready(name) or "it has no pool"}
            for name in self.config.backends
            if name not in known
        }
        return placement.replace(refused={**placement.refused, **unheard})

    # -- what is looked up -----------------------------------------------------------------------
    async def _known(self, command: CreateShare) -> CreateShare | None:
        """The same creation, asked again: its share is there, and so is its place."""
        known: Share | None = await self._catalog.ask("share", share_id=command.share_id)
        return None if known is None else _at(command, known.host, _again(known.host))

    async def _request(self, command: CreateShare) -> RequestSpec:
        source = command.source
        return RequestSpec(
            share_id=command.share_id, size=command.size, share_proto=command.share_proto,
            requested_host=command.host or None, share_type=await self._type(command),
            needs_share_server=command.share_network_id is not None,
            availability_zone=command.availability_zone,
            snapshot_host=None if source is None else (await self._where([source.share_id]))[source.share_id],
            same_host=await self._where(command.same_host),
            different_host=await self._where(command.different_host),
        )  # fmt: skip

    async def _type(self, command: CreateShare) -> ShareType | None:
        name = command.share_type or self.config.scheduler.default_share_type
        return None if name is None else await self.share_type(name, command.project_id)

    async def share_type(self, name: str, project_id: str) -> ShareType:
        """The type *name*, if that project may use it; raises `NotFound`."""
        at, found = self._types.get(name, (float("-inf"), ShareType()))
        if time.monotonic() - at > TYPES_KEPT_S:
            found = await self._catalog.ask("entity", address=f"share_type:{name}") or ShareType()
            self._types[name] = (time.monotonic(), found)
        hidden = not found.is_public and project_id not in found.projects
        if found.status != "active" or hidden:
            raise NotFound(f"there is no share type {name}", field="share_type", value=name)
        return found

    def forget_type(self, name: str) -> None:
        """It is being changed."""
        self._types.pop(name, None)

    async def _where(
        self, share_ids: Mapping[str, str] | tuple[str, ...] | list[str]
    ) -> dict[str, str]:
        hosts: dict[str, str] = {}
        for share_id in share_ids:
            known: Share | None = await self._catalog.ask("share", share_id=share_id)
            gone = known is None or known.status in ("deleted", "unmanaged")
            hosts[share_id] = "" if known is None or gone else known.host
        return hosts

    def _backends(self, host: str) -> list[str]:
        name = host.partition("#")[0]
        return [self.config.backend_name(name)] if name else list(self.config.backends)


def _kind(wanted: RequestSpec) -> Any:
    """What the verdicts depend on; None if on too much to keep them."""
    if wanted.same_host or wanted.different_host:
        return None
    kind = wanted.share_type
    specs = None if kind is None else tuple(kind.extra_specs.items())
    return (
        wanted.share_proto, wanted.requested_host, specs, wanted.needs_share_server, wanted.availability_zone,
        wanted.snapshot_host,
    )  # fmt: skip


def _at(
    command: CreateShare, host: str, placement: Placement, kind: ShareType | None = None
) -> CreateShare:
    share_type = command.share_type if kind is None else kind.id
    return command.replace(host=host, placement=placement, share_type=share_type)


def _again(host: str) -> Placement:
    """The verdict on what was decided before."""
    return Placement(filters=NAMES, weights={host: 0.0})
