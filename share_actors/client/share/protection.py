"""Requests of the asynchronous client that protect a share: locks, and the restoration of a deleted one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Self, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import flag, whole_seconds, word
from share_actors.client.ids import created_id
from share_actors.client.keywords import RequestOptions, with_command_id
from share_actors.client.share.blocking import blocking, blocking_request
from share_actors.client.share.exits import AsyncShareExits, ShareExits
from share_actors.errors import InvalidRequest, NotFound
from share_actors.events.decider import Command
from share_actors.events.share.messages import (
    DeleteShare,
    LockShare,
    RestoreShare,
    SoftDeleteShare,
    UnlockShare,
)
from share_actors.values import AccessRule, ResourceLock, Share


class AsyncShareProtection(AsyncShareExits, ABC):
    """The part of `AsyncShare` that deletes it, and protects it from that."""

    @abstractmethod
    async def _ask_for_share(self, command: Command, options: RequestOptions) -> Share:
        """The share once *command* is done (or recorded)."""

    async def delete(
        self,
        cascade: bool = False,
        *,
        after: timedelta | None = None,
        now: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Self:
        """Delete the share, with its snapshots if *cascade*; raises `Refused` if it has any otherwise.

        With *after* it is deleted softly: it has the status `soft_deleted`, its clients go on, and
        `restore` brings it back until then. That is the default if its share type has a grace period;
        *now* deletes it at once, also one that is softly deleted already. Raises `Refused` for a share that
        is locked.

        >>> share.delete(wait=False).wait_for("deleted").status
        'deleted'
        """
        return await self._ask(_deletion(cascade, after, now), options)

    async def restore(self, **options: Unpack[RequestOptions]) -> Self:
        """Cancel a soft deletion: the share is as before; raises `Refused` if it is not softly deleted.

        >>> from datetime import timedelta
        >>> share.delete(after=timedelta(days=7)).restore().status
        'available'
        """
        return await self._ask(RestoreShare(), options)

    async def lock(
        self,
        reason: str | None = None,
        *,
        rule: AccessRule | str | None = None,
        by_admin: bool = False,
        **options: Unpack[RequestOptions],
    ) -> ResourceLock:
        """Lock the share against deletion, or one of its access rules (by id) against removal.

        A share with a locked rule cannot be deleted either. With *by_admin* only administrators can remove
        the lock. Raises `NotFound` for a rule that there is not, `Forbidden` for *by_admin* of a member.

        >>> lock = share.lock("used by the payroll")
        >>> share.unlock(lock).locks
        ()
        """
        command_id, options = with_command_id(options)
        context = self._requests.context
        fields = {
            "lock_id": created_id(command_id, context.project_id),
            "access_id": rule.id if isinstance(rule, AccessRule) else rule,
            "reason": reason,
            "by_admin": flag("by_admin", by_admin),
            "user_id": context.user_id,
        }
        share = await self._ask_for_share(build(LockShare, fields), options)
        lock_id = fields["lock_id"]
        made = [lock for lock in share.locks if lock.id == lock_id]
        if not made:  # it was removed again in the meantime
            raise NotFound(f"lock {lock_id} is gone already", field="lock_id", value=lock_id)
        return made[0]

    async def unlock(
        self,
        lock: ResourceLock | str,
        *,
        by_admin: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Self:
        """Remove a lock (or the one with this id); *by_admin*: also one that an administrator set.

        Raises `NotFound`, and `Refused` for an administrator's lock without *by_admin*.

        >>> share.unlock(share.lock()).locks
        ()
        """
        lock_id = lock.id if isinstance(lock, ResourceLock) else word("lock", lock)
        fields = {"lock_id": lock_id, "by_admin": flag("by_admin", by_admin)}
        return await self._ask(build(UnlockShare, fields), options)


def _deletion(cascade: bool, after: timedelta | None, now: bool) -> Command:
    if after is None:
        return build(DeleteShare, {"cascade": cascade, "now": flag("now", now)})
    if now:
        raise InvalidRequest("after: is given together with now", field="after", value=after)
    return build(SoftDeleteShare, {"cascade": cascade, "grace_s": whole_seconds("after", after)})


class ShareProtection(ShareExits):
    """The same of `ShareHandle`."""

    delete = blocking_request(AsyncShareProtection.delete)
    restore = blocking_request(AsyncShareProtection.restore)
    lock = blocking(AsyncShareProtection.lock)
    unlock = blocking_request(AsyncShareProtection.unlock)
