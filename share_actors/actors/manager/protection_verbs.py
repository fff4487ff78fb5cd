"""The manager's verbs that protect shares from deletion: locks and soft deletion, as in Manila's API."""

from __future__ import annotations

from share_actors.actors.manager.share_verbs import Context, VerbResult, Verbs, context_of
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import flag, new_id, number
from share_actors.events.share.messages import (
    LockShare,
    RestoreShare,
    SoftDeleteShare,
    UnlockShare,
)


class ProtectionVerbs(Verbs):
    """Manila's `soft_delete`, `restore` and `resource_locks`."""

    async def soft_delete_share(
        self,
        context: Context,
        share_id: str,
        grace_s: int,
        *,
        cascade: bool = False,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Delete a share after *grace_s* seconds, unless it is restored before."""
        fields = {"grace_s": number("grace_s", grace_s), "cascade": flag("cascade", cascade)}
        command = build(SoftDeleteShare, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def restore_share(
        self,
        context: Context,
        share_id: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Cancel the soft deletion of a share."""
        return await self._ask_share(context, share_id, RestoreShare(), wait, command_id)

    async def lock_share(
        self,
        context: Context,
        lock_id: str,
        *,
        share_id: str,
        access_id: str | None = None,
        reason: str | None = None,
        by_admin: bool = False,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Lock a share against deletion, or one of its access rules against removal."""
        fields = {
            "lock_id": new_id("lock_id", lock_id),
            "access_id": access_id,
            "reason": reason,
            "by_admin": flag("by_admin", by_admin),
            "user_id": context_of(context).user_id,
        }
        command = build(LockShare, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def unlock_share(
        self,
        context: Context,
        lock_id: str,
        *,
        share_id: str,
        by_admin: bool = False,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Remove a lock; *by_admin*: also one that an administrator set."""
        fields = {"lock_id": lock_id, "by_admin": flag("by_admin", by_admin)}
        command = build(UnlockShare, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)
