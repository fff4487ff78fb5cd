"""Takes the snapshots of snapshot policies when they are due, and deletes those that are more than are kept.

A run has no state of its own: the id of a snapshot follows from its policy, share and time, so that a run
that was cut off is repeated without taking anything twice, and the policy records it when it is complete.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from share_actors.actors.messaging.entity_client import TRY_S, EntityClient, within
from share_actors.actors.ports import CatalogPort
from share_actors.errors import InvalidRequest, NotFound, Refused, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.events.snapshot_policy import MAX_FAILURES, DetachShares, RecordRun
from share_actors.values import (
    SYSTEM_CONTEXT,
    PolicyRun,
    Share,
    Snapshot,
    SnapshotPolicy,
    SnapshotSchedule,
    utc_now,
)
from share_actors.values.checks.limits import REASON

logger = logging.getLogger(__name__)

ADDRESS = "snapshot_policy:"
MAX_CONCURRENT = 20
"""Of how many shares snapshots are requested at a time."""
RETRY_S = 600
"""For how long a share that cannot be reached is tried again; half the period of a shorter schedule."""
_NAMESPACE = UUID("6f1f8e0a-3c5d-4a55-9a53-0f5f1f0a8f6e")
_TIME = "%Y%m%dT%H%M%SZ"
_TIME_LENGTH = len("20261128T120000Z")
GONE = ("absent", "deleted", "unmanaged")
AT_WORK = ("creating", "extending", "shrinking", "reverting")
"""Statuses in which a share takes no snapshot, and which end by themselves."""
NO_SHARE = "the project of the policy has no such share"
_FINAL = (Refused, NotFound, InvalidRequest)
"""Errors that another try would not change; after all others it is made."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Due(NamedTuple):
    """A time of a schedule of a policy, and how many earlier ones passed without a run."""

    policy: SnapshotPolicy
    schedule: SnapshotSchedule
    at: datetime
    missed: int


# -- pure --------------------------------------------------------------------------------------------
def due(policy: SnapshotPolicy, now: datetime) -> list[Due]:
    """The last time of each schedule of *policy* that has come and is not done."""
    found = []
    for schedule in policy.schedules:
        since, latest = policy.since.get(str(schedule.every_s)), schedule.latest(now)
        if since is not None and latest > since:
            found.append(Due(policy, schedule, latest, schedule.count(since, latest) - 1))
    return found


def untrimmed(policy: SnapshotPolicy, trimmed: Mapping[tuple[str, int], datetime]) -> list[Due]:
    """The last run of each schedule after which surplus snapshots were not looked for."""
    of_period = {schedule.every_s: schedule for schedule in policy.schedules}
    return [
        Due(policy, of_period[run.every_s], run.at, 0)
        for run in policy.runs
        if run.every_s in of_period and trimmed.get((policy.id, run.every_s)) != run.at
    ]


def snapshot_id(policy_id: str, share_id: str, schedule: SnapshotSchedule, at: datetime) -> str:
    """The id of the snapshot of a share for a time of a schedule, the same one each time."""
    return str(uuid5(_NAMESPACE, f"{policy_id}/{share_id}/{schedule.every_s}/{at:{_TIME}}"))


def snapshot_name(policy: SnapshotPolicy, at: datetime) -> str:
    """The name of a snapshot of *policy*: that of the policy, and the time."""
    return f"{(policy.name or policy.id)[:200]}-{at.astimezone(UTC):{_TIME}}"


def surplus(share: Share, item: Due) -> list[str]:
    """The ids of the snapshots of a schedule that are older than those that are kept, the oldest first.

    Of those in error as many are kept at most, so that a backend that takes none does not gather them.
    """
    own = sorted(_own(share.snapshots, share.id, item), key=lambda pair: pair[0])
    good = [at for at, snapshot in own if snapshot.status in ("available", "creating")]
    failed = [at for at, snapshot in own if snapshot.status == "error"]
    kept, failed_kept = (_oldest_kept(times, item.schedule.keep) for times in (good, failed))
    return [
        snapshot.id
        for at, snapshot in own
        if (at < kept or (at < failed_kept and snapshot.status == "error"))
        and snapshot.status != "deleting"
    ]


def _oldest_kept(times: Sequence[datetime], keep: int) -> datetime:
    """The earliest of the last *keep* of *times*; before all times if there are not as many."""
    return times[-keep] if len(times) >= keep else _NEVER


def _own(
    snapshots: Iterable[Snapshot], share_id: str, item: Due
) -> Iterable[tuple[datetime, Snapshot]]:
    """The snapshots that the schedule of *item* made, each with its time."""
    for snapshot in snapshots:
        at = _time_in(snapshot.name or "")
        if at is not None and snapshot.id == snapshot_id(
            item.policy.id, share_id, item.schedule, at
        ):
            yield at, snapshot


def _time_in(name: str) -> datetime | None:
    """The time at the end of the name of a snapshot; None if there is none."""
    try:
        return datetime.strptime(name[-_TIME_LENGTH:], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


# -- the run -----------------------------------------------------------------------------------------
class Outcome(NamedTuple):
    """Why a share got no snapshot, None if one is requested; *transient*: another try may succeed."""

    reason: str | None = None
    transient: bool = False


class SnapshotPolicies:
    """Runs the policies; each request is a recorded command of the system."""

    def __init__(
        self,
        catalog: CatalogPort,
        entity_client: EntityClient,
        pages: Callable[..., AsyncIterator[list[Any]]],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._catalog, self._entity_client, self._pages = catalog, entity_client, pages
        self._clock = clock
        self._limit = asyncio.Semaphore(MAX_CONCURRENT)
        self._trimmed: dict[tuple[str, int], datetime] = {}
        """Up to which run the surplus snapshots of a schedule were deleted; a new manager looks once more."""
        self._first_tries: dict[tuple[str, int], tuple[datetime, datetime]] = {}
        """For which time of a schedule snapshots are being requested, and since when."""

    async def run_due(self) -> None:
        """Run what is due of every policy, and delete what is surplus since its last run."""
        seen = set[str]()
        async for policies in self._pages("entities", kind="snapshot_policy", status="active"):
            for policy in policies:
                seen.add(policy.id)
                await self._run_policy(policy)
        for known in (self._trimmed, self._first_tries):
            for key in [key for key in known if key[0] not in seen]:
                del known[key]

    async def _run_policy(self, policy: SnapshotPolicy) -> None:
        """The same of one policy; an error does not stop the others, and the next round tries again."""
        try:
            for item in untrimmed(policy, self._trimmed):
                await self._trim(item)
            for item in due(policy, self._clock()):
                await self._run(item)
        except ShareActorsError as error:
            logger.warning("snapshot policy %s: %s", policy.id, error)
        except Exception:  # any bug
            logger.exception("snapshot policy %s failed; it will be retried", policy.id)

    async def _run(self, item: Due) -> None:
        began = self._first_try(item)
        outcomes = await asyncio.gather(*(self._take(i, item) for i in item.policy.shares))
        late = self._clock() - began > timedelta(seconds=min(RETRY_S, item.schedule.every_s / 2))
        if any(outcome.transient for outcome in outcomes) and not late:
            return  # the next round tries again; what is requested already is not requested twice
        told = dict(zip(item.policy.shares, outcomes, strict=True))
        failed = {i: o.reason for i, o in told.items() if o.reason is not None}
        run = PolicyRun(
            every_s=item.schedule.every_s,
            at=item.at,
            requested=len(told) - len(failed),
            missed=item.missed,
            failed=dict(islice(failed.items(), MAX_FAILURES)),
        )
        await self._tell(f"{ADDRESS}{item.policy.id}", RecordRun(run=run))

    def _first_try(self, item: Due) -> datetime:
        """When snapshots were first requested for this time; a time that passed long ago is tried as long."""
        key = (item.policy.id, item.schedule.every_s)
        at, began = self._first_tries.get(key, (None, None))
        if began is None or at != item.at:
            began = self._clock()
            self._first_tries[key] = (item.at, began)
        return began

    async def _take(self, share_id: str, item: Due) -> Outcome:
        """Request the snapshot of one share."""
        async with self._limit:
            try:
                return await self._requested(share_id, item)
            except ShareActorsError as error:
                final = isinstance(error, _FINAL)
                return Outcome(str(error)[: REASON.most], transient=not final)

    async def _requested(self, share_id: str, item: Due) -> Outcome:
        share = await self._share(share_id)
        if share is None:  # the catalog may be behind the log
            return Outcome(NO_SHARE, transient=True)
        if share.status in GONE or share.project_id != item.policy.project_id:
            detach = DetachShares(shares=(share_id,))
            await self._tell(f"{ADDRESS}{item.policy.id}", detach)
            return Outcome(f"{NO_SHARE}; it was detached")
        new = snapshot_id(item.policy.id, share_id, item.schedule, item.at)
        if any(snapshot.id == new for snapshot in share.snapshots):
            return Outcome()  # it was requested by an earlier try
        command = CreateSnapshot(snapshot_id=new, name=snapshot_name(item.policy, item.at))
        try:
            await self._tell(share_id, command)
        except Refused as error:
            return Outcome(str(error)[: REASON.most], transient=share.status in AT_WORK)
        return Outcome()

    async def _trim(self, item: Due) -> None:
        """Delete the surplus snapshots of a schedule, once those of its last run are made.

        The policy is read once more: what was changed or detached since it was listed is not deleted.
        """
        view = self._entity_client.view(SnapshotPolicy, f"{ADDRESS}{item.policy.id}")
        policy = await within(TRY_S, view)
        schedule = next((s for s in policy.schedules if s.every_s == item.schedule.every_s), None)
        if schedule is None:
            return
        item = item._replace(policy=policy, schedule=schedule)
        made = await asyncio.gather(*(self._trim_share(i, item) for i in item.policy.shares))
        if all(made):
            self._trimmed[item.policy.id, item.schedule.every_s] = item.at

    async def _trim_share(self, share_id: str, item: Due) -> bool:
        """Delete the surplus snapshots of a share; False while its newest one is being made."""
        async with self._limit:
            try:
                return await self._trimmed_share(share_id, item)
            except ShareActorsError as error:
                logger.info("share %s: surplus snapshots are not deleted yet: %s", share_id, error)
                return False

    async def _trimmed_share(self, share_id: str, item: Due) -> bool:
        share = await self._share(share_id)
        if share is None:
            return True
        newest = snapshot_id(item.policy.id, share_id, item.schedule, item.at)
        if any(s.id == newest and s.status == "creating" for s in share.snapshots):
            return False
        for surplus_id in surplus(share, item):
            try:
                await self._tell(share_id, DeleteSnapshot(snapshot_id=surplus_id))
            except _FINAL as error:  # such as one that the share is being reverted to
                logger.info("share %s: snapshot %s is kept: %s", share_id, surplus_id, error)
        return True

    async def _share(self, share_id: str) -> Share | None:
        share: Share | None = await self._catalog.ask("share", share_id=share_id)
        return share

    async def _tell(self, address: str, command: Command) -> None:
        """Have *command* recorded; raises `Unavailable` if that takes longer than `TRY_S`."""
        await within(TRY_S, self._entity_client.tell(address, command, SYSTEM_CONTEXT))
