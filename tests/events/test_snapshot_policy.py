"""Snapshot policies, given, when, then; and what is due of them, and surplus, at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from share_actors.actors.manager.snapshot_policies import (
    Due,
    due,
    snapshot_id,
    snapshot_name,
    surplus,
    untrimmed,
)
from share_actors.events import snapshot_policy
from share_actors.events.snapshot_policy import (
    MAX_SHARES,
    AttachShares,
    ChangeSnapshotPolicy,
    CreateSnapshotPolicy,
    DeleteSnapshotPolicy,
    DetachShares,
    PolicyChanged,
    PolicyCreated,
    PolicyDeleted,
    PolicyRan,
    RecordRun,
    SharesAttached,
    SharesDetached,
)
from share_actors.testing import Spec
from share_actors.values import PolicyRun, Share, Snapshot, SnapshotPolicy, SnapshotSchedule
from tests.events.share_events import NOON

HOURLY, DAILY = SnapshotSchedule.hourly(2), SnapshotSchedule.daily(7, at_s=7200)
HOUR = timedelta(hours=1)
made = PolicyCreated(
    policy_id="p",
    name="nightly",
    schedules=(HOURLY, DAILY),
    project_id="demo",
    user_id="alice",
    at=NOON,
)
active = Spec(snapshot_policy).given(made)
attached = active.given(SharesAttached(shares=("s1", "s2")))


def ran(hours: int, missed: int = 0) -> PolicyRun:
    return PolicyRun(every_s=3600, at=NOON + hours * HOUR, requested=2, missed=missed)


def test_a_policy_is_created_with_its_schedules_the_shortest_first() -> None:
    fields = {"policy_id": "p", "name": "nightly", "project_id": "demo", "user_id": "alice"}
    command = CreateSnapshotPolicy.model_validate(
        {**fields, "schedules": (DAILY, HOURLY), "at": NOON}
    )

    Spec(snapshot_policy).when(command).then(made)
    active.when(command).then()
    active.when(command.replace(name="other")).then_rejected("exists already")


def test_two_schedules_of_one_period_are_refused() -> None:
    with pytest.raises(ValidationError, match="two schedules"):
        ChangeSnapshotPolicy(schedules=(HOURLY, SnapshotSchedule.hourly(5)))
    with pytest.raises(ValidationError, match="schedules"):
        ChangeSnapshotPolicy(schedules=())


@pytest.mark.parametrize(
    "fields",
    [
        {"every_s": 59, "keep": 1},
        {"every_s": 3600, "keep": 0},
        {"every_s": 3600, "keep": 1001},
        {"every_s": 3600, "keep": 1, "at_s": 3600},
        {"every_s": 3600, "keep": 1, "at_s": -1},
        {"every_s": "1h", "keep": 1},
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SnapshotSchedule.model_validate(fields)


def test_shares_are_attached_and_detached_once() -> None:
    attached.when(AttachShares(shares=("s2", "s3", "s3"))).then(SharesAttached(shares=("s3",)))
    attached.when(AttachShares(shares=("s1",))).then()
    attached.when(DetachShares(shares=("s2", "x"))).then(SharesDetached(shares=("s2",)))
    attached.when(DetachShares(shares=("x",))).then()


def test_the_number_of_shares_is_limited() -> None:
    full = active.given(SharesAttached(shares=tuple(map(str, range(MAX_SHARES)))))

    full.when(AttachShares(shares=("more",))).then_rejected("at most 2000 shares")


def test_a_run_is_recorded_once_and_counts_what_was_missed() -> None:
    after = attached.given(PolicyRan(run=ran(3, missed=2)))

    attached.when(RecordRun(run=ran(3, missed=2))).then(PolicyRan(run=ran(3, missed=2)))
    after.when(RecordRun(run=ran(3))).then()
    after.when(RecordRun(run=ran(2))).then()
    after.when(RecordRun(run=ran(4))).then_state(lambda state: state.missed, 2)
    attached.when(RecordRun(run=ran(3).replace(every_s=60))).then()


def test_a_changed_schedule_goes_on_from_its_last_run_and_a_new_one_begins_now() -> None:
    changed = PolicyChanged(
        schedules=(SnapshotSchedule(every_s=60, keep=1), HOURLY), at=NOON + HOUR
    )
    given = attached.given(PolicyRan(run=ran(1)))

    spec = given.when(ChangeSnapshotPolicy(schedules=changed.schedules, at=changed.at))

    spec.then(changed)
    spec.then_state(lambda state: state.since, {"60": NOON + HOUR, "3600": NOON + HOUR})


def test_a_deleted_policy_takes_no_command_but_its_deletion() -> None:
    deleted = attached.given(PolicyDeleted())

    attached.when(DeleteSnapshotPolicy()).then(PolicyDeleted())
    deleted.when(DeleteSnapshotPolicy()).then()
    deleted.when(AttachShares(shares=("s",))).then_rejected("is deleted")


# -- times -------------------------------------------------------------------------------------------
def test_a_day_begins_at_midnight_and_a_week_on_monday_in_utc() -> None:
    wednesday = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)

    assert SnapshotSchedule.daily(1).latest(wednesday) == datetime(2026, 3, 4, tzinfo=UTC)
    assert SnapshotSchedule.weekly(1).latest(wednesday) == datetime(2026, 3, 2, tzinfo=UTC)
    two = SnapshotSchedule.daily(1, at_s=7200)
    assert two.latest(wednesday) == datetime(2026, 3, 4, 2, tzinfo=UTC)


@given(
    st.integers(60, 86400 * 366),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
    st.data(),
)
def test_the_latest_time_is_the_only_one_within_a_period(
    every_s: int, now: datetime, data: st.DataObject
) -> None:
    at_s = data.draw(st.integers(0, every_s - 1))
    schedule = SnapshotSchedule(every_s=every_s, keep=1, at_s=at_s)
    now = now.replace(tzinfo=UTC)

    latest = schedule.latest(now)

    assert latest <= now < latest + timedelta(seconds=every_s)
    assert schedule.latest(latest) == latest
    assert schedule.count(latest, now) == 0
    assert schedule.count(latest - timedelta(seconds=3 * every_s), now) == 3


def policy(*runs: PolicyRan) -> SnapshotPolicy:
    return attached.given(*runs).state


def test_nothing_is_due_before_the_first_time_after_the_creation() -> None:
    assert due(policy(), NOON + timedelta(minutes=59)) == []
    [first] = due(policy(), NOON + HOUR)
    assert (first.schedule, first.at, first.missed) == (HOURLY, NOON + HOUR, 0)


def test_after_an_outage_the_latest_time_is_due_and_the_others_are_missed() -> None:
    late = due(policy(PolicyRan(run=ran(1))), NOON + timedelta(hours=15))

    assert [(item.at, item.missed) for item in late] == [
        (NOON + timedelta(hours=15), 13),
        (NOON + timedelta(hours=14), 0),
    ]


# -- what is surplus ---------------------------------------------------------------------------------
ITEM = Due(policy(), HOURLY, NOON + timedelta(hours=9), 0)


def snapshot(hour: int, status: str = "available", **fields: Any) -> Snapshot:
    at = NOON + hour * HOUR
    own = {"id": snapshot_id("p", "s1", HOURLY, at), "name": snapshot_name(ITEM.policy, at)}
    return Snapshot.model_validate({**own, "share_id": "s1", "status": status, **fields})


def share_with(*snapshots: Snapshot) -> Share:
    return Share(id="s1", snapshots=snapshots)


def test_the_latest_snapshots_are_kept_and_older_ones_are_surplus() -> None:
    held = [snapshot(hour) for hour in (4, 1, 3, 2)]

    assert surplus(share_with(*held), ITEM) == [held[1].id, held[3].id]
    assert surplus(share_with(held[0], held[2]), ITEM) == []


def test_a_snapshot_in_error_takes_no_place_of_a_good_one() -> None:
    held = [snapshot(1), snapshot(2, "error"), snapshot(3), snapshot(4, "error")]

    assert surplus(share_with(*held), ITEM) == []
    assert surplus(share_with(*held, snapshot(5)), ITEM) == [held[0].id, held[1].id]


def test_as_many_snapshots_in_error_are_kept_as_good_ones() -> None:
    failed = [snapshot(hour, "error") for hour in (4, 1, 3, 2)]

    assert surplus(share_with(*failed), ITEM) == [failed[1].id, failed[3].id]
    assert surplus(share_with(snapshot(0), *failed[:3]), ITEM) == [failed[1].id]


@pytest.mark.parametrize(
    "fields",
    [{"id": "by-hand"}, {"name": "by hand"}, {"name": "nightly-20260301T999999Z"}, {"name": None}],
)
def test_a_snapshot_that_the_schedule_did_not_make_is_never_surplus(
    fields: dict[str, Any],
) -> None:
    foreign = snapshot(1, **fields)

    assert surplus(share_with(foreign, *(snapshot(h) for h in (2, 3, 4))), ITEM) == [snapshot(2).id]


def test_a_schedule_is_trimmed_once_after_each_run() -> None:
    [item] = untrimmed(policy(PolicyRan(run=ran(1))), {})

    assert (item.schedule, item.at) == (HOURLY, NOON + HOUR)
    assert untrimmed(item.policy, {("p", 3600): item.at}) == []
    assert untrimmed(policy(PolicyRan(run=ran(2))), {("p", 3600): item.at}) != []
