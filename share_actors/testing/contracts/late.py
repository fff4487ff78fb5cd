"""The part of `DriverContract` about calls that go on after a later call has succeeded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.fence import within_attempt
from share_actors.testing.contracts.base import (
    CONTEXT,
    ContractBase,
    new_share,
    revert,
    same_driver,
)
from share_actors.testing.contracts.expectations import holds, keeps, refused, same
from share_actors.testing.stalls import StalledCall, count_changes, spread, wait_while_busy
from share_actors.values import AccessRule, RequestContext, Share, Snapshot

FIRST, LATE, LATER = (CONTEXT.replace(attempt=n, token=f"contract:{n}") for n in (1, 2, 3))
GRACE_S = 0.05
"""How long the later call is asleep before the stalled one is woken: that may have a lock."""
Call = Callable[[ShareDriver], Any]
Calls = tuple[Share, Call, Call]
"""A share, a call for it that comes late, and the call that overtakes it."""
Prepare = Callable[[ShareDriver, list[AccessRule]], Calls]


class LateCallContract(ContractBase):
    """A call that stalls before any of its changes, and goes on after a later call, changes nothing.

    Only for drivers with `refuses_late_calls`.
    """

    most_stalls: ClassVar[int] = 1000
    """Before how many changes of a method a call is stalled: if it makes more, spread over all of them."""

    @pytest.mark.parametrize(
        "case", ["create", "delete", "extend", "shrink", "allow", "deny", "ensure"]
    )
    @keeps("late-calls-refused")
    def test_a_late_call_is_refused(self, driver: ShareDriver, case: str) -> None:
        if case in ("extend", "shrink", "ensure") and not driver.supports(f"{case}_share"):
            pytest.skip("the driver does not support it")
        self.late_calls_change_nothing(driver, CASES[case])

    @pytest.mark.parametrize("case", ["take a snapshot", "delete a snapshot", "copy a snapshot"])
    @keeps("late-calls-refused")
    def test_a_late_call_for_a_snapshot_is_refused(self, driver: ShareDriver, case: str) -> None:
        if not driver.supports(
            "create_share_from_snapshot" if "copy" in case else "create_snapshot"
        ):
            pytest.skip("the driver does not support it")
        self.late_calls_change_nothing(driver, CASES[case])

    @keeps("late-calls-refused")
    def test_a_late_revert_is_refused(self, driver: ShareDriver) -> None:
        if not isinstance(driver, Reverts):
            pytest.skip("the driver cannot revert shares")
        self.late_calls_change_nothing(driver, CASES["revert"])

    @keeps("late-calls-refused")
    def test_a_late_call_of_manage_is_refused(self, driver: ShareDriver) -> None:
        if not (driver.supports("manage_existing") and driver.supports("extend_share")):
            pytest.skip("the driver does not support it")
        self.late_calls_change_nothing(driver, self._late_management)

    @keeps("late-calls-refused")
    def test_a_late_call_of_unmanage_is_refused(self, driver: ShareDriver) -> None:
        if not driver.supports("unmanage"):
            pytest.skip("the driver does not support it")
        self.late_calls_change_nothing(driver, _late_unmanagement)

    @keeps("late-calls-refused")
    def test_a_late_call_of_manage_of_a_snapshot_is_refused(self, driver: ShareDriver) -> None:
        if not driver.supports("manage_existing_snapshot"):
            pytest.skip("the driver does not support it")
        self.late_calls_change_nothing(driver, _late_management_of_snapshot)

    # ------------------------------------------------------------------------------------------
    def _late_management(self, driver: ShareDriver, _: list[AccessRule]) -> Calls:
        share, options = new_share(driver), self.unmanaged_share(driver)

        def manage(driver: ShareDriver, attempt: RequestContext) -> None:
            with within_attempt(attempt):
                driver.manage_existing(share, options)

        def manage_and_extend(driver: ShareDriver) -> None:
            manage(driver, LATER)
            driver.extend_share(LATER, share, 8)

        return share, lambda d: manage(d, LATE), manage_and_extend

    def late_calls_change_nothing(self, driver: ShareDriver, prepare: Prepare) -> None:
        """Stall the call before each change in turn while the later one is made, and compare the states."""
        if not driver.refuses_late_calls:
            pytest.skip("the driver does not refuse late calls")
        share, late, later = prepare(driver, self.rules(driver))
        changes = count_changes(partial(late, same_driver(driver)))
        share, late, later = prepare(driver, self.rules(driver))
        later(driver)
        expected = self._normalized_state(driver, share)
        with refused("a call that comes after a later one"):
            late(same_driver(driver))
        what = "the state after a call that came late"
        same(self._normalized_state(driver, share), expected, what)
        for n in spread(changes, self.most_stalls):
            share, late, later = prepare(driver, self.rules(driver))
            overtake(n, partial(late, same_driver(driver)), partial(later, driver))

            what = f"the state after a call that stalled before its change {n} of {changes}"
            same(self._normalized_state(driver, share), expected, what)

    def _normalized_state(self, driver: ShareDriver, share: Share) -> str:
        text = repr(self.state_of(driver, share)).replace(share.id, "SHARE")
        for snapshot in share.snapshots:
            text = text.replace(snapshot.id, "SNAPSHOT")
        return text


def overtake(change: int, late: Callable[[], Any], later: Callable[[], Any]) -> None:
    """Stall *late* before *change* while *later* is called; *late* goes on once that has ended or waits."""
    stalled = StalledCall(change, late)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            later()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_while_busy(thread, GRACE_S)
    stalled.wake()
    thread.join()
    what = f"the later call, while the first one stalls before its change {change}"
    holds(not errors, what, "no exception", repr(errors[:1]))
    late_error = stalled.error
    what = f"the late call, which stalled before its change {change}"
    orderly = late_error is None or isinstance(late_error, DriverError)
    holds(orderly, what, "that it ends, or a DriverError", repr(late_error))


def _created(driver: ShareDriver, size: int = 1) -> Share:
    share = new_share(driver).replace(size=size)
    driver.create_share(FIRST, share)
    return share


def _late_creation(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = new_share(driver)
    return (
        share,
        lambda d: d.create_share(LATE, share),
        lambda d: d.delete_share(LATER, share),
    )


def _late_deletion(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = _created(driver)
    return (
        share,
        lambda d: d.delete_share(LATE, share),
        lambda d: d.create_share(LATER, share),
    )


def _late_extension(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = _created(driver)
    return (
        share,
        lambda d: d.extend_share(LATE, share, 6),
        lambda d: d.extend_share(LATER, share, 8),
    )


def _late_shrinking(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = _created(driver, size=3)
    return (
        share,
        lambda d: d.shrink_share(LATE, share, 1),
        lambda d: d.extend_share(LATER, share, 4),
    )


def _late_ensuring(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = _created(driver)
    return (
        share,
        lambda d: d.ensure_share(LATE, share),
        lambda d: d.delete_share(LATER, share),
    )


def _late_allow(driver: ShareDriver, rules: list[AccessRule]) -> Calls:
    share = _created(driver)
    return (
        share,
        lambda d: d.update_access(LATE, share, rules, rules, ()),
        lambda d: d.update_access(LATER, share, (), (), rules),
    )


def _late_denial(driver: ShareDriver, rules: list[AccessRule]) -> Calls:
    share = _created(driver)
    driver.update_access(FIRST, share, rules, rules, ())
    return (
        share,
        lambda d: d.update_access(LATE, share, (), (), rules),
        lambda d: d.update_access(LATER, share, rules, rules, ()),
    )


def _with_snapshot(driver: ShareDriver) -> tuple[Share, Snapshot]:
    share = _created(driver)
    snapshot = Snapshot(id=str(uuid4()), share_id=share.id, size=1)
    return share.replace(snapshots=(snapshot,)), snapshot


def _late_snapshot(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share, snapshot = _with_snapshot(driver)
    return (
        share,
        lambda d: d.create_snapshot(LATE, snapshot),
        lambda d: d.delete_snapshot(LATER, snapshot),
    )


def _late_deletion_of_snapshot(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share, snapshot = _with_snapshot(driver)
    driver.create_snapshot(FIRST, snapshot)
    return (
        share,
        lambda d: d.delete_snapshot(LATE, snapshot),
        lambda d: d.create_snapshot(LATER, snapshot),
    )


def _late_unmanagement(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share = _created(driver)

    def unmanage(driver: ShareDriver, attempt: RequestContext) -> None:
        with within_attempt(attempt):
            driver.unmanage(share)

    return share, lambda d: unmanage(d, LATE), lambda d: unmanage(d, LATER)


def _late_management_of_snapshot(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    share, snapshot = _with_snapshot(driver)
    found = snapshot.replace(provider_location=driver.create_snapshot(FIRST, snapshot))
    with within_attempt(FIRST):
        driver.unmanage_snapshot(snapshot)

    def manage(driver: ShareDriver) -> None:
        with within_attempt(LATE):
            driver.manage_existing_snapshot(found, {})

    return share, manage, lambda d: d.delete_snapshot(LATER, snapshot)


def _late_copy(driver: ShareDriver, _: list[AccessRule]) -> Calls:
    _share, snapshot = _with_snapshot(driver)
    driver.create_snapshot(FIRST, snapshot)
    copy = new_share(driver).replace(snapshot_id=snapshot.id)
    return (
        copy,
        lambda d: d.create_share_from_snapshot(LATE, copy, snapshot),
        lambda d: d.delete_share(LATER, copy),
    )


def _late_revert(driver: ShareDriver, rules: list[AccessRule]) -> Calls:
    share, snapshot = _with_snapshot(driver)
    driver.create_snapshot(FIRST, snapshot)
    return (
        share,
        lambda d: revert(d, LATE, share, snapshot),
        lambda d: d.update_access(LATER, share, rules, rules, ()),
    )


CASES: dict[str, Prepare] = {
    "create": _late_creation,
    "delete": _late_deletion,
    "extend": _late_extension,
    "shrink": _late_shrinking,
    "allow": _late_allow,
    "deny": _late_denial,
    "ensure": _late_ensuring,
    "take a snapshot": _late_snapshot,
    "delete a snapshot": _late_deletion_of_snapshot,
    "copy a snapshot": _late_copy,
    "revert": _late_revert,
}
