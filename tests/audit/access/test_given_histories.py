"""Given histories: the periods of their rules, what a client reached, and the exposures."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.audit.access import access_at, access_history, exposures, reach
from share_actors.audit.reading.reader import BATCH_SIZE, LogReader
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest, NotFound
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.failure import ShareErrored
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.manage import ShareManaged, ShareManageRequested, ShareUnmanaged
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
from share_actors.values import ExportLocation, ShareSpec
from tests.audit.access.stored import GANESHA, Dated, Rows, reader_of, reader_of_share, second
from tests.events.share_events import NOON, began, created, requested

THERE: Dated = [(0, requested("s1")), (5, created())]
MANAGED: Dated = [
    (
        0,
        ShareManageRequested(
            share_id="s1", spec=ShareSpec(name="home", host="local"), driver_options={}, at=NOON
        ),
    ),
    (5, ShareManaged(size=1, export_locations=(ExportLocation(path="nas:/x"),))),
]


def allowed(access_id: str, to: str, level: str = "rw", kind: str = "ip") -> Any:
    return AccessAllowed(access_id=access_id, access_type=kind, access_to=to, access_level=level)


def applied(*ids: str, removed: tuple[str, ...] = (), **failed: str) -> AccessRulesApplied:
    return AccessRulesApplied(applied=ids, removed=removed, failed=failed)


def in_force(access_id: str, to: str, at: int, level: str = "rw", kind: str = "ip") -> Dated:
    """A rule that is asked for, attempted and confirmed within two seconds."""
    rule = allowed(access_id, to, level, kind)
    return [(at, rule), (at + 1, began("access")), (at + 2, applied(access_id))]


def seconds(at: Any) -> int | None:
    return None if at is None else round((at - NOON).total_seconds())


def told(history: Dated) -> list[tuple[Any, ...]]:
    """The periods of the share as (rule, from, to, intended, in force)."""
    return [
        (p.access_id, seconds(p.start), seconds(p.end), p.intended, p.in_force)
        for p in access_history(reader_of_share(history), "s1")
    ]


def reached(history: Dated, client: str, *, driver: Dated = GANESHA) -> list[tuple[Any, ...]]:
    """What *client* reached in the first hundred seconds as (from, to, intended, in force)."""
    found = reach(reader_of_share(history, driver=driver), client, second(0), second(100))
    return [(seconds(r.start), seconds(r.end), r.intended, r.in_force) for r in found]


def gaps(history: Dated, *, driver: Dated = GANESHA) -> list[tuple[Any, ...]]:
    """The exposures as (kind, rule, asked, gone, result)."""
    return [
        (e.kind, e.access_id, seconds(e.asked_at), seconds(e.gone_at), e.result)
        for e in exposures(reader_of_share(history, driver=driver))
    ]


# -- intended and in force -----------------------------------------------------------------------
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


# -- what is not known ---------------------------------------------------------------------------
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


# -- reach ---------------------------------------------------------------------------------------
def test_the_smallest_network_decides_as_in_nfs_ganesha() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]

    assert reached(history, "10.0.0.7")[-1] == (22, 100, "ro", "ro")
    assert reached(history, "10.0.0.8")[-1] == (12, 100, "rw", "rw")
    assert reached(history, "11.0.0.8") == []


def test_an_ipv4_address_in_ipv6_spelling_is_the_same_client() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10)]

    assert reached(history, "::ffff:10.0.0.7") == reached(history, "10.0.0.7") != []


def test_rules_that_disagree_are_not_known_where_the_order_of_the_backend_is_not() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]

    assert reached(history, "10.0.0.7", driver=())[-1] == (22, 100, "unknown", "unknown")
    assert reached(history, "10.0.0.8", driver=())[-1] == (12, 100, "rw", "rw")


def test_a_network_is_reached_in_whole_or_in_part() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]
    found = reach(reader_of_share(history, driver=GANESHA), "10.0.0.0/24", second(50), second(60))

    assert {(r.client, r.in_force, r.rules) for r in found} == {
        ("10.0.0.0/24", "rw", ("r1",)),
        ("10.0.0.7", "ro", ("r2",)),
    }


@pytest.mark.parametrize(
    ("client", "kind", "to"),
    [
        ("alice", "user", "alice"),
        ("user:@staff", "user", "@staff"),
        ("cert:host-1", "cert", "host-1"),
        ("cephx:alice", "cephx", "alice"),
    ],
)
def test_names_match_exactly(client: str, kind: str, to: str) -> None:
    history = [*THERE, *in_force("r1", to, 10, "ro", kind)]

    assert reached(history, client)[-1] == (12, 100, "ro", "ro")
    assert reached(history, f"{client}x") == []
    assert reached(history, "user:other") == []


def test_reach_is_clipped_and_of_all_shares() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10)]
    reader = reader_of({"share-s1": history, "share-s2": history, "backend-b": ()})

    found = list(reach(reader, "10.0.0.7", second(20), second(30)))

    assert [(r.share_id, seconds(r.start), seconds(r.end)) for r in found] == [
        ("s1", 20, 30),
        ("s2", 20, 30),
    ]


def test_times_without_a_zone_and_backward_ones_are_refused_with_their_name() -> None:
    reader = reader_of_share(THERE)
    with pytest.raises(InvalidRequest, match="to: 2026-03-01T12:00:00 has no time zone"):
        reach(reader, "10.0.0.7", NOON, NOON.replace(tzinfo=None))
    with pytest.raises(InvalidRequest, match=r"from: .* is after to: "):
        exposures(reader, None, second(2), second(1))


@pytest.mark.parametrize(
    "client", ["", "10.0.0.7/8", "10.0.0.300", "ip:alice", "user:", "a\0", "fe80::1%e"]
)
def test_what_is_no_client_is_refused(client: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^client: "):
        reach(reader_of_share(THERE), client, second(0), second(1))


# -- exposures -----------------------------------------------------------------------------------
def test_an_exposure_lasts_from_the_request_to_the_removal_through_failures() -> None:
    denied = [(30, AccessDenied(access_id="r1")), (31, began("access"))]
    failed = [*THERE, *in_force("r1", "10.0.0.7", 10), *denied, (33, applied(r1="busy"))]

    [left] = exposures(reader_of_share(failed))
    [ended] = exposures(reader_of_share([*failed, (44, applied(removed=("r1",)))]))

    assert (left.result, left.failed, left.seconds) == ("open", "busy", None)
    assert (ended.result, ended.failed, ended.seconds) == ("gone", "busy", 14.0)


def test_a_rule_that_was_never_attempted_exposes_nothing() -> None:
    history = [*THERE, (10, allowed("r1", "10.0.0.7")), (11, AccessDenied(access_id="r1"))]

    assert gaps([*history, (12, applied(removed=("r1",)))]) == []


def test_rw_that_becomes_ro_for_the_same_client_is_lowered() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]
    history += [(31, allowed("r2", "10.0.0.7", "ro")), (32, began("access"))]

    assert gaps([*history, (40, applied("r2", removed=("r1",)))]) == [
        ("lowered", "r1", 30, 40, "gone")
    ]


def test_a_rule_with_ro_for_a_part_of_a_network_lowers_the_part() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), (30, allowed("r2", "10.0.0.7", "ro"))]
    history += [(31, began("access")), (40, applied("r2"))]

    assert gaps(history) == [("lowered", "r2", 30, 40, "gone")]
    assert gaps(history, driver=()) == []


def test_an_exposure_of_a_share_that_is_not_managed_any_more_has_no_known_end() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]

    assert gaps([*history, (35, ShareUnmanaged())]) == [("revoked", "r1", 30, None, "unknown")]


def test_what_other_rules_still_give_the_client_is_named() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), *in_force("r2", "10.0.0.0/8", 20)]
    history += [(30, AccessDenied(access_id="r1")), (40, applied(removed=("r1",)))]

    [found] = exposures(reader_of_share(history, driver=GANESHA))

    assert (found.kind, found.remains) == ("revoked", "rw")


def test_exposures_are_those_that_overlap_the_times() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10), (30, AccessDenied(access_id="r1"))]
    reader = reader_of_share([*history, (40, applied(removed=("r1",)))])

    for start, end, number in [(0, 30, 0), (0, 31, 1), (35, 36, 1), (40, 50, 0)]:
        assert len(list(exposures(reader, "home", second(start), second(end)))) == number


# -- a fleet -------------------------------------------------------------------------------------
def test_what_a_client_reaches_on_a_thousand_shares_is_read_share_by_share() -> None:
    history = list(THERE)
    for number in range(10):
        history += in_force(f"r{number}", f"10.{number}.0.0/16", 10 + 3 * number)
    rows = Rows({f"share-s{n:04}": history for n in range(1000)})

    found = reach(LogReader(rows, LogSettings()), "10.9.0.7", second(0), second(100))

    assert next(found).share_id == "s0000"
    assert rows.fetched <= BATCH_SIZE < rows.head()
    assert len({r.share_id for r in found if r.in_force == "rw"}) == 1000
