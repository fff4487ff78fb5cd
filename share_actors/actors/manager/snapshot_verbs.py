"""The manager's verbs for the access rules of snapshots (`ShareManager.snapshot_update_access`)."""

from __future__ import annotations

from share_actors.actors.manager.share_verbs import Context, VerbResult, Verbs, context_of
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import new_id
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess


class SnapshotVerbs(Verbs):
    """Letting clients mount a snapshot by itself, to read it, and ending that."""

    async def allow_snapshot_access(
        self,
        context: Context,
        access_id: str,
        *,
        snapshot_id: str,
        access_type: str,
        access_to: str,
        access_level: str = "ro",
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Add an access rule to a snapshot; its share is looked up unless given."""
        request = context_of(context)
        address = await self._address(share_id, "snapshot_share", snapshot_id, "snapshot", request)
        fields = {
            "access_id": new_id("access_id", access_id),
            "snapshot_id": snapshot_id,
            "access_type": access_type,
            "access_to": access_to,
            "access_level": access_level,
        }
        command = build(AllowSnapshotAccess, fields)
        return await self._ask(request, address, command, wait, command_id)

    async def deny_snapshot_access(
        self,
        context: Context,
        access_id: str,
        *,
        snapshot_id: str,
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Remove an access rule of a snapshot; the share is looked up unless given."""
        request = context_of(context)
        address = await self._address(share_id, "snapshot_share", snapshot_id, "snapshot", request)
        command = build(DenySnapshotAccess, {"access_id": access_id, "snapshot_id": snapshot_id})
        return await self._ask(request, address, command, wait, command_id)
