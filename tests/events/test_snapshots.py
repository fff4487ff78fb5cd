"""Snapshots of a share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.share import ShareState
from share_actors.events.share.messages import (
    DeleteShare,
    RetryRequested,
    RetryShare,
    ShareDeletionRequested,
    ShareErrored,
    ShareResizeRequested,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DeleteSnapshot,
    DropSnapshot,
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotErrored,
    SnapshotManageRequested,
    SnapshotRequested,
    SnapshotUnmanageRequested,
    TakeSnapshot,
    UnmanageSnapshot,
)
from share_actors.testing import Spec
from share_actors.values import Snapshot
from tests.events.share_events import NOON, began, created, requested

begin = BeginAttempt(activation="activation-1", timeout_s=300.0)
take = CreateSnapshot(snapshot_id="n", name="before", at=NOON)
drop = DeleteSnapshot(snapshot_id="n")
asked = SnapshotRequested(snapshot_id="n", name="before", at=NOON)
taken = SnapshotCreated(snapshot_id="n", provider_location="/snap/n")
dropping = SnapshotDeletionRequested(snapshot_id="n")
dropped = SnapshotDeleted(snapshot_id="n")
failed = ReportFailure(kind="failed", reason="no space")
refused = ReportFailure(kind="refused", reason="a clone needs it")
not_taken = SnapshotErrored(snapshot_id="n", doing="create", reason="no space")

available = Spec(share).given(requested(size=2), began("create"), created())
taking = available.given(asked, began("snapshot/n/create"))
held = taking.given(taken)


def status(state: ShareState) -> str:
    return state.snapshots.held["n"].status


# -- taking --------------------------------------------------------------------------------------
def test_asking_for_a_snapshot_records_it() -> None:
    available.when(take).then(asked)


def test_a_snapshot_that_was_asked_for_is_owed() -> None:
    available.given(asked).then_pending(TakeSnapshot(snapshot_id="n"))
    available.given(asked).when(begin).then(began("snapshot/n/create"))


def test_a_snapshot_knows_what_it_is_of() -> None:
    assert available.given(asked).state.snapshots.held["n"] == Snapshot(
        id="n",
        share_id="s1",
        name="before",
        size=2,
        share_proto="NFS",
        status="creating",
        doing="create",
        created_at=NOON,
    )


def test_a_taken_snapshot_is_available_where_the_backend_put_it() -> None:
    taking.when(ConfirmSnapshotCreated(snapshot_id="n", provider_location="/snap/n")).then(taken)
    held.then_state(status, "available")
    held.then_state(lambda s: s.snapshots.held["n"].provider_location, "/snap/n")
    held.then_pending(None)


def test_the_same_snapshot_asked_for_again_comes_to_nothing_new() -> None:
    held.when(take).then()
    assert share.joins(take, held.state) == "snapshot/n/create"


def test_an_id_that_another_snapshot_has_is_rejected() -> None:
    held.when(take.replace(name="after")).then_rejected(
        "snapshot n exists already and is available"
    )


def test_only_an_available_share_is_snapshot() -> None:
    Spec(share).given(requested()).when(take).then_rejected("is creating; it must be available")


def test_a_snapshot_that_could_not_be_taken_is_in_error_and_can_be_retried() -> None:
    taking.when(failed).then(not_taken)
    spec = taking.given(not_taken).when(RetryShare())
    spec.then(RetryRequested(works=("snapshot/n/create",)))
    spec.then_pending(TakeSnapshot(snapshot_id="n"))


def test_a_resize_goes_before_a_snapshot_that_waits() -> None:
    extend = ShareResizeRequested(doing="extend", size=3)

    taking.given(extend).when(ConfirmSnapshotCreated(snapshot_id="n")).then_state(
        status, "available"
    )
    taking.given(extend).then_state(lambda s: s.share.status, "extending")


# -- deleting ------------------------------------------------------------------------------------
def test_deleting_a_snapshot_owes_it() -> None:
    held.when(drop).then(dropping)
    held.given(dropping).then_pending(DropSnapshot(snapshot_id="n"))


def test_a_deleted_snapshot_is_gone_and_its_id_is_free() -> None:
    spec = held.given(dropping, began("snapshot/n/delete"))

    spec.when(ConfirmSnapshotDeleted(snapshot_id="n")).then(dropped)
    spec.given(dropped).when(drop).then_rejected("no snapshot n")
    spec.given(dropped).when(take).then(asked)


def test_deleting_twice_comes_to_nothing_new() -> None:
    held.given(dropping).when(drop).then()


def test_a_snapshot_that_is_needed_is_available_again_with_the_reason() -> None:
    busy = SnapshotDeletionRefused(snapshot_id="n", reason="a clone needs it")
    spec = held.given(dropping, began("snapshot/n/delete"))

    spec.when(refused).then(busy)
    spec.given(busy).then_state(status, "available")
    spec.given(busy).then_state(lambda s: s.snapshots.held["n"].reason, "a clone needs it")


def test_a_snapshot_that_was_never_taken_does_not_become_available_by_a_refusal() -> None:
    spec = available.given(asked, dropping, began("snapshot/n/delete")).when(refused)

    spec.then_state(status, "error")
    spec.then_state(lambda s: s.snapshots.held["n"].doing, "delete")


def test_a_deletion_goes_on_although_the_creation_it_waited_for_failed() -> None:
    spec = taking.given(dropping)

    spec.when(failed).then(not_taken)
    spec.given(not_taken).then_state(status, "deleting")
    spec.given(not_taken).then_pending(DropSnapshot(snapshot_id="n"))


def test_a_failed_creation_does_not_answer_for_the_deletion_that_waits() -> None:
    assert [settled.work for settled in not_taken.settles()] == ["snapshot/n/create"]


def test_a_snapshot_that_is_taken_although_it_is_to_go_goes() -> None:
    taking.given(dropping, taken).then_pending(DropSnapshot(snapshot_id="n"))


def test_a_failed_deletion_is_retried_as_a_deletion() -> None:
    stays = SnapshotErrored(snapshot_id="n", doing="delete", reason="no space")
    spec = held.given(dropping, began("snapshot/n/delete"))

    spec.when(failed).then(stays)
    spec.given(stays).when(RetryShare()).then_pending(DropSnapshot(snapshot_id="n"))


def test_a_snapshot_goes_although_its_share_is_in_error() -> None:
    stuck = ShareErrored(doing="delete", reason="no")
    spec = held.given(ShareDeletionRequested(cascade=True), began("delete"), stuck)

    spec.then_pending(None)
    spec.when(drop).then_pending(DropSnapshot(snapshot_id="n"))
    spec.given(dropping, began("snapshot/n/delete"), dropped).when(DeleteShare()).then(
        ShareDeletionRequested(cascade=False)
    )


def test_an_outcome_for_a_snapshot_that_is_not_there_is_rejected() -> None:
    spec = held.given(ShareDeletionRequested(cascade=True), began("delete"))

    spec.when(ConfirmSnapshotDeleted(snapshot_id="m")).then_rejected("no snapshot m")


# -- what can be asked at all --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "x" * 256), ("name", "a\tb"), ("snapshot_id", ""), ("snapshot_id", "a b")],
)
def test_a_wrong_field_of_a_snapshot_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        CreateSnapshot(**(dict(take) | {field: value}))

    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]


# -- managing ------------------------------------------------------------------------------------
def test_a_snapshot_is_unmanaged_although_a_resize_put_its_share_in_error() -> None:
    managing = SnapshotManageRequested(
        snapshot_id="n", name=None, provider_location="/n", driver_options={}, at=NOON
    )
    not_found = SnapshotErrored(snapshot_id="n", doing="manage", reason="not there")
    stuck = available.given(
        managing,
        not_found,
        ShareResizeRequested(doing="extend", size=5),
        ShareErrored(doing="extend", reason="no space"),
    )

    stuck.when(UnmanageSnapshot(snapshot_id="n")).then(SnapshotUnmanageRequested(snapshot_id="n"))
