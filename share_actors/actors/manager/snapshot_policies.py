"""Takes the snapshots of snapshot policies when they are due, and deletes those that are more than are kept.

A run has no state of its own: the id of a snapshot follows from its policy, share and time, so that a run
that was cut off is repeated without taking anything twice, and the policy records it when it is complete.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.ports import CatalogPort
from share_actors.errors import (
    Busy,
    InvalidRequest,
    NotFound,
    Refused,
    Unavailable,
)
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
    """The ids of the snapshots of a schedule that are older than those that are kept, the oldest first."""
    own = sorted(_own(share.snapshots, share.id, item))
    good = [at for at, snapshot in own if snapshot.status in ("available", "creating")]
    oldest_kept = good[-item.schedule.keep] if len(good) >= item.schedule.keep else None
    return [
        snapshot.id
        for at, snapshot in own
        if oldest_kept is not None and at < oldest_kept and snapshot.status != "deleting"
    ]


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

    async def run_due(self) -> None:
        """Run what is due of every policy, and delete what is surplus since its last run."""
        async for policies in self._pages("entities", kind="snapshot_policy", status="active"):
            for policy in policies:
                for item in untrimmed(policy, self._trimmed):
                    await self._trim(item)
                for item in due(policy, self._clock()):
                    await self._run(item)

    async def _run(self, item: Due) -> None:
        outcomes = await asyncio.gather(*(self._take(i, item) for i in item.policy.shares))
        late = self._clock() - item.at > timedelta(seconds=min(RETRY_S, item.schedule.every_s / 2))
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
        address = f"{ADDRESS}{item.policy.id}"
        await self._entity_client.tell(address, RecordRun(run=run), SYSTEM_CONTEXT)

    async def _take(self, share_id: str, item: Due) -> Outcome:
        """Request the snapshot of one share."""
        async with self._limit:
            share = await self._share(share_id)
            if share is None:  # the catalog may be behind the log
                return Outcome("there is no such share", transient=True)
            if share.status in GONE:
                await self._detach(share_id, item.policy)
                return Outcome("the share is gone; it was detached")
            if share.project_id != item.policy.project_id:
                return Outcome("the share is not of the policy's project")
            command = CreateSnapshot(
                snapshot_id=snapshot_id(item.policy.id, share_id, item.schedule, item.at),
                name=snapshot_name(item.policy, item.at),
            )
            try:
                await self._entity_client.tell(share_id, command, SYSTEM_CONTEXT)
            except (Busy, Unavailable) as error:
                return Outcome(str(error)[: REASON.most], transient=True)
            except (Refused, NotFound, InvalidRequest) as error:
                return Outcome(str(error)[: REASON.most])
            return Outcome()

    async def _trim(self, item: Due) -> None:
        """Delete the surplus snapshots of a schedule, once those of its last run are made."""
        made = await asyncio.gather(*(self._trim_share(i, item) for i in item.policy.shares))
        if all(made):
            self._trimmed[item.policy.id, item.schedule.every_s] = item.at

    async def _trim_share(self, share_id: str, item: Due) -> bool:
        """Delete the surplus snapshots of a share; False while its newest one is being made."""
        async with self._limit:
            share = await self._share(share_id)
            if share is None:
                return True
            newest = snapshot_id(item.policy.id, share_id, item.schedule, item.at)
            if any(s.id == newest and s.status == "creating" for s in share.snapshots):
                return False
            for surplus_id in surplus(share, item):
                command = DeleteSnapshot(snapshot_id=surplus_id)
                try:
                    await self._entity_client.tell(share_id, command, SYSTEM_CONTEXT)
                except (Busy, Unavailable):
                    return False
                except (Refused, NotFound) as error:  # a share is being created from it
                    logger.info("share %s: snapshot %s is kept: %s", share_id, surplus_id, error)
            return True

    async def _share(self, share_id: str) -> Share | None:
        share: Share | None = await self._catalog.ask("share", share_id=share_id)
        return share

    async def _detach(self, share_id: str, policy: SnapshotPolicy) -> None:
        command = DetachShares(shares=(share_id,))
        with suppress(Refused, NotFound):
            await self._entity_client.tell(f"{ADDRESS}{policy.id}", command, SYSTEM_CONTEXT)
