"""Random histories of shares, decisions, reports and new managers for the ledger, and a plain model.

The catalog and its log are real; the model keeps what each share takes and what is on the backend.
A history is repeated by its seed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.scheduling.ledger import Decision, Ledger
from share_actors.actors.scheduling.pool_rooms import PoolRooms
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.config import Config, SchedulerSettings
from share_actors.events.decider import Event
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.manage import (
    ShareManaged,
    ShareManageRequested,
    ShareUnmanaged,
    ShareUnmanageRequested,
)
from share_actors.events.share.messages import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.resize import ShareResized, ShareResizeRefused, ShareResizeRequested
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.values import BackendReport, Capabilities, Pool, utc_now
from tests.actors.in_process import in_memory
from tests.events.share_events import NOON, created, envelope, requested

TOTAL, OTHERS = 1000.0, 100
"""The GiB of the pool, and of data in it that are not shares."""
HOST = "b#p"
WORKING = ("creating", "extending", "shrinking", "deleting")
MANAGE = ShareManageRequested(
    share_id="s", spec=requested(host="b").spec, driver_options={}, at=NOON
)
MAX_SHARES = 5
"""Shares that are not gone; with more of them, fewer steps would concern the same share."""


@dataclass
class ModelShare:
    """One share: its recorded status, size and room, and how much of it is on the backend."""

    status: str = "absent"
    size: int = 0
    aim: int = 0
    """The size that the work under way leads to."""
    room: int = 0
    placed: int = 0
    decisions: dict[Decision, int] = field(default_factory=dict)
    """What decisions without a reply make it take."""
    unrecorded: set[Decision] = field(default_factory=set)

    @property
    def taken(self) -> int:
        """What the ledger must count: also a decision whose reply is late."""
        return max(self.room, *self.decisions.values(), 0)

    @property
    def promised(self) -> int:
        """What it takes, by what is recorded and what may be."""
        return max(self.room, *(self.decisions[decision] for decision in self.unrecorded), 0)

    @property
    def result(self) -> int:
        """The size that the share has once the work under way is done."""
        return {"creating": self.size, "deleting": 0}.get(self.status, self.aim)


class History:
    """Shares of one pool, the manager's ledger, and the backend."""

    def __init__(self, home: Path, seed: int) -> None:
        self.random, self.steps = Random(seed), list[str]()
        self._runner = asyncio.Runner()
        self._config = Config(home=home)
        self._log = in_memory(self._config)
        self._catalog = CatalogActor(self._config, open_log=in_memory)
        self._shares: dict[str, ModelShare] = {}
        self._versions: dict[str, int] = {}
        self._others, self._numbers = OTHERS, 0
        self._began: dict[str, Any] | None = None
        self._free_read: float | None = None
        self._report: BackendReport | None = None
        self._start_manager()

    def _start_manager(self) -> None:
        self._ledger = Ledger(self._catalog)
        self._rooms = PoolRooms(BackendReports(SchedulerSettings()), self._ledger)

    def run(self, steps: int) -> None:
        """Take random steps; what must hold is checked after each."""
        names = [name for name in vars(History) if not name.startswith("_")]
        kinds = [name for name in names if name not in ("run", "close")]
        for step in [
            "begin_measurement",
            "measure",
            "publish",
            *self.random.choices(kinds, k=steps),
        ]:
            self.steps.append(step)
            getattr(self, step)()
            self._check()

    def close(self) -> None:
        self._runner.run(self._catalog.stop())
        self._log.close()
        self._runner.close()

    # -- the model -------------------------------------------------------------------------------
    def _some(self, *statuses: str, deciding: bool = True) -> tuple[str, ModelShare] | None:
        """A share with one of *statuses*; unless *deciding*, one that no decision is on its way to."""
        shares = [(i, s) for i, s in self._shares.items() if s.status in statuses]
        fitting = [(i, s) for i, s in shares if deciding or not s.unrecorded]
        return self.random.choice(fitting) if fitting else None

    def _size(self) -> int:
        return self.random.randint(1, 60)

    def _new(self, share: ModelShare) -> str | None:
        """Add *share*, unless there are enough."""
        gone = ("deleted", "unmanaged")
        if sum(s.status not in gone for s in self._shares.values()) >= MAX_SHARES:
            return None
        self._shares[share_id := f"s{len(self._shares)}"] = share
        return share_id

    def _record(self, share_id: str, *events: Event) -> None:
        version = self._versions.get(share_id, 0)
        entries = [(envelope(), event) for event in events]
        self._runner.run(self._log.append(f"share-{share_id}", version, entries))
        self._versions[share_id] = version + len(events)

    def _decide(self, share_id: str, size: int) -> Decision:
        self._numbers += 1
        decision = Decision(share_id, f"c{self._numbers}")
        share = self._shares[share_id]
        share.decisions[decision] = size
        share.unrecorded.add(decision)
        self._ledger.watch(decision)
        return decision

    def _waiting(self) -> list[Decision]:
        """The decisions that are not recorded."""
        return [
            d for share in self._shares.values() for d in share.decisions if d in share.unrecorded
        ]

    @property
    def _taken(self) -> int:
        return sum(share.taken for share in self._shares.values())

    @property
    def _true_room(self) -> float:
        """What is left if everything promised comes true, and nothing is given back."""
        promised = sum(max(share.promised, share.placed) for share in self._shares.values())
        return TOTAL - self._others - promised

    @property
    def _counted_room(self) -> float:
        """What is left if late replies are taken for promises."""
        counted = sum(max(share.taken, share.placed) for share in self._shares.values())
        return TOTAL - self._others - counted

    # -- decisions and replies -------------------------------------------------------------------
    def decide_to_create(self) -> None:
        size = self._size()
        if share_id := self._new(ModelShare(aim=size)):
            self._ledger.take(self._decide(share_id, size), HOST, size)

    def decide_to_extend(self) -> None:
        if found := self._some("available", deciding=False):
            self._grow(found, found[1].size + self._size())

    def decide_to_retry(self) -> None:
        if found := self._some("create failed", "extend failed", deciding=False):
            self._grow(found, found[1].aim)

    def _grow(self, found: tuple[str, ModelShare], size: int) -> None:
        share_id, share = found
        decision = self._decide(share_id, 0)
        self.read()
        assert self._ledger.growth(share_id, size) == max(0, size - share.taken)
        share.decisions[decision] = share.aim = size
        self._ledger.take(decision, HOST, size)

    def decide_to_manage(self) -> None:
        if share_id := self._new(ModelShare(status="new")):
            self._ledger.manage(self._decide(share_id, 0))

    def record_a_decision(self) -> None:
        if not (waiting := self._waiting()):
            return
        decision = self.random.choice(waiting)
        share_id, share = decision.share_id, self._shares[decision.share_id]
        size = share.decisions[decision]
        status, event = {
            "absent": ("creating", requested(size=size, host=HOST)),
            "new": ("managing", MANAGE),
            "available": ("extending", ShareResizeRequested(doing="extend", size=max(1, size))),
            "create failed": ("creating", RetryRequested(works=("create",))),
            "extend failed": ("extending", RetryRequested(works=("extend",))),
        }[share.status]
        share.size = size if share.status == "absent" else share.size
        share.status, share.room = status, size
        share.unrecorded.discard(decision)
        self._record(share_id, event)

    def reply_to_a_recorded_decision(self) -> None:
        decisions = {d for share in self._shares.values() for d in share.decisions}
        if recorded := sorted(decisions - set(self._waiting())):
            decision = self.random.choice(recorded)
            del self._shares[decision.share_id].decisions[decision]
            self._ledger.record(decision)

    def refuse_a_decision(self) -> None:
        if waiting := self._waiting():
            decision = self.random.choice(waiting)
            share = self._shares[decision.share_id]
            share.unrecorded.discard(decision)
            del share.decisions[decision]
            self._ledger.cancel(decision)

    # -- requests that need no decision ----------------------------------------------------------
    def request_to_shrink(self) -> None:
        found = self._some("available", deciding=False)
        if found and found[1].size > 1:
            share_id, share = found
            share.status, share.aim = "shrinking", self.random.randint(1, share.size - 1)
            self._record(share_id, ShareResizeRequested(doing="shrink", size=share.aim))

    def request_to_delete(self) -> None:
        failed = ("create failed", "extend failed", "delete failed")
        if found := self._some("available", *failed, deciding=False):
            found[1].status = "deleting"
            self._record(found[0], ShareDeletionRequested(cascade=False))

    def unmanage(self) -> None:
        if found := self._some("available", deciding=False):
            share_id, share = found
            self._record(share_id, ShareUnmanageRequested(), ShareUnmanaged())
            self._others += share.placed
            share.status, share.room, share.placed = "unmanaged", 0, 0

    # -- work on the backend ---------------------------------------------------------------------
    def change_the_backend(self) -> None:
        """A call under way has its effect, though its outcome is not recorded yet."""
        if found := self._some(*WORKING):
            found[1].placed = found[1].result

    def finish(self) -> None:
        if not (found := self._some(*WORKING)):
            return
        share_id, share = found
        size = share.result
        status, event = {
            "creating": ("available", created()),
            "extending": ("available", ShareResized(doing="extend", size=max(1, size))),
            "shrinking": ("available", ShareResized(doing="shrink", size=max(1, size))),
            "deleting": ("deleted", ShareDeleted()),
        }[share.status]
        share.status, share.size, share.room, share.placed = status, size, size, size
        self._record(share_id, event)

    def fail(self) -> None:
        """A call that had no effect fails."""
        if not (found := self._some(*WORKING)) or found[1].placed == found[1].result:
            return
        share_id, share = found
        work: Any = {"creating": "create", "extending": "extend", "deleting": "delete"}.get(
            share.status, "shrink"
        )
        if work == "shrink":
            self._record(share_id, ShareResizeRefused(doing="shrink", reason="no"))
            share.status = "available"
            return
        self._record(share_id, ShareErrored(doing=work, reason="no"))
        share.room = {"create": 0, "extend": share.size, "delete": share.room}[work]
        share.status = f"{work} failed"

    def find_a_managed_share(self) -> None:
        size = self._size()
        if size <= self._others and (found := self._some("managing")):
            share_id, share = found
            self._record(share_id, ShareManaged(size=size, export_locations=(), pool="p"))
            self._others -= size
            share.status, share.size, share.room, share.placed = "available", size, size, size

    # -- measurements ----------------------------------------------------------------------------
    def begin_measurement(self) -> None:
        self._began = self._runner.run(self._rooms.begin("b"))
        self._free_read = None

    def measure(self) -> None:
        placed = sum(share.placed for share in self._shares.values())
        self._free_read = TOTAL - self._others - placed

    def publish(self) -> None:
        if self._began is None or self._free_read is None:
            return
        pool = Pool(name="p", total_capacity_gib=TOTAL, free_capacity_gib=self._free_read)
        known = Capabilities(
            backend_name="b",
            driver_name="d",
            storage_protocols=("NFS",),
            access_types=(),
            pools=(pool,),
        )
        report = BackendReport(backend="b", at=utc_now(), capabilities=known, began=self._began)
        self._report, self._began, self._free_read = report, None, None
        self._runner.run(self._rooms.publish(report))

    def measure_while_nothing_is_under_way(self) -> None:
        if any(s.status in (*WORKING, "managing") or s.decisions for s in self._shares.values()):
            return
        self.begin_measurement()
        self.measure()
        self.publish()
        assert self._pool().uncertain == 0
        assert self._room(self._pool()) == self._true_room

    # -- the manager -----------------------------------------------------------------------------
    def read(self) -> None:
        self._runner.run(self._ledger.read())
        assert self._ledger.room(HOST).provisioned == self._taken
        if self._report is not None:
            pool = self._pool()
            at_most = self._room(pool.replace(unmeasured=pool.unmeasured - pool.uncertain))
            assert at_most >= self._counted_room

    def replace_the_manager(self) -> None:
        """Its decisions are recorded by now, or never; the next one gets the last report."""
        for share in self._shares.values():
            share.unrecorded.clear()
            share.decisions.clear()
        self._began = None
        self._start_manager()
        self._read_first()

    def _read_first(self) -> None:
        report, self._report = self._report, None
        self.read()
        if report is not None:
            self._report = report
            self._runner.run(self._rooms.publish(report))

    # -- what must hold --------------------------------------------------------------------------
    def _pool(self) -> PoolState:
        assert self._report is not None
        assert self._report.capabilities is not None
        [pool] = self._report.capabilities.pools
        return self._rooms.with_room(
            PoolState(backend="b", capabilities=self._report.capabilities, pool=pool)
        )

    def _room(self, pool: PoolState) -> float:
        return pool.room(RequestSpec(share_id="s", size=1, share_proto="NFS"))

    def _check(self) -> None:
        """Room is never promised twice."""
        if self._report is not None and not self._ledger.has_unsized:
            assert self._room(self._pool()) <= self._true_room, self.steps[-40:]
