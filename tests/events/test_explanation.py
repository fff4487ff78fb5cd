"""Why a share is as it is, told from its stream."""

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
from tests.events.share_events import NOON, Stream, began, created, requested
from tests.events.test_share_properties import Walk, walks

ALLOWED = AccessAllowed(access_id="a", access_type="ip", access_to="10.0.0.1", access_level="rw")
DUE = NOON + timedelta(seconds=60)


def told(*events: Event, now: datetime = NOON) -> Explanation:
    """Requests are alice's; all other events are the system's own."""
    stream = Stream()
    return explain(
        [stream(event, f"c{n}" if event.opens() else None) for n, event in enumerate(events)], now
    )


def failed_attempt(kind: str = "transient", n: int = 1) -> AttemptFailed:
    return AttemptFailed(n=n, effect="create", kind=kind, reason="busy", retry_at=DUE)


def test_a_share_at_rest_owes_nothing_and_needs_no_advice() -> None:
    found = told(requested(), began("create"), created())

    assert (found.status, found.since) == ("available", NOON + timedelta(seconds=3))
    assert found.summary == "it is available; nothing is owed"
    assert (found.owed, found.failed, found.advice) == ((), (), ())


def test_what_is_owed_tells_who_asked_and_when() -> None:
    (owed,) = told(requested(), began("create")).owed

    assert (owed.what, owed.asked_by, owed.project, owed.command_id) == (
        "create it", "alice", "demo", "c0",
    )  # fmt: skip
    assert owed.asked_at == NOON + timedelta(seconds=1)


def test_an_attempt_under_way_has_a_deadline() -> None:
    found = told(requested(), began("create"))

    (attempt,) = found.attempts
    assert attempt.result == "under way"
    assert attempt.deadline - attempt.began == timedelta(seconds=300)
    assert "attempt 1 to create it is under way since" in found.summary
    assert found.advice == ("wait: without an answer by its deadline the attempt is made again",)


def test_an_attempt_whose_deadline_is_over_is_told_apart() -> None:
    found = told(requested(), began("create"), now=NOON + timedelta(hours=1))

    (advice,) = found.advice
    assert "its deadline is over" in advice


def test_what_the_driver_said_and_when_the_next_attempt_is_due() -> None:
    found = told(requested(), began("create"), failed_attempt())

    (attempt,) = found.attempts
    assert (attempt.result, attempt.said, attempt.next_at) == ("transient", "busy", DUE)
    assert found.summary == (
        "it is creating; attempt 1 to create it did not succeed (busy);"
        " the next is due 2026-03-01 12:01:00 UTC"
    )
    assert found.advice == ("wait: the next attempt comes by itself when it is due",)


def test_an_attempt_that_a_crash_cut_off_is_told_as_such() -> None:
    results = [t.result for t in told(requested(), began("create"), began("create", n=2)).attempts]

    assert results == ["cut off", "under way"]


def test_an_error_tells_its_reason_and_the_ways_out() -> None:
    found = told(requested(), began("create"), ShareErrored(doing="create", reason="no space"))

    (failed,) = found.failed
    assert (failed.what, failed.reason) == ("create it", "no space")
    assert found.attempts[-1].said == "no space"
    assert found.summary == "it is error: no space; nothing is owed"
    assert [line.partition(",")[0] for line in found.advice] == ["mend the cause", "`delete`"]


def test_a_rule_that_failed_is_told_though_the_share_is_available() -> None:
    applied = AccessRulesApplied(failed={"a": "no such client"})
    found = told(requested(), began("create"), created(), ALLOWED, began("access"), applied)

    assert found.status == "available"
    assert [(f.what, f.reason) for f in found.failed] == [("apply access rule a", "no such client")]
    assert found.attempts[-1].result == "failed"


def test_a_rule_denied_before_it_was_applied_is_no_failure() -> None:
    denied, gone = AccessDenied(access_id="a"), AccessRulesApplied(removed=("a",))
    found = told(requested(), began("create"), created(), ALLOWED, denied, began("access"), gone)

    assert found.failed == ()
    assert found.attempts[-1].result == "succeeded"


def test_a_refusal_leaves_the_share_available_with_the_reason() -> None:
    shrink = ShareResizeRequested(doing="shrink", size=1)
    refused = ShareResizeRefused(doing="shrink", reason="3 GiB are used")
    found = told(requested(size=5), began("create"), created(), shrink, began("shrink"), refused)

    assert found.summary == "it is available: 3 GiB are used; nothing is owed"
    assert found.attempts[-1].said == "3 GiB are used"


def test_a_deleted_share_is_explained_too() -> None:
    deletion = ShareDeletionRequested(cascade=False)
    found = told(requested(), began("create"), created(), deletion, began("delete"), ShareDeleted())

    assert (found.share_id, found.status, found.owed) == ("s1", "deleted", ())


def test_of_many_attempts_the_last_are_told() -> None:
    events = [e for n in range(1, 31) for e in (began("create", n=n), failed_attempt(n=n))]

    assert [t.n for t in told(requested(), *events).attempts] == list(range(21, 31))


@given(walks)
def test_something_is_told_to_be_owed_exactly_when_the_share_owes_it(walk: Walk) -> None:
    stream, state = Stream(), walk.state
    if not walk.events:
        return

    found = explain([stream(event, f"c{n}") for n, event in enumerate(walk.events)], NOON)

    held = share.view(state)
    statuses = [
        held.status,
        *(r.state for r in held.access_rules),
        *(s.status for s in held.snapshots),
    ]
    assert bool(found.owed) == (share.pending(state) is not None)
    errors = ("error", "manage_error", "unmanage_error")
    assert len(found.failed) == sum(status in errors for status in statuses)
    assert found.status == held.status
