"""Whatever happened to a share: the time machine says of any time what its aggregate had recorded by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from share_actors.audit.access import (
    AccessPeriod,
    Exposure,
    Reach,
    access_at,
    access_history,
    exposures,
    reach,
)
from share_actors.events import share
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot.messages import (
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotForgotten,
)
from tests.audit.access.random_histories import (
    LAST,
    SHARE_ID,
    Dated,
    histories,
    histories_with_snapshot,
)
from tests.audit.access.stored import GANESHA, reader_of_share, second
from tests.events.share_events import NOON

CHECKS = settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
START, END = NOON - timedelta(seconds=1), NOON + timedelta(seconds=LAST + 1)
UNMANAGED = ("unmanaged", "manage_starting", "manage_error")
RANK = {None: 0, "ro": 1, "rw": 2}


def moments(history: Dated) -> list[float]:
    """The times of all events and times between them."""
    return sorted({at + offset for at, _ in history for offset in (0, 0.5)})


def events_upto(history: Dated, at: float) -> list[Any]:
    """The events up to the last one that is not after *at*: the clock may have been set back."""
    count = max((n for n, (when, _) in enumerate(history, 1) if when <= at), default=0)
    return [event for _, event in history[:count]]


def state_at(history: Dated, at: float) -> tuple[share.ShareState, bool]:
    """The aggregate's own state, by its events up to the last one that is not after *at*.

    And whether the share was to be deleted: a deletion that failed and became another work still counts.
    """
    state, deleting = share.initial, False
    for event in events_upto(history, at):
        state = share.evolve(state, event)
        deleting = state.doing == "delete" or (deleting and state.share.status not in UNMANAGED)
    return state, deleting


def at_time(
    periods: Sequence[AccessPeriod], at: datetime, snapshot: str | None = None
) -> dict[str | None, AccessPeriod]:
    of_it = [period for period in periods if period.snapshot_id == snapshot]
    found = [period for period in of_it if period.contains(at)]
    assert len({period.access_id for period in found}) == len(found)
    return {period.access_id: period for period in found}


def check(state: share.ShareState, deleting: bool, found: dict[str | None, AccessPeriod]) -> None:
    rules, revoked = state.rules.rules, frozenset(state.rules.denied)
    if deleting:
        revoked = frozenset(rules)
    in_force = {i for i, period in found.items() if i and period.in_force != "no"}
    assert {i for i, period in found.items() if period.intended} == rules.keys() - revoked
    assert in_force == rules.keys() & state.rules.applied
    assert (set(found) == {None}) or state.share.status not in UNMANAGED
    for i, period in found.items():
        if i is not None:
            rule = rules[i]
            assert (period.access_to, period.access_level) == (rule.access_to, rule.access_level)
            assert period.in_force == "yes" or rule.state != "active"
            assert period.in_force != "yes" or rule.state != "error"


@CHECKS
@given(histories)
def test_access_at_any_time_is_that_of_the_aggregate_then(history: Dated) -> None:
    if history:
        periods = list(access_history(reader_of_share(history), SHARE_ID))
        for at in moments(history):
            check(*state_at(history, at), at_time(periods, second(at)))


def was_to_go(history: Dated, at: float, snapshot: str) -> bool:
    """Whether its deletion was asked for and not refused by then; one that failed still counts."""
    going = False
    for event in events_upto(history, at):
        if getattr(event, "snapshot_id", None) == snapshot:
            begins = isinstance(event, SnapshotDeletionRequested)
            ends = isinstance(event, SnapshotDeletionRefused | SnapshotDeleted | SnapshotForgotten)
            going = begins or (going and not ends)
    return going


@CHECKS
@given(histories_with_snapshot)
def test_access_to_a_snapshot_at_any_time_is_that_of_the_aggregate_then(history: Dated) -> None:
    if not history:
        return
    periods = list(access_history(reader_of_share(history), SHARE_ID))
    for at in moments(history):
        state, deleting = state_at(history, at)
        for snapshot in ("n1", "n2"):
            found = at_time(periods, second(at), snapshot)
            held = state.snapshots.held.get(snapshot)
            rules = state.snapshots.rules.get(snapshot, Rules())
            leaving = deleting or held is None or was_to_go(history, at, snapshot)
            intended = set() if leaving else rules.rules.keys() - rules.denied
            there = {i for i, period in found.items() if i and period.in_force != "no"}
            assert {i for i, period in found.items() if period.intended} == intended
            assert there == rules.rules.keys() & rules.applied
            for i, period in found.items():
                if i is not None:
                    assert period.access_to == rules.rules[i].access_to
                    assert period.in_force == "yes" or rules.rules[i].state != "active"


@CHECKS
@given(histories)
def test_periods_of_a_rule_are_not_empty_and_do_not_overlap(history: Dated) -> None:
    if not history:
        return
    periods = list(access_history(reader_of_share(history), SHARE_ID))
    for one in {(period.snapshot_id, period.access_id) for period in periods}:
        own = [period for period in periods if (period.snapshot_id, period.access_id) == one]
        for before, after in pairwise(own):
            assert before.end is not None
            assert after.start is not None
            assert (before.start or START) < before.end <= after.start


# -- reach ---------------------------------------------------------------------------------------
def names(period: AccessPeriod, client: str) -> bool:
    """Whether the rule of *period* names *client*, by the standard library alone."""
    kind, _, name = client.partition(":") if client.startswith("user:") else ("ip", "", client)
    if period.access_type != kind or period.access_to is None:
        return False
    if kind == "user":
        return period.access_to == name
    rule, asked = ip_network(period.access_to), ip_network(name)
    return rule.version == asked.version and rule.overlaps(asked)


def levels(rules: Sequence[tuple[AccessPeriod, bool]], *, known_order: bool) -> set[str | None]:
    """The levels that each choice of those rules that are not certain may come to."""
    found: set[str | None] = set()
    for choice in product(*(([True] if certain else [False, True]) for _, certain in rules)):
        chosen = [rule for (rule, _), taken in zip(rules, choice, strict=True) if taken]
        found |= resolved(chosen, known_order=known_order)
    return found


def resolved(rules: Sequence[AccessPeriod], *, known_order: bool) -> set[str | None]:
    if not rules or not known_order:
        return {rule.access_level for rule in rules} or {None}
    lengths = [
        ip_network(str(rule.access_to)).prefixlen if rule.access_type == "ip" else 0
        for rule in rules
    ]
    nearest = [r for r, length in zip(rules, lengths, strict=True) if length == max(lengths)]
    return {max((rule.access_level for rule in nearest), key=RANK.__getitem__)}


def check_reach(periods: Sequence[AccessPeriod], found: Sequence[Reach], order: str) -> None:
    """Compare what was reached at one time with the rules of that time."""
    intended, in_force = (None, None) if not found else (found[0].intended, found[0].in_force)
    assert len(found) <= 1
    unknown = next((p for p in periods if p.access_id is None), None)
    rules = [p for p in periods if p.access_id is not None]
    known = order != "unknown"
    asked = levels([(p, True) for p in rules if p.intended], known_order=known)
    there = levels(
        [(p, p.in_force == "yes") for p in rules if p.in_force != "no"], known_order=known
    )
    if unknown is not None:
        assert (in_force, found[0].at_most) == ("unknown", "rw")
        assert intended == ("unknown" if unknown.intended is None else one_of(asked))
    else:
        assert (intended, in_force) == (one_of(asked), one_of(there))


def one_of(possible: set[str | None]) -> str | None:
    return next(iter(possible)) if len(possible) == 1 else "unknown"


@pytest.mark.parametrize("client", ["10.0.0.7", "10.0.0.9", "11.0.0.1", "fd00::1", "user:alice"])
@pytest.mark.parametrize("driver", [(), GANESHA], ids=["unknown driver", "NFS-Ganesha"])
@settings(CHECKS, max_examples=12)
@given(history=histories)
def test_a_client_reaches_what_the_rules_of_each_time_give_it(
    client: str, driver: Dated, history: Dated
) -> None:
    if not history:
        return
    reader = reader_of_share(history, driver=driver)
    periods, reached = (
        [p for p in access_history(reader, SHARE_ID) if p.snapshot_id is None],
        [r for r in reach(reader, client, START, END) if r.snapshot_id is None],
    )
    order = "longest prefix" if driver or client.startswith("user") else "unknown"
    for at in map(second, moments(history)):
        now = [p for p in periods if p.contains(at) and (p.access_id is None or names(p, client))]
        check_reach(now, [r for r in reached if r.start <= at < r.end], order)


@pytest.mark.parametrize("client", ["10.0.0.0/16", "10.0.0.0/25", "0.0.0.0/0", "fd00::/48"])
@settings(CHECKS, max_examples=12)
@given(history=histories)
def test_a_network_reaches_by_each_rule_that_names_a_part_of_it(
    client: str, history: Dated
) -> None:
    if not history:
        return
    reader = reader_of_share(history)
    reached = list(reach(reader, client, START, END))
    for at in map(second, moments(history)):
        expected = {
            (p.snapshot_id, p.access_id, p.intended is not False, p.in_force != "no")
            for p in access_at(reader, SHARE_ID, at)
            if p.access_id is None or names(p, client)
        }
        found = [r for r in reached if r.start <= at < r.end]
        assert {
            (
                r.snapshot_id,
                (*r.rules, None)[0],
                r.intended is not None,
                r.in_force is not None,
            )
            for r in found
        } == expected


# -- exposures -----------------------------------------------------------------------------------
def covers(exposure: Exposure, period: AccessPeriod) -> bool:
    assert period.start is not None
    if (exposure.snapshot_id, exposure.access_id) != (period.snapshot_id, period.access_id):
        return False
    if exposure.asked_at > period.start:
        return False
    if exposure.gone_at is None:
        return True
    return period.end is not None and period.end <= exposure.gone_at


@CHECKS
@given(histories | histories_with_snapshot)
def test_each_period_in_force_although_revoked_is_in_one_exposure(history: Dated) -> None:
    if not history:
        return
    reader = reader_of_share(history)
    found = list(exposures(reader))
    for period in access_history(reader, SHARE_ID):
        if period.access_id is not None and period.intended is False:
            assert [e.access_id for e in found if covers(e, period)] == [period.access_id]
    for exposure in found:
        assert exposure.gone_at is None or exposure.asked_at <= exposure.gone_at
        assert (exposure.gone_at is not None) == (exposure.result == "gone")
