"""Access rules of snapshots: the rules of a share, once more for each snapshot, that only let read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Missing
from share_actors.events.share import ShareState
from share_actors.events.share.access import AccessAllowed, AllowAccess, ApplyRules
from share_actors.events.share.ensure import (
    ReapplyShare,
    ShareEnsureRequested,
    ShareReapplyRequested,
)
from share_actors.events.share.messages import (
    RetryRequested,
    RetryShare,
    RevertToSnapshot,
    ShareDeletionRequested,
    ShareErrored,
    ShareRevertRequested,
)
from share_actors.events.share.snapshot.access import (
    AllowSnapshotAccess,
    ApplySnapshotRules,
    ConfirmSnapshotRules,
    DenySnapshotAccess,
    SnapshotAccessAllowed,
    SnapshotAccessDenied,
    SnapshotAccessRulesApplied,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotDeleted,
    DropSnapshot,
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotErrored,
    SnapshotForgotten,
    SnapshotRequested,
    SnapshotUnmanaged,
    SnapshotUnmanageRequested,
    UnmanageExistingSnapshot,
)
from share_actors.testing import Spec
from share_actors.values import AccessRule, ExportLocation
from tests.events.share_events import NOON, began, created, requested

WHERE = (ExportLocation(path="nas:/s1@n", preferred=True),)
begin = BeginAttempt(activation="activation-1", timeout_s=300.0)
failed = ReportFailure(kind="failed", reason="no such client")


def allow(access_id: str = "a", to: str = "alice", snapshot_id: str = "n") -> AllowSnapshotAccess:
    return AllowSnapshotAccess(
        access_id=access_id, access_type="user", access_to=to, snapshot_id=snapshot_id
    )


def allowed(access_id: str = "a", to: str = "alice") -> SnapshotAccessAllowed:
    return SnapshotAccessAllowed(**dict(allow(access_id, to)))


def applied(*ids: str) -> SnapshotAccessRulesApplied:
    return SnapshotAccessRulesApplied(snapshot_id="n", applied=ids, export_locations=WHERE)


def removed(*ids: str) -> SnapshotAccessRulesApplied:
    return SnapshotAccessRulesApplied(snapshot_id="n", removed=ids, export_locations=())


def rule(access_id: str, to: str, state: Any) -> AccessRule:
    return AccessRule(
        id=access_id, access_type="user", access_to=to, access_level="ro", state=state
    )


def states(state: ShareState) -> dict[str, str]:
    return {rule.id: rule.state for rule in state.snapshots.held["n"].access_rules}


deny = DenySnapshotAccess(snapshot_id="n", access_id="a")
denied = SnapshotAccessDenied(snapshot_id="n", access_id="a")
dropping = SnapshotDeletionRequested(snapshot_id="n")
held = Spec(share).given(
    requested(size=2),
    began("create"),
    created(),
    SnapshotRequested(snapshot_id="n", name=None, at=NOON),
    began("snapshot/n/create"),
    SnapshotCreated(snapshot_id="n", provider_location=None),
)
applying = held.given(allowed(), began("snapshot/n/access"))
mounted = applying.given(applied("a"))


# -- rules ---------------------------------------------------------------------------------------
def test_a_rule_of_a_snapshot_is_recorded_applied_and_shown_with_the_snapshot() -> None:
    held.when(allow()).then(allowed())
    held.given(allowed()).when(begin).then(began("snapshot/n/access"))
    applying.when(
        ConfirmSnapshotRules(snapshot_id="n", applied=("a",), export_locations=WHERE)
    ).then(applied("a"))

    [snapshot] = share.view(mounted.state).snapshots
    assert snapshot.access_rules == (rule("a", "alice", "active"),)
    assert snapshot.export_locations == WHERE


def test_the_rules_of_a_share_and_of_its_snapshot_do_not_meet() -> None:
    of_share = AllowAccess(access_id="b", access_type="user", access_to="alice", access_level="rw")

    mounted.when(of_share).then(AccessAllowed(**dict(of_share)))

    assert not mounted.state.rules.rules


def test_a_snapshot_is_never_written_to() -> None:
    with pytest.raises(ValidationError, match="a snapshot can only be read"):
        AllowSnapshotAccess(
            access_id="a",
            access_type="user",
            access_to="alice",
            access_level="rw",
            snapshot_id="n",
        )


def test_the_same_request_again_is_the_same_rule_and_joins_its_work() -> None:
    mounted.when(allow("b")).then()
    assert share.joins(allow("b"), mounted.state) == "snapshot/n/rule/a/allow"


def test_a_snapshot_that_is_not_there_has_no_rules() -> None:
    with pytest.raises(Missing, match="there is no snapshot m"):
        share.decide(allow(snapshot_id="m"), held.state)
    with pytest.raises(Missing, match="there is no access rule b"):
        share.decide(DenySnapshotAccess(snapshot_id="n", access_id="b"), held.state)


def test_a_denied_rule_is_taken_off_and_the_export_goes_with_it() -> None:
    denying = mounted.given(denied, began("snapshot/n/access"))
    mounted.when(deny).then(denied)
    off = denying.given(removed("a"))

    denying.then_pending(
        ApplySnapshotRules(
            snapshot_id="n", change=ApplyRules(add=(), delete=(rule("a", "alice", "denying"),))
        )
    )
    assert off.state.snapshots.held["n"].access_rules == ()
    assert off.state.snapshots.held["n"].export_locations == ()
    off.then_pending(None)


def test_a_failed_rule_is_in_error_and_is_tried_again_by_a_retry() -> None:
    error = SnapshotAccessRulesApplied(snapshot_id="n", failed={"a": "no such client"})
    applying.when(failed).then(error)

    work = RetryRequested(works=("snapshot/n/rule/a/allow",))
    applying.given(error).when(RetryShare()).then(work)
    assert states(applying.given(error, work).state) == {"a": "queued"}


def test_a_rule_that_was_being_applied_when_its_process_died_is_tried_again() -> None:
    assert states(applying.state) == {"a": "applying"}
    applying.when(begin).then(began("snapshot/n/access", n=2, probe=True))


@pytest.mark.parametrize(
    "event",
    [dropping, SnapshotUnmanageRequested(snapshot_id="n")],
)
def test_a_snapshot_that_is_leaving_gets_no_rules(event: Any) -> None:
    held.given(event).when(allow()).then_rejected("it must be available")


# -- deletions -----------------------------------------------------------------------------------
def test_the_rules_of_a_snapshot_are_removed_before_it_is_deleted() -> None:
    leaving = mounted.given(dropping)
    withdrawal = ApplySnapshotRules(
        snapshot_id="n",
        change=ApplyRules(add=(), delete=(rule("a", "alice", "active"),), cascade=True),
    )

    leaving.then_pending(withdrawal)
    leaving.when(begin).then(began("snapshot/n/delete"))
    gone = leaving.given(began("snapshot/n/delete"), removed("a"))
    gone.then_pending(DropSnapshot(snapshot_id="n"))
    ended = gone.given(began("snapshot/n/delete"), SnapshotDeleted(snapshot_id="n"))
    assert not ended.state.snapshots.rules


def test_a_snapshot_is_not_gone_while_its_rules_may_be_on_the_backend() -> None:
    leaving = mounted.given(dropping, began("snapshot/n/delete"))

    leaving.when(ConfirmSnapshotDeleted(snapshot_id="n")).then_rejected("are removed before")


def test_rules_that_cannot_be_removed_end_the_deletion_and_stay_until_a_retry() -> None:
    leaving = mounted.given(dropping, began("snapshot/n/delete"))
    error = SnapshotErrored(snapshot_id="n", doing="delete", reason="no such client")

    leaving.when(failed).then(error)

    assert states(leaving.given(error).state) == {"a": "active"}
    leaving.given(error).then_pending(None)
    again = leaving.given(error, RetryRequested(works=("snapshot/n/delete",)))
    assert isinstance(share.pending(again.state), ApplySnapshotRules)


def test_a_refused_deletion_leaves_the_snapshot_without_rules() -> None:
    refused = mounted.given(
        dropping,
        began("snapshot/n/delete"),
        removed("a"),
        began("snapshot/n/delete"),
        SnapshotDeletionRefused(snapshot_id="n", reason="busy"),
    )

    assert states(refused.state) == {}
    refused.then_pending(None)


def test_a_rule_that_waits_when_the_deletion_fails_waits_for_a_retry() -> None:
    error = SnapshotErrored(snapshot_id="n", doing="delete", reason="no space")
    waiting = held.given(allowed(), dropping, began("snapshot/n/delete"), error)

    assert states(waiting.state) == {"a": "error"}
    waiting.then_pending(None)


def test_deleting_a_share_removes_the_rules_of_its_snapshots_first() -> None:
    leaving = mounted.given(ShareDeletionRequested(cascade=True))
    effect = share.pending(leaving.state)

    assert isinstance(effect, ApplySnapshotRules)
    assert effect.key() == "delete"
    rest = leaving.given(began("delete"), removed("a"))
    rest.then_pending(DropSnapshot(snapshot_id="n", cascade=True))


def test_a_share_whose_snapshot_keeps_its_rules_is_in_error() -> None:
    leaving = mounted.given(ShareDeletionRequested(cascade=True), began("delete"))

    leaving.when(failed).then(ShareErrored(doing="delete", reason="no such client"))


def test_a_snapshot_of_a_share_in_error_is_deleted_with_its_rules() -> None:
    broken = mounted.given(
        ShareDeletionRequested(cascade=True),
        began("delete"),
        ShareErrored(doing="delete", reason="busy"),
        dropping,
    )

    assert isinstance(share.pending(broken.state), ApplySnapshotRules)


def test_an_unmanaged_snapshot_leaves_with_its_rules_in_one_call_of_the_driver() -> None:
    leaving = mounted.given(SnapshotUnmanageRequested(snapshot_id="n"))

    leaving.then_pending(UnmanageExistingSnapshot(snapshot_id="n"))
    assert not leaving.given(SnapshotUnmanaged(snapshot_id="n")).state.snapshots.rules


def test_a_revert_leaves_the_clients_of_the_snapshot_alone() -> None:
    mounted.when(RevertToSnapshot(snapshot_id="n")).then(ShareRevertRequested(snapshot_id="n"))
    reverting = mounted.given(ShareRevertRequested(snapshot_id="n"), began("revert"))

    assert states(reverting.state) == {"a": "active"}
    reverting.when(deny).then(denied)
    reverting.when(allow("b", "bob")).then_rejected("must be available")


# -- applying again ------------------------------------------------------------------------------
def test_reapplying_a_share_applies_the_rules_of_its_snapshots_again() -> None:
    again = ShareReapplyRequested(rules=(), snapshot_rules={"n": ("a",)})

    mounted.when(ReapplyShare()).then(again)

    assert states(mounted.given(again).state) == {"a": "queued"}
    assert again.opens() == ("ensure", "snapshot/n/rule/a/allow")


def test_a_backend_with_other_addresses_exports_the_snapshots_again_too() -> None:
    changed = mounted.given(ShareEnsureRequested(info="i"))

    assert isinstance(share.pending(changed.state), ApplySnapshotRules)


# -- who waits -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "end",
    [
        SnapshotDeleted(snapshot_id="n"),
        SnapshotUnmanaged(snapshot_id="n"),
        SnapshotForgotten(snapshot_id="n", reason="lost"),
        SnapshotErrored(snapshot_id="n", doing="delete", reason="no"),
        SnapshotErrored(snapshot_id="n", doing="unmanage", reason="no"),
        ShareErrored(doing="delete", reason="no"),
        SnapshotAccessRulesApplied(snapshot_id="n", failed={"a": "no"}),
        SnapshotAccessRulesApplied(snapshot_id="n", applied=("a",)),
    ],
)
def test_nobody_waits_for_a_rule_of_a_snapshot_after(end: Any) -> None:
    opened = allowed().opens()

    ends = end.settles()

    assert all(any(settled.ends(work) for settled in ends) for work in opened)
