"""A backend: changes of its capabilities, its outages, and the settings its shares were ensured for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.events import backend
from share_actors.events.backend import (
    BackendChanged,
    BackendDown,
    BackendHealthy,
    BackendInfoChanged,
    BackendMoved,
    BackendMoveEnded,
    BackendPinned,
    BackendSharesEnsured,
    BackendUnhealthy,
    BackendUp,
    ConfirmShares,
    MoveBackend,
    PinBackend,
    ReportSilence,
    ReportStats,
)
from share_actors.testing import Spec
from share_actors.values import Capabilities, Pool
from tests.events.share_events import NOON


def capabilities(free_gib: float = 50.0, **properties: Any) -> Capabilities:
    """Backend blue with one pool of 100 GiB."""
    pool = Pool(name="p", total_capacity_gib=100.0, free_capacity_gib=free_gib)
    defaults = {
        "driver_name": "d",
        "storage_protocols": ("NFS",),
        "access_types": ("ip",),
        "pools": (pool,),
    }
    return Capabilities(backend_name="blue", **{**defaults, **properties})


def report(reported: Capabilities, info: str | None = None) -> ReportStats:
    return ReportStats(backend="blue", capabilities=reported, info=info, at=NOON)


up = BackendUp(backend="blue", capabilities=capabilities(), wrong={}, at=NOON)
down = BackendDown(backend="blue", reason="no route", at=NOON)
blue = Spec(backend).given(up)
silence = ReportSilence(backend="blue", reason="no route", at=NOON)


def test_a_backend_is_up_with_its_first_report_and_the_first_after_an_outage() -> None:
    Spec(backend).when(report(capabilities())).then(up)
    blue.given(down).when(report(capabilities())).then(up)


def test_an_unchanged_report_or_a_small_change_of_room_is_not_an_event() -> None:
    blue.when(report(capabilities())).then()
    blue.when(report(capabilities(free_gib=45.0))).then()


def test_a_large_change_of_room_a_feature_or_a_pool_is_an_event() -> None:
    for reported in (
        capabilities(free_gib=30.0),
        capabilities(snapshot_support=False),
        capabilities(pools=()),
    ):
        changed = BackendChanged(capabilities=reported, wrong={}, at=NOON)
        blue.when(report(reported)).then(changed)
        blue.given(changed).then_state(lambda s: s.capabilities, reported)


def test_an_outage_is_recorded_once_for_each_cause() -> None:
    blue.when(silence).then(down)
    blue.given(down).when(silence).then()
    other = down.replace(reason="other")
    blue.given(down).when(silence.replace(reason="other")).then(other)
    blue.given(down, other).when(silence).then()
    blue.given(down, up).when(silence).then(down)


@pytest.mark.parametrize(
    ("reason", "again"),
    [
        ("timed out after 3.5 s", "timed out after 14 s"),
        ("failed (request req-0000abcd)", "failed (request req-0000ffff)"),
        ("no space: /r/meta/probe-12-3456.json", "no space: /r/meta/probe-9-88.json"),
        ("cannot write /tmp/tmpabcdefgh/x", "cannot write /tmp/tmpqrstuvwx/x"),
        ("pools {'b', 'a'} are offline", "pools {'a', 'b'} are offline"),
        ("<Session at 0x7f00aa> is closed", "<Session at 0x7fffee> is closed"),
        ("at 2026-01-01T00:00:00Z: lost", "at 2026-01-02T10:30:00Z: lost"),
    ],
)
def test_another_number_temporary_name_or_order_in_a_reason_is_not_an_event(
    reason: str, again: str
) -> None:
    first = down.replace(reason=reason)

    blue.given(first).when(silence.replace(reason=again)).then()


def test_an_outage_keeps_the_time_when_it_began_whatever_its_causes_are() -> None:
    later = down.replace(reason="other", at=NOON + timedelta(hours=1))

    blue.given(down, later).then_state(lambda s: (s.since, s.reason), (NOON, "other"))


@given(st.lists(st.text(max_size=20), max_size=60))
def test_an_outage_is_a_few_events_whatever_the_reasons_are(reasons: list[str]) -> None:
    state, events = backend.evolve(backend.initial, up), 0
    for reason in reasons:
        for event in backend.decide(silence.replace(reason=reason), state):
            state, events = backend.evolve(state, event), events + 1

    assert events <= backend.MAX_CAUSES


VENDOR: dict[str, Any] = {
    "disks": ["ssd", "hdd"],
    "iops": 5000,
    "free_iops": "4000",
    "nested": {"b": [1, 2], "a": "x"},
    "measured": "2026-01-01T00:00:00",
    "uptime": "3 days, 4:05:06",
    "session": "<Session at 0x7f00aa>",
    "epoch": 1_700_000_000,
}


def pools(order: str = "abc", total: float = 100.0, free: float = 50.0) -> tuple[Pool, ...]:
    return tuple(Pool(name=n, total_capacity_gib=total, free_capacity_gib=free) for n in order)


STEADY = capabilities(
    pools=pools(), storage_protocols=("NFS", "CIFS"), capabilities={**VENDOR, "version": "3.0"}
)


@pytest.mark.parametrize(
    "again",
    [
        STEADY.replace(pools=pools("cab")),
        STEADY.replace(storage_protocols=("CIFS", "NFS")),
        STEADY.replace(pools=pools(total=101.5, free=52.0)),
        *(
            STEADY.replace(capabilities={**STEADY.capabilities, **change})
            for change in (
                {"disks": ["hdd", "ssd"]},
                {"iops": 5100, "free_iops": "4001"},
                {"nested": {"a": "x", "b": [2, 1]}},
                {"measured": "2026-01-01T00:01:00", "epoch": 1_700_000_060},
                {"uptime": "3 days, 4:06:06", "session": "<Session at 0x7fffee>"},
            )
        ),
    ],
)
def test_another_order_a_small_change_or_a_time_in_the_statistics_is_not_an_event(
    again: Capabilities,
) -> None:
    steady = Spec(backend).given(up.replace(capabilities=STEADY))

    steady.when(report(again)).then()


@pytest.mark.parametrize(
    "change",
    [
        {"storage_protocols": ("NFS",)},
        {"pools": pools("abd")},
        {"pools": pools(total=200.0)},
        {"pools": pools(free=20.0)},
        {"capabilities": {**STEADY.capabilities, "disks": ["ssd"]}},
        {"capabilities": {**STEADY.capabilities, "iops": 9000}},
        {"capabilities": {**STEADY.capabilities, "nested": {"a": "y", "b": [1, 2]}}},
        {"capabilities": {**STEADY.capabilities, "driver_version": "3.1"}},
    ],
)
def test_what_is_new_in_the_statistics_is_an_event(change: dict[str, Any]) -> None:
    reported = STEADY.replace(**change)
    changed = BackendChanged(capabilities=reported, wrong={}, at=NOON)

    Spec(backend).given(up.replace(capabilities=STEADY)).when(report(reported)).then(changed)


def test_a_capacity_that_becomes_known_is_an_event_and_an_unknown_one_is_told_once() -> None:
    unknown = pools()[0].replace(total_capacity_gib="unknown", free_capacity_gib="unknown")
    told = up.replace(capabilities=STEADY.replace(pools=(unknown,)))
    known = STEADY.replace(pools=pools("a"))

    Spec(backend).given(told).when(report(told.capabilities)).then()
    Spec(backend).given(told).when(report(known)).then(
        BackendChanged(capabilities=known, wrong={}, at=NOON)
    )


def test_changed_settings_are_an_event_and_shares_are_ensured_for_them_once() -> None:
    changed = BackendInfoChanged(info="i1")
    blue.when(report(capabilities(), info="i1")).then(changed)
    reconfigured = blue.given(changed)
    reconfigured.when(report(capabilities(), info="i1")).then()
    reconfigured.when(ConfirmShares(info="i1", shares=3)).then(
        BackendSharesEnsured(info="i1", shares=3)
    )
    reconfigured.when(ConfirmShares(info="i0", shares=3)).then_rejected("has changed since")
    ensured = reconfigured.given(BackendSharesEnsured(info="i1", shares=3))
    ensured.when(ConfirmShares(info="i1", shares=3)).then()


# -- health ----------------------------------------------------------------------------------------
def unhealthy(*problems: str) -> ReportStats:
    return report(capabilities()).replace(problems=problems)


def test_problems_are_recorded_once_and_so_is_their_end() -> None:
    event = BackendUnhealthy(problems=("process 7 is gone",), at=NOON)
    blue.when(unhealthy("process 7 is gone")).then(event)
    ill = blue.given(event)
    ill.when(unhealthy("process 8 is gone")).then()
    ill.when(report(capabilities())).then(BackendHealthy(at=NOON))
    ill.given(BackendHealthy(at=NOON)).when(report(capabilities())).then()


def test_another_problem_is_recorded_and_their_order_is_not() -> None:
    ill = blue.given(BackendUnhealthy(problems=("a fails", "b fails"), at=NOON))

    ill.when(unhealthy("b fails", "a fails")).then()
    ill.when(unhealthy("a fails")).then(BackendUnhealthy(problems=("a fails",), at=NOON))


def test_a_backend_that_is_down_has_a_reason_and_no_problems() -> None:
    ill = blue.given(BackendUnhealthy(problems=("a fails",), at=NOON), down)

    ill.then_state(lambda s: s.problems, ())
    ill.when(unhealthy("a fails")).then(up, BackendUnhealthy(problems=("a fails",), at=NOON))


# -- moves ---------------------------------------------------------------------------------------
move = MoveBackend(backend="blue", configured="near", node="far", reason="it burned", at=NOON)
moved = BackendMoved(backend="blue", configured="near", node="far", reason="it burned", at=NOON)


def test_a_backend_is_moved_once_to_a_node() -> None:
    blue.when(move).then(moved)
    blue.given(moved).when(move).then()
    blue.when(move.replace(node="near")).then()


def test_a_moved_backend_is_moved_on_and_back() -> None:
    on, back = moved.replace(node="third"), moved.replace(node="near")
    blue.given(moved).when(move.replace(node="third")).then(on)
    blue.given(moved).when(move.replace(node="near")).then(back)
    blue.given(moved, back).then_state(lambda s: (s.node, s.moved_from), (None, None))


def test_a_move_ends_once_the_configuration_says_something_else() -> None:
    ended = BackendMoveEnded(configured="far")
    blue.given(up, moved).when(pin("near")).then()
    blue.given(up, moved).when(pin("far")).then(ended)
    blue.given(up, moved, ended).when(pin("far")).then()
    blue.given(up, moved, ended).then_state(lambda s: (s.node, s.pinned), (None, "far"))


def pin(configured: str | None) -> PinBackend:
    return PinBackend(backend="blue", configured=configured)


def test_what_the_configuration_pins_a_backend_to_is_recorded_when_it_changes() -> None:
    pinned = BackendPinned(backend="blue", configured="far")
    free = BackendPinned(backend="blue", configured=None)

    Spec(backend).when(pin("far")).then()  # it has nothing anywhere
    blue.given(up).when(pin(None)).then()
    blue.given(up).when(pin("far")).then(pinned)
    blue.given(up, pinned).when(pin("far")).then()
    blue.given(up, pinned).when(pin(None)).then(free)
    blue.given(up, moved, moved.replace(node="near")).when(pin("near")).then()


@pytest.mark.parametrize(
    "event",
    [
        moved,
        BackendMoveEnded(configured="far"),
        BackendPinned(backend="blue", configured="far"),
        BackendPinned(backend="blue", configured=None),
    ],
)
def test_the_shares_of_a_backend_that_moved_are_ensured_where_it_is_now(event: Any) -> None:
    ensured = blue.given(BackendInfoChanged(info="i"), BackendSharesEnsured(info="i", shares=2))
    ensured.given(event).then_state(lambda s: (s.info, s.ensured), ("i", ""))
    ensured.given(event).when(ConfirmShares(info="i", shares=2)).then(
        BackendSharesEnsured(info="i", shares=2)
    )
