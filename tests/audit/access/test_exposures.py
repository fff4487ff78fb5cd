"""Exposures in given histories: rules that were in force longer than intended."""

from __future__ import annotations

from share_actors.audit.access import exposures
from share_actors.events.share.access import AccessDenied
from share_actors.events.share.manage import ShareUnmanaged
from tests.audit.access.given_histories import THERE, allowed, applied, gaps, in_force
from tests.audit.access.stored import GANESHA, reader_of_share, second
from tests.events.share_events import began


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
