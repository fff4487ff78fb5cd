"""Requests of the asynchronous client about the snapshots of a share, and who may mount them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import mapping, word
from share_actors.client.ids import chosen_id, created_id
from share_actors.client.keywords import RequestOptions, with_command_id
from share_actors.client.share.blocking import blocking
from share_actors.client.share.changes import AsyncShareChanges, ShareChanges
from share_actors.client.share.exits import id_of
from share_actors.errors import NotFound
from share_actors.events.decider import Command
from share_actors.events.share.rules import same_client_of
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
)
from share_actors.values import AccessRule, Share, Snapshot


class AsyncShareSnapshots(AsyncShareChanges, ABC):
    """The part of `AsyncShare` about its snapshots."""

    @abstractmethod
    async def _ask_for_share(self, command: Command, options: RequestOptions) -> Share:
        """The share, or the part of it in the reply, once *command* is done (or recorded)."""

    async def create_snapshot(
        self, name: str | None = None, **options: Unpack[RequestOptions]
    ) -> Snapshot:
        """Create a snapshot; raises `Refused` if the backend does not support snapshots.

        >>> snapshot = share.create_snapshot("monday")
        >>> snapshot.status
        'available'
        """
        command_id, options = with_command_id(options)
        snapshot_id = created_id(command_id, self._requests.context.project_id)
        command = build(CreateSnapshot, {"snapshot_id": snapshot_id, "name": name})
        return snapshot_in(await self._ask_for_share(command, options), snapshot_id)

    async def delete_snapshot(
        self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]
    ) -> None:
        """Delete one of the share's snapshots (or the one with this id); raises `NotFound`.

        Its access rules are removed first: its clients lose their access.
        """
        await self._ask(build(DeleteSnapshot, {"snapshot_id": id_of(snapshot)}), options)

    async def manage_snapshot(
        self,
        provider_location: str,
        name: str | None = None,
        *,
        driver_options: Mapping[str, object] | None = None,
        snapshot_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Snapshot:
        """Manage what is at *provider_location* on the backend as a snapshot of this share.

        *driver_options* are for the driver. *snapshot_id* (default: generated): that of a snapshot which
        was forgotten or unmanaged brings it back. Raises `OperationFailed` with the driver's reason.
        """
        command_id, options = with_command_id(options)
        project_id = self._requests.context.project_id
        snapshot_id = chosen_id("snapshot_id", snapshot_id, command_id, project_id)
        fields = {"snapshot_id": snapshot_id, "name": name, "provider_location": provider_location}
        located = {**fields, "driver_options": mapping("driver_options", driver_options)}
        command = build(ManageSnapshot, located)
        return snapshot_in(await self._ask_for_share(command, options), snapshot_id)

    async def allow_snapshot_access(
        self,
        snapshot: Snapshot | str,
        to: str,
        *,
        type: str = "user",  # noqa: A002 - Manila's name
        level: str = "ro",
        **options: Unpack[RequestOptions],
    ) -> AccessRule:
        """Allow *to* to mount a snapshot by itself and read it; the same rule twice is one rule.

        Rules of a snapshot give no access to its share, and rules of a share none to its snapshots.
        *type*: ip, user, cert or cephx. *level*: ro alone. Raises `InvalidRequest` for another level or a
        type that the share's backend does not support, `NotFound`, and `Refused` for a snapshot that is not
        available and for a backend that cannot mount snapshots. The snapshot's `export_locations`, in
        `snapshots`, tell where the client mounts it.
        """
        command_id, options = with_command_id(options)
        rule = {"access_type": type, "access_to": to, "access_level": level}
        ids = {"access_id": created_id(command_id, self._requests.context.project_id)}
        command = build(AllowSnapshotAccess, {**ids, **rule, "snapshot_id": id_of(snapshot)})
        assert isinstance(command, AllowSnapshotAccess)
        share = await self._ask_for_share(command, options)
        rules = snapshot_in(share, command.snapshot_id).access_rules
        allowed = same_client_of(rules, command.access_type, command.access_to)
        if allowed is None:  # it was denied again in the meantime
            text = f"the rule for {type} {to} is gone already"
            raise NotFound(text, field="access_to", value=to)
        return allowed

    async def deny_snapshot_access(
        self,
        snapshot: Snapshot | str,
        rule: AccessRule | str,
        **options: Unpack[RequestOptions],
    ) -> None:
        """Remove a rule of a snapshot (or the rule with this id); raises `NotFound`.

        With its last rule the snapshot loses its export.
        """
        access_id = rule.id if isinstance(rule, AccessRule) else word("rule", rule)
        fields = {"snapshot_id": id_of(snapshot), "access_id": access_id}
        await self._ask(build(DenySnapshotAccess, fields), options)


def snapshot_in(share: Share, snapshot_id: str) -> Snapshot:
    """The snapshot of *share*; raises `NotFound` if it was deleted in the meantime."""
    found = next((snapshot for snapshot in share.snapshots if snapshot.id == snapshot_id), None)
    if found is None:
        raise NotFound(f"snapshot {snapshot_id} is gone already", field="id", value=snapshot_id)
    return found


class ShareSnapshots(ShareChanges):
    """The same of `ShareHandle`."""

    create_snapshot = blocking(AsyncShareSnapshots.create_snapshot)
    delete_snapshot = blocking(AsyncShareSnapshots.delete_snapshot)
    allow_snapshot_access = blocking(AsyncShareSnapshots.allow_snapshot_access)
    deny_snapshot_access = blocking(AsyncShareSnapshots.deny_snapshot_access)
    manage_snapshot = blocking(AsyncShareSnapshots.manage_snapshot)
