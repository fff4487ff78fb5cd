"""A backend's events: only what changed, its silence, and for which info its shares were ensured."""

from __future__ import annotations

from typing import Any

from share_actors.events import backend
from share_actors.events.backend import (
    BackendChanged,
    BackendDown,
    BackendInfoChanged,
    BackendSharesEnsured,
    BackendUp,
    ConfirmShares,
    ReportSilence,
    ReportStats,
)
from share_actors.testing import Spec
from share_actors.values import Capabilities, Pool
from tests.events.share_events import NOON


def said(free: float = 50.0, **more: Any) -> Capabilities:
    pool = Pool(name="p", total_capacity_gib=100.0, free_capacity_gib=free)
    told = {
        "driver_name": "d",
        "storage_protocols": ("NFS",),
        "access_types": ("ip",),
        "pools": (pool,),
    }
    return Capabilities(backend_name="blue", **{**told, **more})


def report(capabilities: Capabilities, **more: Any) -> ReportStats:
    return ReportStats(backend="blue", capabilities=capabilities, at=NOON, **more)


up = BackendUp(backend="blue", capabilities=said(), wrong={}, at=NOON)
down = BackendDown(backend="blue", reason="no route", at=NOON)
blue = Spec(backend).given(up)
silence = ReportSilence(backend="blue", reason="no route", at=NOON)


def test_the_first_report_and_one_after_silence_say_it_is_up() -> None:
    Spec(backend).when(report(said())).then(up)
    blue.given(down).when(report(said())).then(up)


def test_what_is_as_it_was_is_no_event_and_neither_is_a_little_less_room() -> None:
    blue.when(report(said())).then()
    blue.when(report(said(free=45.0))).then()


def test_much_less_room_another_feature_or_another_pool_is_one() -> None:
    for told in (said(free=30.0), said(snapshot_support=False), said(pools=())):
        changed = BackendChanged(capabilities=told, wrong={}, at=NOON)
        blue.when(report(told)).then(changed)
        blue.given(changed).then_state(lambda s: s.capabilities, told)


def test_silence_is_told_once_for_each_reason() -> None:
    blue.when(silence).then(down)
    blue.given(down).when(silence).then()
    blue.given(down).when(silence.replace(reason="other")).then(down.replace(reason="other"))


def test_another_info_is_an_event_and_its_shares_are_ensured_for_it() -> None:
    changed = BackendInfoChanged(info="i1")
    blue.when(report(said(), info="i1")).then(changed)
    known = blue.given(changed)
    known.when(report(said(), info="i1")).then()
    known.when(ConfirmShares(info="i1", shares=3)).then(BackendSharesEnsured(info="i1", shares=3))
    known.when(ConfirmShares(info="i0", shares=3)).then_rejected("has changed since")
    done = known.given(BackendSharesEnsured(info="i1", shares=3))
    done.when(ConfirmShares(info="i1", shares=3)).then()
