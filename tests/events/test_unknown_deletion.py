"""Deleting what only a backend has: what the log has, in any state, is never taken for unknown."""

from __future__ import annotations

from share_actors.events import share
from share_actors.events.decider import EPOCH
from share_actors.events.share.deletion import ConfirmDeleted, Destroy, ShareDeleted
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.messages import CreateShare
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotDeleted,
    DeleteUnknownSnapshot,
    DropSnapshot,
    ManageSnapshot,
    SnapshotDeleted,
    UnknownSnapshotDeletionRequested,
)
from share_actors.events.share.unknown_deletion import (
    DeleteUnknownShare,
    UnknownShareDeletionRequested,
)
from share_actors.testing import Spec
from share_actors.values import ShareSpec
from tests.events.share_events import NOON, began, created, requested

HERE = ShareSpec(host="nas", project_id="p", user_id="u")
command = DeleteUnknownShare(share_id="s1", spec=HERE, location="/srv/s1", size=3, at=NOON)
asked = UnknownShareDeletionRequested(**dict(command))
nothing = Spec(share)


def test_what_was_never_in_the_log_is_destroyed_and_recorded_as_deleted() -> None:
    nothing.when(command).then(asked)
    deleting = nothing.given(asked)
    deleting.then_pending(Destroy())
    deleting.given(began("delete")).when(ConfirmDeleted()).then(ShareDeleted())


def test_the_same_request_twice_is_one_deletion() -> None:
    deleting = nothing.given(asked)
    deleting.when(command).then()
    assert share.joins(command, deleting.state) == "delete"


def test_a_share_that_is_being_created_is_not_unknown() -> None:
    nothing.given(requested()).when(command).then_rejected("the log has share s1: it is creating")


def test_a_share_that_is_available_is_not_unknown() -> None:
    available = nothing.given(requested(), began("create"), created())
    available.when(command).then_rejected("the log has share s1: it is available")


def test_a_forgotten_share_is_deleted_with_its_rules() -> None:
    left = nothing.given(
        requested(),
        began("create"),
        created(),
        ShareForgetRequested(reason="x"),
        ShareForgotten(reason="x"),
    )
    left.when(command).then(asked)
    left.given(asked).then_state(lambda s: (s.room, s.found, s.former_rules), (0, 0, ()))


def test_the_record_of_a_deleted_share_is_final() -> None:
    deleted = nothing.given(asked, began("delete"), ShareDeleted())
    deleted.when(command).then_rejected("manage what is there under a new id")


def test_nothing_is_created_under_the_id_of_what_is_being_deleted() -> None:
    create = CreateShare(share_id="s1", size=1, spec=HERE, at=EPOCH)
    nothing.given(asked).when(create).then_rejected("deleting")


# -- snapshots -----------------------------------------------------------------------------------
available = nothing.given(requested(), began("create"), created())
of_snapshot = DeleteUnknownSnapshot(snapshot_id="n1", location="/srv/s1@n1", at=NOON)
snapshot_asked = UnknownSnapshotDeletionRequested(**dict(of_snapshot))


def test_an_unknown_snapshot_is_deleted_and_gone() -> None:
    available.when(of_snapshot).then(snapshot_asked)
    deleting = available.given(snapshot_asked)
    deleting.when(of_snapshot).then()
    deleting.then_pending(DropSnapshot(snapshot_id="n1"))
    ending = deleting.given(began("snapshot/n1/delete"))
    ending.when(ConfirmSnapshotDeleted(snapshot_id="n1")).then(SnapshotDeleted(snapshot_id="n1"))


def test_a_snapshot_that_is_being_managed_from_the_same_place_is_not_unknown() -> None:
    manage = ManageSnapshot(snapshot_id="n2", provider_location="/srv/s1@n1", at=NOON)
    managing = available.given(*share.decide(manage, available.state))
    managing.when(of_snapshot).then_rejected("it is snapshot n2, manage_starting")


def test_a_snapshot_of_a_share_that_the_log_does_not_have_is_not_deleted() -> None:
    nothing.when(of_snapshot).then_rejected("there is no such share")
    nothing.given(asked).when(of_snapshot).then_rejected("the share is deleting")
