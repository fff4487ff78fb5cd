"""Reverting a share to its latest snapshot: what it decides, becomes and owes."""

from __future__ import annotations

import pytest

from share_actors.events import share
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Missing
from share_actors.events.share import ShareState
from share_actors.events.share.access import (
    AccessAllowed,
    AccessDenied,
    ApplyRules,
    DenyAccess,
)
from share_actors.events.share.messages import (
    ConfirmReverted,
    DeleteShare,
    ExtendShare,
    RetryRequested,
    RetryShare,
    Revert,
    RevertToSnapshot,
    ShareCommand,
    ShareDeletionRequested,
    ShareEffect,
    ShareErrored,
    ShareEvent,
    ShareResized,
    ShareResizeRequested,
    ShareReverted,
    ShareRevertRefused,
    ShareRevertRequested,
)
from share_actors.events.share.revert import REMOUNT
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    DropSnapshot,
    ForgetSnapshot,
    SnapshotCreated,
    SnapshotDeletionRequested,
    SnapshotForgotten,
    SnapshotRequested,
    UnmanageSnapshot,
)
from share_actors.testing import Spec
from tests.events.share_events import NOON, began, created, requested


def taken(snapshot_id: str) -> tuple[SnapshotRequested, SnapshotCreated]:
    asked = SnapshotRequested(snapshot_id=snapshot_id, name=None, at=NOON)
    return asked, SnapshotCreated(snapshot_id=snapshot_id, provider_location=None)


available = Spec(share).given(requested(size=2), began("create"), created(), *taken("n"))
revert = ShareRevertRequested(snapshot_id="n")
reverting = available.given(revert)
attempted = reverting.given(began("revert"))
failed = ReportFailure(kind="failed", reason="no space")
refused = ReportFailure(kind="refused", reason="a client has a lock")
stuck = ShareErrored(doing="revert", reason="no space")
in_error = attempted.given(stuck)


def statuses(state: ShareState) -> tuple[str, list[str]]:
    """The status of the share, and those of its snapshots."""
    return state.share.status, [s.status for s in state.snapshots.held.values()]


def test_reverting_owes_the_call_of_the_driver_with_the_snapshot() -> None:
    available.when(RevertToSnapshot(snapshot_id="n")).then(revert)
    reverting.then_state(statuses, ("reverting", ["restoring"]))
    reverting.then_pending(Revert(snapshot=available.state.snapshots.held["n"]))


def test_a_reverted_share_and_its_snapshot_are_available() -> None:
    done = ShareReverted(snapshot_id="n", remount=False)

    attempted.when(ConfirmReverted()).then(done)
    attempted.given(done).then_state(statuses, ("available", ["available"]))
    attempted.given(done).then_state(lambda s: (s.share.status_reason, s.revert_to), (None, None))
    attempted.given(done).then_pending(None)


def test_a_share_says_that_its_clients_must_mount_it_again() -> None:
    done = ShareReverted(snapshot_id="n", remount=True)

    attempted.when(ConfirmReverted(remount=True)).then(done)
    attempted.given(done).then_state(lambda s: s.share.status_reason, REMOUNT)


def test_a_share_is_reverted_only_to_its_latest_snapshot() -> None:
    spec = available.given(*taken("later"))

    spec.when(RevertToSnapshot(snapshot_id="n")).then_rejected("later is: a share is only reverted")
    spec.when(RevertToSnapshot(snapshot_id="later")).then(ShareRevertRequested(snapshot_id="later"))


def test_a_share_is_not_reverted_to_a_snapshot_that_it_does_not_have() -> None:
    with pytest.raises(Missing):
        share.decide(RevertToSnapshot(snapshot_id="x"), available.state)


def test_a_share_is_not_reverted_to_a_snapshot_that_is_not_available() -> None:
    spec = available.given(SnapshotDeletionRequested(snapshot_id="n"))

    spec.when(RevertToSnapshot(snapshot_id="n")).then_rejected("snapshot n is deleting")


def test_a_share_is_not_reverted_to_a_snapshot_that_is_larger() -> None:
    spec = available.given(
        ShareResizeRequested(doing="shrink", size=1),
        began("shrink"),
        ShareResized(doing="shrink", size=1),
    )

    spec.when(RevertToSnapshot(snapshot_id="n")).then_rejected("extend the share to 2 GiB first")


def test_a_revert_keeps_the_size_of_a_share_that_was_extended_since() -> None:
    spec = available.given(
        ShareResizeRequested(doing="extend", size=5),
        began("extend"),
        ShareResized(doing="extend", size=5),
        revert,
        began("revert"),
        ShareReverted(snapshot_id="n", remount=False),
    )

    spec.then_state(lambda s: (s.share.size, s.room), (5, 5))


def test_a_share_that_is_being_reverted_is_neither_resized_nor_reverted_again() -> None:
    reverting.when(ExtendShare(size=3)).then_rejected("is reverting")
    reverting.when(RevertToSnapshot(snapshot_id="n")).then_rejected("is reverting")
    reverting.when(CreateSnapshot(snapshot_id="m")).then_rejected("is reverting")


def test_a_confirmation_without_an_attempt_is_rejected() -> None:
    reverting.when(ConfirmReverted()).then_rejected("no attempt at revert is in progress")


def test_a_revert_that_the_backend_refused_leaves_the_share_as_it_was() -> None:
    said_no = ShareRevertRefused(snapshot_id="n", reason="a client has a lock")

    attempted.when(refused).then(said_no)
    attempted.given(said_no).then_state(statuses, ("available", ["available"]))
    attempted.given(said_no).then_state(lambda s: s.share.status_reason, "a client has a lock")


def test_a_failed_revert_is_an_error_that_a_retry_takes_up_again() -> None:
    attempted.when(failed).then(stuck)
    in_error.then_state(statuses, ("reverting_error", ["available"]))
    in_error.when(RetryShare()).then(RetryRequested(works=("revert",)))
    in_error.given(RetryRequested(works=("revert",))).then_state(
        statuses, ("reverting", ["restoring"])
    )


def test_a_share_in_error_after_a_revert_can_be_deleted() -> None:
    in_error.when(DeleteShare(cascade=True)).then(ShareDeletionRequested(cascade=True))


def test_clients_are_denied_although_a_revert_failed() -> None:
    allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")

    in_error.given(allowed).when(DenyAccess(access_id="a")).then(AccessDenied(access_id="a"))
    assert isinstance(share.pending(in_error.given(allowed).state), ApplyRules)


@pytest.mark.parametrize("spec", [reverting, in_error], ids=["reverting", "reverting_error"])
def test_the_snapshot_that_a_share_is_reverted_to_is_kept(
    spec: Spec[ShareCommand, ShareEvent, ShareState, ShareEffect],
) -> None:
    spec.when(DeleteSnapshot(snapshot_id="n")).then_rejected(
        "must stay until the revert has succeeded"
    )


def test_a_failed_revert_does_not_let_its_snapshot_be_unmanaged() -> None:
    in_error.when(UnmanageSnapshot(snapshot_id="n")).then_rejected(
        "must stay until the revert has succeeded"
    )


def test_an_older_snapshot_that_is_deleted_meanwhile_is_removed_after_the_revert() -> None:
    older = Spec(share).given(
        requested(size=2), began("create"), created(), *taken("old"), *taken("n"), revert
    )
    deleting = SnapshotDeletionRequested(snapshot_id="old")

    older.when(DeleteSnapshot(snapshot_id="old")).then(deleting)
    done = (began("revert"), ShareReverted(snapshot_id="n", remount=False))
    older.given(deleting, *done).then_pending(DropSnapshot(snapshot_id="old"))


def test_a_revert_goes_on_although_its_snapshot_is_forgotten() -> None:
    forgotten = SnapshotForgotten(snapshot_id="n", reason="lost")

    attempted.when(ForgetSnapshot(snapshot_id="n", reason="lost")).then(forgotten)
    spec = attempted.given(forgotten)
    assert isinstance(share.pending(spec.state), Revert)
    spec.given(ShareReverted(snapshot_id="n", remount=False)).then_state(
        statuses, ("available", [])
    )


@pytest.mark.parametrize("outcome", [ConfirmReverted(), failed, refused])
def test_a_deletion_that_was_requested_meanwhile_goes_on_after_any_outcome(
    outcome: ConfirmReverted | ReportFailure,
) -> None:
    spec = attempted.given(ShareDeletionRequested(cascade=True)).when(outcome)

    spec.then_pending(DropSnapshot(snapshot_id="n", cascade=True))
    spec.then_state(statuses, ("deleting", ["available"]))
