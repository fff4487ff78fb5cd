"""Resource locks of a share and of its access rules, given, when, then."""

from __future__ import annotations

import pytest

from share_actors.events import share
from share_actors.events.share.access import AccessAllowed, DenyAccess
from share_actors.events.share.forgetting import ForgetShare, ShareForgetRequested, ShareForgotten
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import (
    DeleteShare,
    LockShare,
    ShareCommand,
    ShareDeletionRequested,
    SoftDeleteShare,
    UnlockShare,
)
from share_actors.events.share.protection import locks
from share_actors.events.share.protection.locks import ShareLocked, ShareUnlocked
from share_actors.testing import Spec
from tests.events.share_events import NOON, began, created, requested

available = Spec(share).given(requested(size=2), began("create"), created())
with_rule = available.given(
    AccessAllowed(access_id="r", access_type="user", access_to="bob", access_level="rw")
)


def lock(
    lock_id: str = "l", access_id: str | None = None, reason: str | None = None, admin: bool = False
) -> ShareLocked:
    return ShareLocked(
        lock_id=lock_id,
        access_id=access_id,
        reason=reason,
        by_admin=admin,
        user_id="alice",
        at=NOON,
    )


locked = available.given(lock(reason="payroll"))


def test_a_share_is_locked_with_a_reason_and_who_did_it() -> None:
    command = LockShare(lock_id="l", reason="payroll", user_id="alice", at=NOON)

    spec = available.when(command)

    spec.then(lock(reason="payroll"))
    spec.then_state(lambda state: [(k.id, k.reason) for k in state.share.locks], [("l", "payroll")])


def test_the_same_lock_again_is_no_event_and_another_one_under_its_id_is_rejected() -> None:
    again = LockShare(lock_id="l", reason="payroll", user_id="alice")

    locked.when(again).then()
    locked.when(again.replace(reason="other")).then_rejected("lock l exists already")


@pytest.mark.parametrize(
    "command",
    [DeleteShare(), DeleteShare(now=True), SoftDeleteShare(grace_s=5), UnmanageShare()],
    ids=lambda command: type(command).__name__,
)
def test_a_locked_share_is_neither_deleted_nor_unmanaged(command: ShareCommand) -> None:
    locked.when(command).then_rejected(r"it has lock l \(payroll\)")


def test_a_locked_share_whose_backend_is_gone_can_be_forgotten() -> None:
    spec = locked.when(ForgetShare(reason="its disk broke"))

    spec.then(
        ShareForgetRequested(reason="its disk broke"), ShareForgotten(reason="its disk broke")
    )
    spec.then_state(lambda state: state.share.locks, ())


def test_a_share_is_deleted_once_its_last_lock_is_removed() -> None:
    two = locked.given(lock("m"))

    two.given(ShareUnlocked(lock_id="l")).when(DeleteShare()).then_rejected("lock m")
    unlocked = two.given(ShareUnlocked(lock_id="l"), ShareUnlocked(lock_id="m"))
    unlocked.when(DeleteShare()).then(ShareDeletionRequested(cascade=False))


def test_a_locked_access_rule_is_not_removed_and_keeps_its_share() -> None:
    rule_locked = with_rule.given(lock(access_id="r"))

    rule_locked.when(DenyAccess(access_id="r")).then_rejected("access rule r cannot be removed")
    rule_locked.when(DeleteShare()).then_rejected("lock l on access rule r")


def test_a_locked_share_still_changes_its_access_rules() -> None:
    spec = with_rule.given(lock()).when(DenyAccess(access_id="r"))

    spec.then_state(lambda state: state.rules.rules["r"].state, "denying")


def test_an_access_rule_that_there_is_not_or_that_is_being_removed_is_not_locked() -> None:
    command = LockShare(lock_id="l", access_id="r")

    available.when(command).then_rejected("there is no access rule r")
    leaving = with_rule.given(*share.decide(DenyAccess(access_id="r"), with_rule.state))
    leaving.when(command).then_rejected("is being removed")


def test_the_lock_of_an_administrator_is_removed_by_an_administrator() -> None:
    given = available.given(lock(admin=True))

    given.when(UnlockShare(lock_id="l")).then_rejected("an administrator set lock l")
    given.when(UnlockShare(lock_id="l", by_admin=True)).then(ShareUnlocked(lock_id="l"))


def test_a_lock_that_there_is_not_is_not_removed() -> None:
    available.when(UnlockShare(lock_id="l")).then_rejected("there is no lock l")


def test_the_number_of_locks_is_limited() -> None:
    full = available.given(*(lock(str(n)) for n in range(locks.MAX_LOCKS)))

    full.when(LockShare(lock_id="one-more")).then_rejected("100 locks")


def test_a_share_that_is_being_deleted_is_not_locked() -> None:
    deleting = available.given(ShareDeletionRequested(cascade=False))

    deleting.when(LockShare(lock_id="l")).then_rejected("the share is deleting")


def test_an_administrators_lock_is_an_operation_of_its_own() -> None:
    assert LockShare(lock_id="l").operation() == "share.lock"
    assert LockShare(lock_id="l", by_admin=True).operation() == "share.lock_by_admin"
    assert UnlockShare(lock_id="l", by_admin=True).operation() == "share.lock_by_admin"
