"""Deleting what only a backend has: what the log has, in any state, is never taken for unknown."""

from __future__ import annotations

from share_actors.events import share
from share_actors.events.decider import EPOCH
from share_actors.events.share.deletion import ConfirmDeleted, Destroy, ShareDeleted
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.messages import CreateShare
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
    nothing.given(requested()).when(command).then_rejected("not unknown: it is creating")


def test_a_share_that_is_available_is_not_unknown() -> None:
    available = nothing.given(requested(), began("create"), created())
    available.when(command).then_rejected("not unknown: it is available")


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
