"""A backend: changes of its capabilities, its outages, and the settings its shares were ensured for."""

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


def test_an_outage_is_recorded_once_for_each_reason() -> None:
    blue.when(silence).then(down)
    blue.given(down).when(silence).then()
    blue.given(down).when(silence.replace(reason="other")).then(down.replace(reason="other"))


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
