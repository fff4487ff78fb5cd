"""Reverting a share of the driver `btrfs` to a snapshot."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from share_actors.drivers import DriverError, ShareDriver
from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import TransientError
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.testing.contracts.base import same_driver
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import AccessRule, Share, Snapshot
from tests.drivers.btrfs.conftest import CONTEXT, place, subvolume

RULE = AccessRule(id="r1", access_type="ip", access_to="192.0.2.0/24", access_level="ro")


def changed_share(driver: BtrfsDriver) -> tuple[Share, Snapshot]:
    """A share with a rule, whose file says `old` in the snapshot and `new` now."""
    share = Share(id=str(uuid4()), size=1, host="disk")
    driver.create_share(CONTEXT, share)
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    snapshot = Snapshot(id=str(uuid4()), share_id=share.id)
    (place(driver, share) / "file").write_text("old")
    driver.create_snapshot(CONTEXT, snapshot)
    (place(driver, share) / "file").write_text("new")
    return share, snapshot


def test_a_reverted_share_has_the_snapshot_s_content_and_its_size_and_rules(
    driver: BtrfsDriver,
) -> None:
    share, snapshot = changed_share(driver)
    before = driver.probe_share(CONTEXT, share)

    assert isinstance(driver, Reverts)
    assert driver.revert_to_snapshot(CONTEXT, share, snapshot) is True

    after = driver.probe_share(CONTEXT, share)
    assert (place(driver, share) / "file").read_text() == "old"
    assert after.replace(used=before.used) == before
    assert after.access == frozenset({("ip", "192.0.2.0/24", "ro")})


def test_the_state_before_a_revert_is_kept_until_the_next_one(driver: BtrfsDriver) -> None:
    share, snapshot = changed_share(driver)
    kept = subvolume(driver, "before", share.id, "file")

    driver.revert_to_snapshot(CONTEXT, share, snapshot)
    first = kept.read_text()
    (place(driver, share) / "file").write_text("newer")
    driver.revert_to_snapshot(CONTEXT, share, snapshot)

    assert (first, kept.read_text()) == ("new", "newer")
    assert (place(driver, share) / "file").read_text() == "old"


def test_deleting_a_reverted_share_removes_the_state_before(driver: BtrfsDriver) -> None:
    share, snapshot = changed_share(driver)
    driver.revert_to_snapshot(CONTEXT, share, snapshot)

    driver.delete_share(CONTEXT, share)

    assert not subvolume(driver, "before", share.id).exists()
    assert driver.probe_share(CONTEXT, share).state == "absent"
    assert subvolume(driver, "snapshots", f"{share.id}@{snapshot.id}").exists()


def test_a_repetition_with_the_same_request_keeps_what_was_written_since(
    driver: BtrfsDriver,
) -> None:
    share, snapshot = changed_share(driver)
    context = CONTEXT.replace(request_id="req-1")
    driver.revert_to_snapshot(context, share, snapshot)
    (place(driver, share) / "file").write_text("since")

    driver.revert_to_snapshot(context.replace(attempt=2), share, snapshot)

    assert (place(driver, share) / "file").read_text() == "since"
    assert subvolume(driver, "before", share.id, "file").read_text() == "new"


def test_a_revert_can_be_repeated_after_a_crash_at_any_step(driver: BtrfsDriver) -> None:
    share, snapshot = changed_share(driver)

    def revert(driver: ShareDriver, share: Share, snapshot: Snapshot) -> None:
        assert isinstance(driver, BtrfsDriver)
        driver.revert_to_snapshot(CONTEXT.replace(request_id="req-1"), share, snapshot)

    steps = count_steps(partial(revert, driver, share, snapshot), BtrfsDriver)
    for step in range(1, steps + 1, max(1, steps // 40)):
        share, snapshot = changed_share(driver)
        die_at(step, partial(revert, same_driver(driver), share, snapshot), BtrfsDriver)
        revert(driver, share, snapshot)

        result = driver.probe_share(CONTEXT, share)
        assert (result.state, result.problems) == ("whole", ()), f"crashed at step {step}"
        assert result.access == frozenset({("ip", "192.0.2.0/24", "ro")}), f"crashed at step {step}"
        assert (place(driver, share) / "file").read_text() == "old"
        assert subvolume(driver, "before", share.id, "file").read_text() == "new"
        assert not subvolume(driver, "making", share.id).exists()


def test_ensuring_a_share_after_a_crash_of_its_revert_serves_it_with_its_rules(
    driver: BtrfsDriver,
) -> None:
    share, snapshot = changed_share(driver)

    def revert(share: Share, snapshot: Snapshot) -> None:
        driver.revert_to_snapshot(CONTEXT, share, snapshot)

    steps = count_steps(partial(revert, share, snapshot), BtrfsDriver)
    for step in range(1, steps + 1, max(1, steps // 20)):
        share, snapshot = changed_share(driver)
        die_at(step, partial(revert, share, snapshot), BtrfsDriver)
        driver.ensure_share(CONTEXT, share)

        assert driver.probe_share(CONTEXT, share).access == frozenset(
            {("ip", "192.0.2.0/24", "ro")}
        )
        assert (place(driver, share) / "file").read_text() in ("old", "new")


def test_a_share_in_use_on_this_machine_is_not_reverted_and_goes_on_being_served(
    driver: BtrfsDriver,
) -> None:
    share, snapshot = changed_share(driver)

    with (
        (place(driver, share) / "file").open(),
        pytest.raises(TransientError, match="a program of this machine uses"),
    ):
        driver.revert_to_snapshot(CONTEXT, share, snapshot)

    assert driver.probe_share(CONTEXT, share).access == frozenset({("ip", "192.0.2.0/24", "ro")})
    assert (place(driver, share) / "file").read_text() == "new"


def test_a_snapshot_that_does_not_exist_is_refused_and_changes_nothing(
    driver: BtrfsDriver, share: Share
) -> None:
    before = driver.probe_share(CONTEXT, share)

    with pytest.raises(DriverError, match="does not exist"):
        driver.revert_to_snapshot(CONTEXT, share, Snapshot(id="none", share_id=share.id))

    assert driver.probe_share(CONTEXT, share) == before
