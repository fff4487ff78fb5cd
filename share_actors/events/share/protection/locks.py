"""Resource locks: a share cannot be deleted, nor an access rule removed, until its locks are.

Manila's `resource-locks` with the action `delete`. A service such as Nova locks what it uses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from pydantic import Field

from share_actors.events.decider import EPOCH, Command, Event, Missing, Rejected
from share_actors.events.share.state import ShareState
from share_actors.values import ResourceLock
from share_actors.values.checks.fields import Id, Name, Reason

MAX_LOCKS: Final = 100
"""How many locks one share may have, those of its access rules included."""
_UNLOCKABLE = ("deleting", "deleted", "soft_deleted", "unmanage_starting", "unmanaged")


# -- messages ------------------------------------------------------------------------------------
class LockShare(Command, topic="share.lock"):
    """Lock a share against deletion, or its access rule *access_id* against removal.

    Manila's `resource_locks.create`. With *by_admin* only an administrator can remove the lock.
    """

    lock_id: Id
    access_id: Id | None = None
    reason: Reason | None = None
    by_admin: bool = Field(default=False, strict=True)
    user_id: Name = ""
    at: datetime = EPOCH

    def operation(self) -> str:
        """Return the operation; an administrator's lock takes a greater role."""
        return "share.lock_by_admin" if self.by_admin else self.topic


class UnlockShare(Command, topic="share.unlock"):
    """Remove a lock (Manila's `resource_locks.delete`); *by_admin*: also one of an administrator."""

    lock_id: Id
    by_admin: bool = Field(default=False, strict=True)

    def operation(self) -> str:
        """Return the operation; an administrator's lock takes a greater role."""
        return "share.lock_by_admin" if self.by_admin else self.topic


class ShareLocked(Event, topic="share.locked"):
    """The share, or its access rule *access_id*, has this lock."""

    lock_id: str
    access_id: str | None
    reason: str | None
    by_admin: bool
    user_id: str
    at: datetime


class ShareUnlocked(Event, topic="share.unlocked"):
    """The lock is removed."""

    lock_id: str


LockCommand = LockShare | UnlockShare
LockEvent = ShareLocked | ShareUnlocked


# -- decisions -----------------------------------------------------------------------------------
def decide(command: LockCommand, state: ShareState) -> list[LockEvent]:
    """The events that *command* comes to; raises `Rejected` if it is not possible now."""
    match command:
        case LockShare():
            return _lock(command, state)
        case UnlockShare():
            return _unlock(command, state)
        case _:
            assert_never(command)


def _lock(command: LockShare, state: ShareState) -> list[LockEvent]:
    locked = ShareLocked(**command.__dict__)
    present = _find(state, command.lock_id)
    if present is not None:
        if present.replace(created_at=None) == _lock_of(locked).replace(created_at=None):
            return []
        raise Rejected(f"lock {command.lock_id} exists already with other properties")
    if state.share.status in _UNLOCKABLE:
        raise Rejected(f"the share is {state.share.status}: it cannot be locked")
    if command.access_id is not None and command.access_id not in state.rules.rules:
        raise Missing("access rule", field="access_id", value=command.access_id)
    if command.access_id is not None and _is_leaving(command.access_id, state):
        raise Rejected(f"access rule {command.access_id} is being removed: it cannot be locked")
    if len(state.share.locks) >= MAX_LOCKS:
        raise Rejected(f"the share has {MAX_LOCKS} locks, the most that it may have")
    return [locked]


def _is_leaving(access_id: str, state: ShareState) -> bool:
    return state.rules.rules[access_id].state == "denying"


def _unlock(command: UnlockShare, state: ShareState) -> list[LockEvent]:
    lock = _find(state, command.lock_id)
    if lock is None:
        raise Missing("lock", field="lock_id", value=command.lock_id)
    if lock.by_admin and not command.by_admin:
        raise Rejected(f"an administrator set {_named(lock)}: only an administrator can remove it")
    return [ShareUnlocked(lock_id=lock.id)]


def _find(state: ShareState, lock_id: str) -> ResourceLock | None:
    return next((lock for lock in state.share.locks if lock.id == lock_id), None)


def require_unlocked(state: ShareState, doing: str) -> None:
    """Raise `Rejected` if the share or one of its access rules is locked; *doing*: such as `deleted`."""
    if state.share.locks:
        locks = ", ".join(_named(lock) for lock in state.share.locks)
        raise Rejected(
            f"the share cannot be {doing}: it has {locks}. Remove it first: `share unlock`"
        )


def require_rule_unlocked(access_id: str, state: ShareState) -> None:
    """Raise `Rejected` if this access rule is locked."""
    for lock in state.share.locks:
        if lock.access_id == access_id:
            raise Rejected(
                f"access rule {access_id} cannot be removed: it has {_named(lock)}."
                " Remove it first: `share unlock`"
            )


def _named(lock: ResourceLock) -> str:
    what = "" if lock.access_id is None else f" on access rule {lock.access_id}"
    why = "" if lock.reason is None else f" ({lock.reason})"
    return f"lock {lock.id}{what}{why}"


def _lock_of(event: ShareLocked) -> ResourceLock:
    fields = dict(event.__dict__)
    return ResourceLock(id=fields.pop("lock_id"), created_at=fields.pop("at"), **fields)


def evolve(state: ShareState, event: LockEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareLocked():
            locks = (*state.share.locks, _lock_of(event))
        case ShareUnlocked(lock_id=i):
            locks = tuple(lock for lock in state.share.locks if lock.id != i)
        case _:
            assert_never(event)
    return state.replace(share=state.share.replace(locks=locks))


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: LockEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareLocked(lock_id=i, access_id=rule, reason=reason, by_admin=by_admin):
            what = "it against deletion" if rule is None else f"access rule {rule}"
            admin = " as an administrator" if by_admin else ""
            return f"{who} locked {what}{admin} (lock {i}){'' if reason is None else f': {reason}'}"
        case ShareUnlocked(lock_id=i):
            return f"{who} removed lock {i}"
        case _:
            assert_never(event)
