"""The choices of a pool, made again: by the present filters, and the weights and backends of a configuration.

The pools are those of the recorded reports, with the room that the recorded shares take. Both are close to
what the scheduler saw and not the same: a report is not recorded if no capacity changed by more than a tenth,
and scheduler hints are not recorded at all. So a choice counts as different only if it comes out as recorded
under the first configuration, and otherwise under the second.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay.what_if import Differences, Other
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.config import Config
from share_actors.events import backend, share, share_type
from share_actors.events.backend import BackendChanged, BackendUp
from share_actors.events.envelope import Recorded
from share_actors.events.share.creation import ShareCreationRequested
from share_actors.events.share.room import Room, change
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import place
from share_actors.values import BackendState, Placement, ShareType

_NO_ROOM = Room()
_GONE = ("deleted", "unmanaged")


class _Rules(NamedTuple):
    """What a configuration says about choices."""

    capacity: float
    goodness: float
    backends: frozenset[str] | None
    """None: all that were recorded."""


def rules_of(config: Config, *, all_backends: bool) -> _Rules:
    """The rules of *config*; with *all_backends* also those are candidates that it does not name."""
    weights = config.scheduler
    backends = None if all_backends else frozenset(config.backends)
    return _Rules(weights.capacity_weight, weights.goodness_weight, backends)


class Placements:
    """Follows the log: what backends reported, what shares take, and each choice of a pool.

    Memory grows with the shares that exist at the same time.
    """

    def __init__(self, base: _Rules, other: _Rules, differences: Differences) -> None:
        self._base, self._other, self._differences = base, other, differences
        self._backends: dict[str, BackendState] = {}
        self._types: dict[str, ShareType] = {}
        self._shares: dict[str, share.ShareState] = {}
        self._taken: dict[str, Room] = defaultdict(Room)
        self._measured: dict[str, int] = {}
        self.placements = self.not_reproduced = 0

    def follow(self, reader: LogReader, progress: Progress = no_progress) -> None:
        """Read the whole log; raises `LogError` at an event that cannot be read."""
        head = reader.head()
        for row in reader.rows(upto=head):
            kind, _, name = row.stream.partition("-")
            if kind in (share.KIND, backend.KIND, share_type.KIND):
                self._add(kind, name, reader.decode(row))
            if row.position % PROGRESS_EVERY == 0:
                progress(row.position, head)

    def _add(self, kind: str, name: str, recorded: Recorded) -> None:
        event: Any = recorded.event
        if kind == backend.KIND:
            self._add_report(name, event)
        elif kind == share_type.KIND:
            known = self._types.get(name, share_type.initial)
            self._types[name] = share_type.evolve(known, event)
        else:
            if isinstance(event, ShareCreationRequested) and event.placement is not None:
                self._choose_again(recorded, event, event.placement)
            self._add_share(name, event)

    def _add_report(self, name: str, event: Any) -> None:
        state = self._backends.get(name, backend.initial)
        self._backends[name] = state = backend.evolve(state, event)
        if isinstance(event, BackendUp | BackendChanged) and state.capabilities is not None:
            for pool in state.capabilities.pools:
                host = f"{name}#{pool.name}"
                self._measured[host] = self._room(host, name).consumed

    def _add_share(self, share_id: str, event: Any) -> None:
        before = self._shares.get(share_id, share.initial)
        after = share.evolve(before, event)
        for host, room in change(before, after).items():
            self._taken[host] = self._taken[host].plus(room)
        if after.share.status in _GONE:
            self._shares.pop(share_id, None)
        else:
            self._shares[share_id] = after

    def _room(self, host: str, backend_name: str) -> Room:
        """What is taken of a pool, and of its backend by shares without a pool."""
        on_backend = self._taken.get(backend_name, _NO_ROOM)
        return self._taken.get(host, _NO_ROOM).plus(on_backend)

    # -- one choice ------------------------------------------------------------------------------
    def _choose_again(
        self, recorded: Recorded, event: ShareCreationRequested, placement: Placement
    ) -> None:
        spec, chosen = self._spec(event), event.spec.host
        self.placements += 1
        if not _may_choose(chosen, self._place(spec, self._base)):
            self.not_reproduced += 1
            return
        now = self._place(spec, self._other)
        if _may_choose(chosen, now):
            return
        best = _heaviest(now)
        weights = ", ".join(f"{pool} {weight:.3g}" for pool, weight in now.weights.items())
        self._differences.add(
            Other(
                kind="other_pool" if best else "no_pool",
                stream=recorded.stream,
                version=recorded.version,
                position=recorded.position,
                at=recorded.envelope.at,
                command="share.create",
                command_id=recorded.envelope.command_id,
                recorded=f"on {chosen}",
                now=f"on {' or '.join(best)} (weights: {weights})" if best else "no pool fits",
            )
        )

    def _spec(self, event: ShareCreationRequested) -> RequestSpec:
        spec, type_name = event.spec, event.spec.share_type
        known = None if type_name is None else self._types.get(type_name)
        wanted = known
        if type_name is not None and event.extra_specs:  # those of the type at that time
            wanted = (known or ShareType(id=type_name)).replace(extra_specs=event.extra_specs)
        return RequestSpec(
            share_id=event.share_id,
            size=event.size,
            share_proto=spec.share_proto,
            share_type=wanted,
            needs_share_server=spec.share_network_id is not None,
            availability_zone=spec.availability_zone,
            snapshot_host=None if event.parent is None else event.parent.host,
        )

    def _place(self, spec: RequestSpec, rules: _Rules) -> Placement:
        _, placement = place(
            spec, self._pools(rules), capacity=rules.capacity, goodness=rules.goodness
        )
        return placement

    def _pools(self, rules: _Rules) -> list[PoolState]:
        return [
            self._pool(name, state, index)
            for name, state in self._backends.items()
            if rules.backends is None or name in rules.backends
            for index in range(0 if state.capabilities is None else len(state.capabilities.pools))
        ]

    def _pool(self, name: str, state: BackendState, index: int) -> PoolState:
        capabilities = state.capabilities
        assert capabilities is not None
        pool = capabilities.pools[index]
        host = f"{name}#{pool.name}"
        taken = self._room(host, name)
        return PoolState(
            backend=name,
            capabilities=capabilities,
            pool=pool,
            provisioned=float(taken.provisioned),
            unmeasured=float(taken.consumed - self._measured.get(host, 0)),
            down=None if state.status == "up" else state.reason or state.status,
        )


def _heaviest(placement: Placement) -> list[str]:
    """The pools of the greatest weight, of which the scheduler chooses in turn."""
    most = max(placement.weights.values(), default=0.0)
    return [pool for pool, weight in placement.weights.items() if weight == most]


def _may_choose(host: str, placement: Placement) -> bool:
    return host in _heaviest(placement)
