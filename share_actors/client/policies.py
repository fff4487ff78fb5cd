"""The asynchronous client's snapshot policies, and their synchronous form."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import items, refuse, word
from share_actors.client.entities import AsyncEntityCollection
from share_actors.client.ids import command_id_of, created_id
from share_actors.client.sync.background_loop import run
from share_actors.client.sync.entities import EntityCollection
from share_actors.events.snapshot_policy import (
    AttachShares,
    ChangeSnapshotPolicy,
    CreateSnapshotPolicy,
    DeleteSnapshotPolicy,
    DetachShares,
)
from share_actors.values import SnapshotPolicy, SnapshotSchedule


class AsyncSnapshotPolicyCollection(AsyncEntityCollection[SnapshotPolicy]):
    """Snapshot policies: schedules, and the shares whose snapshots are taken by them."""

    _kind = "snapshot_policy"
    _entity_type = SnapshotPolicy

    async def create(
        self, name: str, schedules: Iterable[SnapshotSchedule], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Create a policy of the user's project, as of yet for no share.

        *schedules*: such as `[SnapshotSchedule.hourly(24), SnapshotSchedule.daily(7)]`; one for each period.
        """
        command_id, context = command_id_of(command_id), self._requests.context
        policy_id = created_id(command_id, context.project_id)
        owner = {"project_id": context.project_id, "user_id": context.user_id}
        given = tuple(items("schedules", schedules))
        fields = {"policy_id": policy_id, "name": word("name", name), "schedules": given, **owner}
        command = build(CreateSnapshotPolicy, fields)
        return await self._ask(f"{self._kind}:{policy_id}", command, command_id=command_id)

    async def change(
        self, policy: str, schedules: Iterable[SnapshotSchedule], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Replace the schedules; snapshots of a period that is left out are not deleted any more."""
        given = tuple(items("schedules", schedules))
        command = build(ChangeSnapshotPolicy, {"schedules": given})
        return await self._ask(await self._address(policy), command, command_id=command_id)

    async def attach(
        self, policy: str, shares: Iterable[str], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Take snapshots of these shares (ids) as well; raises `NotFound` for one that there is not.

        Raises `InvalidRequest` for one of another project than the policy's.
        """
        address = await self._address(policy)
        ids = await self._known(shares, await self._view(address))
        return await self._ask(address, build(AttachShares, {"shares": ids}), command_id=command_id)

    async def detach(
        self, policy: str, shares: Iterable[str], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Take no more snapshots of these shares (ids); the present ones stay for good."""
        ids = tuple(word("shares", share) for share in items("shares", shares))
        command = build(DetachShares, {"shares": ids})
        return await self._ask(await self._address(policy), command, command_id=command_id)

    async def delete(self, policy: str, *, command_id: str | None = None) -> None:
        """Delete a policy; its snapshots stay."""
        await self._ask(await self._address(policy), DeleteSnapshotPolicy(), command_id=command_id)

    async def _known(self, shares: Iterable[str], policy: SnapshotPolicy) -> tuple[str, ...]:
        """The ids of *shares*, all of which there are in the project of *policy*."""
        ids = tuple(word("shares", share) for share in items("shares", shares))
        for share in await asyncio.gather(*map(self._requests.view, ids)):
            if share.project_id != policy.project_id:
                why = f"is not of project {policy.project_id!r}, which the policy is of"
                refuse("shares", share.id, why)
        return ids


class SnapshotPolicyCollection(EntityCollection[SnapshotPolicy]):
    """Snapshot policies; see `AsyncSnapshotPolicyCollection`."""

    def __init__(self, collection: AsyncSnapshotPolicyCollection) -> None:
        super().__init__(collection)
        self._policies = collection

    def create(
        self, name: str, schedules: Iterable[SnapshotSchedule], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Create a policy of the user's project, as of yet for no share."""
        return run(self._policies.create(name, schedules, command_id=command_id))

    def change(
        self, policy: str, schedules: Iterable[SnapshotSchedule], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Replace the schedules; snapshots of a period that is left out are not deleted any more."""
        return run(self._policies.change(policy, schedules, command_id=command_id))

    def attach(
        self, policy: str, shares: Iterable[str], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Take snapshots of these shares (ids) as well; raises `NotFound` for one that there is not."""
        return run(self._policies.attach(policy, shares, command_id=command_id))

    def detach(
        self, policy: str, shares: Iterable[str], *, command_id: str | None = None
    ) -> SnapshotPolicy:
        """Take no more snapshots of these shares (ids); the present ones stay."""
        return run(self._policies.detach(policy, shares, command_id=command_id))

    def delete(self, policy: str, *, command_id: str | None = None) -> None:
        """Delete a policy; its snapshots stay."""
        run(self._policies.delete(policy, command_id=command_id))
