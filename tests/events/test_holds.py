"""A share from a snapshot holds it while it is created; the snapshot's share keeps it for so long."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.share import ShareState
from share_actors.events.share.creation import CreateShare, Provision
from share_actors.events.share.deletion import (
    Destroy,
    ShareDeleted,
    ShareDeletionRequested,
)
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.manage import ShareUnmanageRequested, Unmanage
from share_actors.events.share.messages import ShareResizeRequested
from share_actors.events.share.snapshot.cloning import (
    HOLD,
    RELEASE,
    ConfirmSourceHeld,
    ConfirmSourceReleased,
    HoldSource,
    ReleaseSource,
    ShareSourceHeld,
    ShareSourceReleased,
)
from share_actors.events.share.snapshot.holds import (
    HoldSnapshot,
    ReleaseSnapshot,
    SnapshotHeld,
    SnapshotReleased,
)
from share_actors.events.share.snapshot.messages import (
    DropSnapshot,
    SnapshotCreated,
    SnapshotDeletionRequested,
    SnapshotRequested,
    SnapshotUnmanageRequested,
    UnmanageExistingSnapshot,
)
from share_actors.testing import Spec
from share_actors.values import Snapshot
from tests.events.share_events import NOON, began, created, requested

begin = BeginAttempt(activation="activation-1", timeout_s=300.0)
source = Snapshot(id="n", share_id="p", size=1, status="available")

# -- the new share -------------------------------------------------------------------------------
asked = requested().replace(source=source)
absent = Spec(share)
cloning = absent.given(asked, began(HOLD))
holding = cloning.given(ShareSourceHeld(snapshot_id="n"), began("create"))
available = holding.given(created())
failed = holding.given(ShareErrored(doing="create", reason="no space"))


def status(state: ShareState) -> str:
    return state.share.status


def test_a_share_from_a_snapshot_holds_it_before_it_is_created() -> None:
    absent.given(asked).then_pending(HoldSource(source=source))
    absent.given(asked).then_state(lambda s: s.share.snapshot_id, "n")
    cloning.when(ConfirmSourceHeld()).then(ShareSourceHeld(snapshot_id="n"))
    holding.then_pending(Provision(source=source))


def test_a_snapshot_that_nobody_looked_up_is_not_created_from() -> None:
    command = CreateShare(share_id="s1", size=1, snapshot_id="n", spec=asked.spec)

    absent.when(command).then_rejected("snapshot n was not looked up")


def test_a_share_whose_snapshot_cannot_be_held_is_in_error_and_owes_the_release() -> None:
    refused = ReportFailure(kind="failed", reason="snapshot n is deleting")

    cloning.when(refused).then(ShareErrored(doing="create", reason="snapshot n is deleting"))
    cloning.when(refused).then_pending(ReleaseSource(source=source))


@pytest.mark.parametrize("ended", [available, failed])
def test_the_snapshot_is_released_once_the_creation_has_ended(ended: Any) -> None:
    ended.then_pending(ReleaseSource(source=source))

    releasing = ended.given(began(RELEASE))
    releasing.when(ConfirmSourceReleased()).then(ShareSourceReleased(snapshot_id="n"))
    releasing.given(ShareSourceReleased(snapshot_id="n")).then_pending(None)


def test_a_release_that_fails_is_tried_again_without_end() -> None:
    refused = ReportFailure(kind="failed", reason="no such table", retry_at=NOON)
    [event] = share.decide(refused, available.given(began(RELEASE, n=99)).state)

    retried = available.given(began(RELEASE, n=99), event)
    retried.then_pending(ReleaseSource(source=source))
    retried.then_state(share.not_before, NOON)


def test_a_share_that_is_deleted_while_it_is_created_releases_its_snapshot_first() -> None:
    deleting = cloning.given(ShareDeletionRequested(cascade=False))
    held = deleting.given(ShareSourceHeld(snapshot_id="n"))

    deleting.when(ConfirmSourceHeld()).then(ShareSourceHeld(snapshot_id="n"))
    held.then_pending(ReleaseSource(source=source))
    held.given(began(RELEASE), ShareSourceReleased(snapshot_id="n")).then_pending(Destroy())


def test_a_share_that_is_unmanaged_releases_its_snapshot_first() -> None:
    leaving = available.given(ShareUnmanageRequested())

    leaving.then_pending(ReleaseSource(source=source))
    leaving.given(began(RELEASE), ShareSourceReleased(snapshot_id="n")).then_pending(Unmanage())


def test_a_retry_holds_the_snapshot_again() -> None:
    released = failed.given(began(RELEASE), ShareSourceReleased(snapshot_id="n"))

    released.given(RetryRequested(works=("create",))).then_pending(HoldSource(source=source))
    still = failed.given(RetryRequested(works=("create",)))
    still.then_pending(Provision(source=source))


def test_a_retry_during_an_attempt_at_the_release_holds_the_snapshot_again() -> None:
    interrupted = failed.given(began(RELEASE), RetryRequested(works=("create",)))

    interrupted.then_pending(HoldSource(source=source))


# -- the snapshot's share ------------------------------------------------------------------------
hold = HoldSnapshot(snapshot_id="n", share_id="x", number=5)
release = ReleaseSnapshot(snapshot_id="n", share_id="x", number=8)
held = SnapshotHeld(snapshot_id="n", share_id="x", number=5)
released = SnapshotReleased(snapshot_id="n", share_id="x", number=8)
dropping = SnapshotDeletionRequested(snapshot_id="n")
parent = (
    Spec(share)
    .given(requested("p"), began("create"), created())
    .given(SnapshotRequested(snapshot_id="n", name=None, at=NOON), began("snapshot/n/create"))
    .given(SnapshotCreated(snapshot_id="n", provider_location=None))
)


def test_an_available_snapshot_is_held_once_for_each_share() -> None:
    parent.when(hold).then(held)
    parent.given(held).when(hold).then()
    parent.given(held).when(hold.replace(share_id="y")).then(held.replace(share_id="y"))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (dropping, "snapshot n is deleting"),
        (ShareDeletionRequested(cascade=True), "share p, which snapshot n is of, is deleting"),
        (ShareErrored(doing="delete", reason="no"), "no snapshot n"),
    ],
)
def test_a_snapshot_that_is_going_is_not_held(event: Any, reason: str) -> None:
    spec = parent if event.topic != "share.errored" else Spec(share).given(requested("p"))

    spec.given(event).when(hold).then_rejected(reason)


def test_a_snapshot_of_a_share_that_is_resized_can_be_held() -> None:
    resizing = parent.given(ShareResizeRequested(doing="extend", size=3))

    resizing.when(hold).then(held)
    resizing.given(ShareErrored(doing="extend", reason="no")).when(hold).then(held)


def test_the_deletion_of_a_held_snapshot_waits_for_the_release() -> None:
    waiting = parent.given(held, dropping)

    waiting.then_pending(None)
    waiting.given(released).then_pending(DropSnapshot(snapshot_id="n"))


def test_a_held_snapshot_is_not_unmanaged_before_the_release() -> None:
    waiting = parent.given(held, SnapshotUnmanageRequested(snapshot_id="n"))

    waiting.then_pending(None)
    waiting.given(released).then_pending(UnmanageExistingSnapshot(snapshot_id="n"))


def test_a_share_is_not_deleted_before_its_held_snapshots_are_released() -> None:
    waiting = parent.given(held, ShareDeletionRequested(cascade=True))

    waiting.then_pending(None)
    waiting.given(released).then_pending(DropSnapshot(snapshot_id="n", cascade=True))


def test_a_hold_leaves_the_attempt_in_progress_as_it_is() -> None:
    resizing = parent.given(ShareResizeRequested(doing="extend", size=3), began("extend"))

    resizing.given(held, released).then_state(lambda s: s.attempt, resizing.state.attempt)


def test_a_release_is_recorded_once() -> None:
    parent.given(held).when(release).then(released)
    parent.given(held, released).when(release).then()


def test_a_late_request_for_a_hold_is_rejected_after_the_release() -> None:
    parent.given(held, released).when(hold).then_rejected("share x has released snapshot n")
    parent.when(release).then(released)  # the request for the hold is on its way still


def test_a_later_attempt_holds_the_snapshot_again() -> None:
    again = held.replace(number=9)

    parent.given(held, released).when(hold.replace(number=9)).then(again)
    parent.given(held).when(hold.replace(number=9)).then(again)


def test_a_late_release_does_not_end_the_hold_of_a_later_attempt() -> None:
    parent.given(held.replace(number=9)).when(release).then()
    parent.given(held, released, held.replace(number=9)).when(release).then()


def test_a_share_that_is_gone_has_no_holds() -> None:
    gone = parent.given(ShareDeletionRequested(cascade=True), ShareDeleted())

    gone.when(release).then()
    gone.when(hold).then_rejected("no snapshot n")
    absent.when(release).then_rejected("no such share")
