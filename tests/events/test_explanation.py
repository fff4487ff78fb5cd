"""Explanations of shares from their streams."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given

from share_actors.audit.explanation import Explanation, explain
from share_actors.events import share
from share_actors.events.attempts import AttemptFailed
from share_actors.events.decider import Event
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.messages import (
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareResizeRefused,
    ShareResizeRequested,
)
from share_actors.events.share.snapshot.holds import SnapshotHeld
from share_actors.events.share.snapshot.messages import SnapshotCreated, SnapshotRequested
from tests.events.share_events import NOON, Stream, began, created, requested
from tests.events.share_walks import Walk, release_all, walks

ALLOWED = AccessAllowed(access_id="a", access_type="ip", access_to="10.0.0.1", access_level="rw")
DUE = NOON + timedelta(seconds=60)


def explained(*events: Event, now: datetime = NOON) -> Explanation:
    """Explain a share; events that open works are alice's requests, all others the system's own."""
    stream = Stream()
    return explain(
        [stream(event, f"c{n}" if event.opens() else None) for n, event in enumerate(events)], now
    )


def failed_attempt(kind: str = "transient", n: int = 1) -> AttemptFailed:
    return AttemptFailed(n=n, effect="create", kind=kind, reason="busy", retry_at=DUE)


def test_a_share_without_pending_work_needs_no_advice() -> None:
    explanation = explained(requested(), began("create"), created())

    assert (explanation.status, explanation.since) == ("available", NOON + timedelta(seconds=3))
    assert explanation.summary == "status available; no work is pending"
    assert (explanation.owed, explanation.failed, explanation.advice) == ((), (), ())


def test_pending_work_has_the_user_and_the_time_of_the_request() -> None:
    (owed,) = explained(requested(), began("create")).owed

    assert (owed.what, owed.command_id) == ("create it", "c0")
    assert (owed.asked_by, owed.project) == ("alice", "demo")
    assert owed.asked_at == NOON + timedelta(seconds=1)


def test_an_attempt_in_progress_has_a_deadline() -> None:
    explanation = explained(requested(), began("create"))

    (attempt,) = explanation.attempts
    assert attempt.result == "under way"
    assert attempt.deadline - attempt.began == timedelta(seconds=300)
    assert "attempt 1 to create it in progress since" in explanation.summary
    assert explanation.advice == (
        "Wait: if the driver does not reply by the deadline, the attempt is repeated.",
    )


def test_an_attempt_past_its_deadline_has_its_own_advice() -> None:
    explanation = explained(requested(), began("create"), now=NOON + timedelta(hours=1))

    (advice,) = explanation.advice
    assert "The deadline has passed" in advice


def test_a_failed_attempt_has_the_drivers_message_and_the_time_of_the_next_attempt() -> None:
    explanation = explained(requested(), began("create"), failed_attempt())

    (attempt,) = explanation.attempts
    assert (attempt.result, attempt.said, attempt.next_at) == ("transient", "busy", DUE)
    assert explanation.summary == (
        "status creating; attempt 1 to create it did not succeed (busy);"
        " next attempt at 2026-03-01 12:01:00 UTC"
    )
    assert explanation.advice == ("Wait: the next attempt starts automatically when it is due.",)


def test_an_attempt_that_a_crash_interrupted_is_cut_off() -> None:
    results = [
        t.result for t in explained(requested(), began("create"), began("create", n=2)).attempts
    ]

    assert results == ["cut off", "under way"]


def test_an_error_has_its_reason_and_the_ways_out() -> None:
    explanation = explained(
        requested(), began("create"), ShareErrored(doing="create", reason="no space")
    )

    (failed,) = explanation.failed
    assert (failed.what, failed.reason) == ("create it", "no space")
    assert explanation.attempts[-1].said == "no space"
    assert explanation.summary == "status error: no space; no work is pending"
    assert explanation.advice == (
        "Fix the cause, then run `retry` to repeat what failed.",
        "Or run `delete` to give the share up; it is accepted in any state.",
        "Or run `forget` if its backend is lost for good: no driver is called.",
    )


def test_a_failed_rule_of_an_available_share_is_a_failure() -> None:
    applied = AccessRulesApplied(failed={"a": "no such client"})
    explanation = explained(
        requested(), began("create"), created(), ALLOWED, began("access"), applied
    )

    assert explanation.status == "available"
    assert [(f.what, f.reason) for f in explanation.failed] == [
        ("apply access rule a", "no such client")
    ]
    assert explanation.attempts[-1].result == "failed"


def test_a_rule_denied_before_it_was_applied_is_not_a_failure() -> None:
    denied, gone = AccessDenied(access_id="a"), AccessRulesApplied(removed=("a",))
    explanation = explained(
        requested(), began("create"), created(), ALLOWED, denied, began("access"), gone
    )

    assert explanation.failed == ()
    assert explanation.attempts[-1].result == "succeeded"


def test_a_refusal_leaves_the_share_available_with_the_reason() -> None:
    shrink = ShareResizeRequested(doing="shrink", size=1)
    refused = ShareResizeRefused(doing="shrink", reason="3 GiB are used")
    explanation = explained(
        requested(size=5), began("create"), created(), shrink, began("shrink"), refused
    )

    assert explanation.summary == "status available: 3 GiB are used; no work is pending"
    assert explanation.attempts[-1].said == "3 GiB are used"


def test_a_deleted_share_has_an_explanation() -> None:
    deletion = ShareDeletionRequested(cascade=False)
    explanation = explained(
        requested(), began("create"), created(), deletion, began("delete"), ShareDeleted()
    )

    assert (explanation.share_id, explanation.status, explanation.owed) == ("s1", "deleted", ())


def test_an_explanation_has_the_last_attempts_only() -> None:
    events = [e for n in range(1, 31) for e in (began("create", n=n), failed_attempt(n=n))]

    assert [t.n for t in explained(requested(), *events).attempts] == list(range(21, 31))


@given(walks)
def test_an_explanation_has_pending_work_exactly_when_the_share_has_a_pending_effect(
    walk: Walk,
) -> None:
    release_all(walk)  # a deletion that waits for a release is pending without an effect
    stream, state = Stream(), walk.state
    if not walk.events:
        return

    explanation = explain([stream(event, f"c{n}") for n, event in enumerate(walk.events)], NOON)

    view = share.view(state)
    statuses = [
        view.status,
        *(r.state for r in view.access_rules),
        *(s.status for s in view.snapshots),
    ]
    assert bool(explanation.owed) == (share.pending(state) is not None)
    errors = ("error", "manage_error", "unmanage_error")
    assert len(explanation.failed) == sum(status in errors for status in statuses)
    assert explanation.status == view.status


def test_a_deletion_that_waits_for_a_share_from_the_snapshot_names_that_share() -> None:
    snapshot = SnapshotRequested(snapshot_id="n", name=None, at=NOON)
    taken = SnapshotCreated(snapshot_id="n", provider_location=None)
    held, deleting = (
        SnapshotHeld(snapshot_id="n", share_id="x", number=5),
        ShareDeletionRequested(cascade=True),
    )

    explanation = explained(requested(), created(), snapshot, taken, held, deleting)

    assert any("created from it is done: share x" in advice for advice in explanation.advice)
