"""Given histories: the periods of their rules, and what is not known of them."""

from __future__ import annotations

import pytest

from share_actors.audit.access import access_at, exposures, reach
from share_actors.errors import NotFound
from share_actors.events.share.access import AccessDenied
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.failure import ShareErrored
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.manage import ShareUnmanaged
from share_actors.events.share.snapshot.access import (
    SnapshotAccessAllowed,
    SnapshotAccessRulesApplied,
)
from share_actors.events.share.snapshot.messages import (
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRequested,
    SnapshotRequested,
)
from tests.audit.access.given_histories import (
    MANAGED,
    THERE,
    allowed,
    applied,
    gaps,
    in_force,
    reached,
    seconds,
    told,
)
from tests.audit.access.stored import GANESHA, Dated, reader_of_share, second
from tests.events.share_events import NOON, began, requested


# -- intended and in force -------------------------------------------------------------------------
def test_a_rule_is_intended_from_its_request_and_in_force_from_its_confirmation() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]

    assert told([*history, (40, applied(removed=("r1",)))]) == [
        ("r1", 10, 11, True, "no"),
        ("r1", 11, 12, True, "unknown"),
        ("r1", 12, 30, True, "yes"),
        ("r1", 30, 40, False, "yes"),
    ]


SNAPSHOT: Dated = [
    *THERE,
    (6, SnapshotRequested(snapshot_id="n", name=None, at=NOON)),
    (7, SnapshotCreated(snapshot_id="n", provider_location=None)),
    (
        10,
        SnapshotAccessAllowed(
            snapshot_id="n",
            access_id="r9",
            access_type="ip",
            access_to="10.0.0.7",
            access_level="ro",
        ),
    ),
    (11, began("snapshot/n/access")),
    (12, SnapshotAccessRulesApplied(snapshot_id="n", applied=("r9",))),
    (20, SnapshotDeletionRequested(snapshot_id="n")),
    (25, SnapshotAccessRulesApplied(snapshot_id="n", removed=("r9",))),
    (26, SnapshotDeleted(snapshot_id="n")),
]
"""A snapshot that a client could mount until it was deleted; the share itself has no rules."""


def test_a_snapshot_with_rules_of_its_own_is_told_beside_its_share() -> None:
    reader = reader_of_share(SNAPSHOT, driver=GANESHA)

    [period] = access_at(reader, "s1", second(15))
    found = list(reach(reader, "10.0.0.7", second(0), second(100)))
    [gap] = exposures(reader, "s1")

    assert (period.snapshot_id, period.access_id, period.in_force) == ("n", "r9", "yes")
    assert {r.snapshot_id for r in found} == {"n"}
    assert [(seconds(r.start), seconds(r.end), r.in_force) for r in found if r.in_force] == [
        (11, 12, "unknown"),
        (12, 20, "ro"),
        (20, 25, "ro"),
    ]
    assert (gap.snapshot_id, gap.kind, gap.seconds) == ("n", "deleted", 5)


def test_a_period_says_who_asked_and_when_it_was_done() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]

    [period] = access_at(reader_of_share(history), "home", second(35))

    assert (period.asked_by, seconds(period.asked_at), seconds(period.applied_at)) == (
        "alice",
        10,
        12,
    )
    assert (seconds(period.revoked_at), period.because) == (30, "it waits to be removed")


def test_periods_are_half_open() -> None:
    reader = reader_of_share([*THERE, *in_force("r1", "10.0.0.7", 10)])

    assert access_at(reader, "s1", second(9.9)) == ()
    assert [p.in_force for p in access_at(reader, "s1", second(12))] == ["yes"]


def test_a_rule_that_the_backend_refused_is_not_known_with_its_reason() -> None:
    history = [*THERE, (10, allowed("r1", "10.0.0.7")), (11, began("access"))]
    failed = [*history, (12, applied(r1="no such user"))]

    [period] = access_at(reader_of_share(failed), "s1", second(20))

    assert (period.intended, period.in_force) == (True, "unknown")
    assert period.because == "it could not be applied: no such user"


def test_a_rule_that_could_not_be_removed_is_not_known() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]

    assert told([*history, (40, applied(r1="busy"))])[-2:] == [
        ("r1", 30, 40, False, "yes"),
        ("r1", 40, None, False, "unknown"),
    ]


def test_a_rule_of_a_share_in_error_waits() -> None:
    errored = [(0, requested("s1")), (1, allowed("r1", "10.0.0.7"))]
    history = [*errored, (2, ShareErrored(doing="create", reason="the disk is full"))]

    [period] = access_at(reader_of_share(history), "s1", second(3))

    assert (period.in_force, period.because) == (
        "no",
        "it waits to be applied; the share is in error: the disk is full",
    )


def test_nothing_is_said_of_a_time_before_the_share() -> None:
    with pytest.raises(NotFound, match="it begins at 2026-03-01T12:00:00"):
        access_at(reader_of_share(THERE), "s1", second(-1))


def test_another_entity_is_no_share() -> None:
    with pytest.raises(NotFound, match="backend-local is not a share"):
        access_at(reader_of_share(THERE, driver=GANESHA), "backend:local", second(1))


# -- what is not known -----------------------------------------------------------------------------
def test_access_is_not_known_until_a_managed_share_has_had_rules_applied() -> None:
    assert told([*MANAGED, *in_force("r1", "10.0.0.7", 10)])[:3] == [
        (None, None, 5, None, "unknown"),
        ("r1", 10, 11, True, "no"),
        (None, 5, 12, False, "unknown"),
    ]


def test_what_a_client_reached_before_a_share_was_managed_is_not_known() -> None:
    found = reach(reader_of_share(MANAGED), "10.0.0.7", second(-10), second(-5))

    assert [(seconds(r.start), seconds(r.end), r.in_force) for r in found] == [(-10, -5, "unknown")]


def test_a_rule_of_a_managed_share_counts_once_when_its_access_becomes_known() -> None:
    history = [*MANAGED, (6, allowed("r1", "10.0.0.7")), (7, began("access")), (8, applied("r1"))]

    assert reached(history, "10.0.0.7") == [
        (0, 5, "unknown", "unknown"),
        (5, 6, None, "unknown"),
        (6, 8, "rw", "unknown"),
        (8, 100, "rw", "rw"),
    ]


def test_access_to_an_unmanaged_share_is_not_known() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (50, ShareUnmanaged())]

    assert told(history)[-2:] == [
        ("r1", 12, 50, True, "yes"),
        (None, 50, None, None, "unknown"),
    ]
    assert reached(history, "10.9.9.9") == [(50, 100, "unknown", "unknown")]


def test_a_rule_that_a_forgotten_share_left_is_not_known_until_it_is_removed() -> None:
    forgotten = [(50, ShareForgetRequested(reason="fire")), (50, ShareForgotten(reason="fire"))]
    again = [(at + 60, event) for at, event in MANAGED]
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), *forgotten, *again]

    assert told([*history, (80, applied(removed=("r1",)))])[-2:] == [
        (None, 65, 80, False, "unknown"),
        ("r1", 65, 80, False, "unknown"),
    ]


def test_deletion_ends_access() -> None:
    deleted = [(50, ShareDeletionRequested(cascade=False)), (60, ShareDeleted())]
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), *deleted]

    assert told(history)[-1] == ("r1", 50, 60, False, "yes")
    assert gaps(history) == [("deleted", "r1", 50, 60, "gone")]
    assert access_at(reader_of_share(history), "s1", second(60)) == ()


def test_the_order_of_the_log_counts_where_a_clock_ran_backwards() -> None:
    history = [*THERE, (30, allowed("r1", "10.0.0.7")), (20, began("access")), (25, applied("r1"))]

    assert told(history) == [("r1", 20, 25, True, "unknown"), ("r1", 25, None, True, "yes")]
