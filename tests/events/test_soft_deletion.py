"""Soft deletion and restoration of a share, given, when, then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from share_actors.audit import exits
from share_actors.events import share
from share_actors.events.share.access import (
    AccessAllowed,
    AccessRulesApplied,
    AllowAccess,
    ApplyRules,
)
from share_actors.events.share.ensure import Ensure
from share_actors.events.share.messages import (
    DeleteDueShare,
    DeleteShare,
    Destroy,
    ExtendShare,
    RestoreShare,
    ShareCommand,
    ShareDeletionRequested,
    ShareErrored,
    ShareResizeRequested,
    SoftDeleteShare,
)
from share_actors.events.share.protection.soft_deletion import (
    MAX_GRACE_S,
    ShareRestored,
    ShareSoftDeleted,
)
from share_actors.events.share.snapshot.messages import CreateSnapshot, SnapshotRequested
from share_actors.testing import Spec
from tests.events.share_events import NOON, began, created, requested

DAY = timedelta(days=1)
SOON = ShareSoftDeleted(until=NOON + DAY, cascade=False)
new = Spec(share).given(requested(size=2))
available = new.given(began("create"), created())
of_type = Spec(share).given(
    requested(size=2).replace(extra_specs={"deletion:grace_period": "7d"}),
    began("create"),
    created(),
)
kept = available.given(SOON)
with_snapshot = available.given(SnapshotRequested(snapshot_id="n", name=None, at=NOON))


def status(state: share.ShareState) -> str:
    return state.share.status


def test_a_share_is_kept_for_the_grace_period() -> None:
    spec = available.when(SoftDeleteShare(grace_s=86400, at=NOON))

    spec.then(SOON)
    spec.then_state(status, "soft_deleted")
    spec.then_state(lambda state: state.share.scheduled_to_be_deleted_at, NOON + DAY)
    spec.then_state(share.pending, None)


def test_a_second_soft_deletion_sets_another_time() -> None:
    later = ShareSoftDeleted(until=NOON + 2 * DAY, cascade=False)

    spec = kept.when(SoftDeleteShare(grace_s=2 * 86400, at=NOON))

    spec.then(later)
    kept.given(later).when(RestoreShare()).then_state(status, "available")


def test_a_restored_share_is_available_and_is_exported_again() -> None:
    spec = kept.when(RestoreShare())

    spec.then(ShareRestored(ensure=True))
    spec.then_state(status, "available")
    spec.then_state(lambda state: state.share.scheduled_to_be_deleted_at, None)
    spec.then_state(share.pending, Ensure())


def test_a_share_that_is_not_softly_deleted_is_not_restored() -> None:
    available.when(RestoreShare()).then_rejected("it must be soft_deleted")


@pytest.mark.parametrize(
    "command",
    [
        ExtendShare(size=3),
        AllowAccess(access_id="a", access_type="user", access_to="bob"),
        CreateSnapshot(snapshot_id="m", at=NOON),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_of_a_softly_deleted_share_can_be_changed(command: ShareCommand) -> None:
    kept.when(command).then_rejected("the share is soft_deleted")


def test_work_that_was_pending_before_the_soft_deletion_goes_on() -> None:
    allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")
    given = available.given(allowed, SOON)

    assert isinstance(share.pending(given.state), ApplyRules)


def test_a_share_whose_grace_period_is_over_is_deleted() -> None:
    spec = kept.when(DeleteDueShare(at=NOON + DAY))

    spec.then(ShareDeletionRequested(cascade=False))
    spec.then_state(share.pending, Destroy())
    spec.then_state(lambda state: state.share.scheduled_to_be_deleted_at, None)


def test_a_second_deletion_does_not_end_the_grace_period_unless_it_says_so() -> None:
    kept.when(DeleteShare(at=NOON)).then()
    kept.when(DeleteShare(now=True, at=NOON)).then(ShareDeletionRequested(cascade=False))


def test_a_share_is_not_deleted_before_its_grace_period_is_over_or_after_it_was_restored() -> None:
    kept.when(DeleteDueShare(at=NOON)).then_rejected("the share is kept until 2026-03-02")
    restored = kept.given(ShareRestored(ensure=False))
    restored.when(DeleteDueShare(at=NOON + DAY)).then_rejected("it must be soft_deleted")


def test_snapshots_are_deleted_with_the_share_if_that_was_requested() -> None:
    with_snapshot.when(SoftDeleteShare(grace_s=5, at=NOON)).then_rejected(r"has snapshots \(n\)")
    cascading = ShareSoftDeleted(until=NOON + DAY, cascade=True)
    with_snapshot.when(SoftDeleteShare(grace_s=86400, cascade=True, at=NOON)).then(cascading)
    due = with_snapshot.given(cascading).when(DeleteDueShare(at=NOON + DAY))
    due.then(ShareDeletionRequested(cascade=True))


def test_the_grace_period_of_the_share_type_is_the_default() -> None:
    soft = ShareSoftDeleted(until=NOON + 7 * DAY, cascade=False)

    of_type.when(DeleteShare(at=NOON)).then(soft)
    of_type.when(DeleteShare(now=True, at=NOON)).then(ShareDeletionRequested(cascade=False))
    of_type.given(soft).when(DeleteShare(at=NOON)).then()
    of_type.given(soft).when(DeleteShare(now=True)).then(ShareDeletionRequested(cascade=False))


def test_a_share_in_error_after_a_resize_is_restored_as_it_was() -> None:
    failed = ShareErrored(doing="extend", reason="the disk is full")
    resizing = ShareResizeRequested(doing="extend", size=3)
    in_error = available.given(resizing, began("extend"), failed)

    spec = in_error.given(SOON).when(RestoreShare())

    spec.then(ShareRestored(ensure=False))
    spec.then_state(status, "error")
    spec.then_state(lambda state: state.share.status_reason, "the disk is full")


def test_a_softly_deleted_share_with_a_failed_rule_can_be_restored() -> None:
    allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")
    failed = AccessRulesApplied(failed={"a": "no such user"})
    state = of_type.given(allowed, began("access"), failed, SOON).state

    assert [exit_.operation for exit_ in exits.of_share(state)] == ["share.restore", "share.forget"]


def test_a_share_without_data_has_no_grace_period() -> None:
    new.when(SoftDeleteShare(grace_s=5)).then_rejected("the share is creating")
    creating = Spec(share).given(
        requested(size=2).replace(extra_specs={"deletion:grace_period": "7d"})
    )
    creating.when(DeleteShare(at=NOON)).then(ShareDeletionRequested(cascade=False))


@pytest.mark.parametrize("grace_s", [0, -1, MAX_GRACE_S + 1, 1.5, "7d"])
def test_a_grace_period_that_is_none_is_refused(grace_s: object) -> None:
    with pytest.raises(ValidationError, match="grace_s"):
        SoftDeleteShare.model_validate({"grace_s": grace_s})
