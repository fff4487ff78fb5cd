"""What a share decides, becomes and owes when it is deleted."""

from __future__ import annotations

from share_actors.events import share
from share_actors.events.share.access import AccessRulesApplied, ApplyRules, ConfirmRules
from share_actors.events.share.messages import (
    ConfirmDeleted,
    DeleteShare,
    Destroy,
    RetryRequested,
    RetryShare,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
)
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DropSnapshot,
    SnapshotDeleted,
)
from tests.events.share_events import NOON, began, created
from tests.events.share_requests import (
    allowed,
    applied,
    available,
    create,
    creating,
    deleting,
    failed,
    gave_up,
    snapped,
    status,
    taken,
)


def test_deleting_an_available_share_owes_its_destruction() -> None:
    available.when(DeleteShare()).then(deleting)
    available.given(deleting).then_pending(Destroy())


def test_a_deleted_share_is_gone_for_good() -> None:
    spec = available.given(deleting, began("delete"))

    spec.when(ConfirmDeleted()).then(ShareDeleted())
    gone = spec.given(ShareDeleted())
    gone.then_state(lambda s: (s.share.status, s.share.export_locations), ("deleted", ()))
    gone.then_pending(None)
    gone.when(RetryShare()).then_rejected("is deleted")
    gone.when(create).then_rejected("exists already and is deleted")


def test_deleting_twice_comes_to_nothing_new() -> None:
    available.given(deleting).when(DeleteShare()).then()
    available.given(deleting, ShareDeleted()).when(DeleteShare()).then()


def test_a_deletion_waits_for_the_creation_under_way() -> None:
    spec = creating.given(deleting)

    spec.given(created()).then_pending(Destroy())
    spec.given(created()).then_state(status, "deleting")


def test_a_deletion_goes_on_although_what_it_waited_for_failed() -> None:
    spec = creating.given(deleting)

    spec.when(failed).then(gave_up)
    spec.given(gave_up).then_state(status, "deleting")
    spec.given(gave_up).then_pending(Destroy())


def test_a_failed_deletion_is_an_error_that_a_retry_takes_up_again() -> None:
    stays = ShareErrored(doing="delete", reason="no space")
    spec = available.given(deleting, began("delete"))

    spec.when(failed).then(stays)
    spec.given(stays).when(RetryShare()).then_pending(Destroy())


def test_a_share_with_snapshots_is_not_deleted_without_cascade() -> None:
    available.given(snapped, taken).when(DeleteShare()).then_rejected(r"has snapshots \(n\)")


def test_a_cascade_takes_snapshots_then_rules_then_the_share() -> None:
    spec = available.given(allowed, began("access"), applied, snapped, taken)
    spec = spec.given(ShareDeletionRequested(cascade=True), began("delete"))

    spec.then_pending(DropSnapshot(snapshot_id="n", cascade=True))
    spec = spec.given(SnapshotDeleted(snapshot_id="n"), began("delete"))
    assert isinstance(share.pending(spec.state), ApplyRules)
    spec.given(AccessRulesApplied(removed=("a",))).then_pending(Destroy())


def test_a_share_is_not_gone_before_what_belongs_to_it() -> None:
    spec = available.given(allowed, began("access"), applied, deleting, began("delete"))

    spec.when(ConfirmDeleted()).then_rejected("are deleted before it")


def test_a_rule_that_does_not_come_off_ends_the_deletion_in_error() -> None:
    spec = available.given(allowed, began("access"), applied, deleting, began("delete"))

    stays = ShareErrored(doing="delete", reason="access rule a: no")
    spec.when(ConfirmRules(failed={"a": "no"})).then(stays)
    spec.when(ConfirmRules(removed=("b",), failed={"a": "no"})).then(
        AccessRulesApplied(removed=("b",)), stays
    )


def test_retrying_a_deletion_does_not_bring_back_its_rules() -> None:
    broken = AccessRulesApplied(failed={"a": "no"})
    spec = available.given(allowed, began("access"), broken, deleting, began("delete"))
    spec = spec.given(ShareErrored(doing="delete", reason="no"))

    spec.when(RetryShare()).then(RetryRequested(works=("delete",)))
    assert spec.when(RetryShare()).state.rules.rules["a"].state == "error"


def test_a_snapshot_can_not_be_taken_of_a_share_that_goes() -> None:
    again = CreateSnapshot(snapshot_id="n", at=NOON)

    available.given(deleting).when(again).then_rejected("is deleting; it must be available")
