"""Sizes of shares of the driver `btrfs`: the filesystem enforces them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from share_actors.drivers.abilities import MeasuresUsage
from share_actors.drivers.base import DriverError, RefusedByBackend
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.values import Share, Snapshot
from tests.drivers.btrfs.conftest import CONTEXT, MIB, MakeDriver, fill, place, run, subvolume

TWO = Share(id="s2", size=2, host="disk")


def test_a_client_cannot_write_more_than_the_size_and_can_after_an_extension(
    driver: BtrfsDriver, share: Share
) -> None:
    with pytest.raises(OSError, match="quota") as caught:
        fill(place(driver, share) / "large", 1100)
    driver.extend_share(CONTEXT, share, 2)
    fill(place(driver, share) / "more", 20)

    assert caught.value.errno == errno.EDQUOT


def test_shrinking_below_the_use_is_refused_changes_nothing_and_the_share_can_be_extended(
    driver: BtrfsDriver,
) -> None:
    driver.create_share(CONTEXT, TWO)
    fill(place(driver, TWO) / "large", 1100)
    before = driver.probe_share(CONTEXT, TWO)

    with pytest.raises(RefusedByBackend, match=r"uses 1\.\d+ GiB .* more than 1 GiB"):
        driver.shrink_share(CONTEXT, TWO, 1)
    after = driver.probe_share(CONTEXT, TWO)
    driver.extend_share(CONTEXT, TWO, 3)

    assert after == before
    assert (after.size, driver.probe_share(CONTEXT, TWO).size) == (2, 3)


def test_a_share_over_its_limit_can_be_extended(driver: BtrfsDriver) -> None:
    driver.create_share(CONTEXT, TWO)
    fill(place(driver, TWO) / "large", 1100)
    pool = subvolume(driver)
    tree = run("btrfs", "inspect-internal", "rootid", subvolume(driver, "shares", "s2")).strip()
    run("btrfs", "qgroup", "limit", "1G", f"0/{tree}", pool)

    driver.extend_share(CONTEXT, TWO, 3)
    fill(place(driver, TWO) / "more", 10)

    assert driver.probe_share(CONTEXT, TWO).size == 3


def test_a_probe_and_the_usage_count_what_was_just_written(
    driver: BtrfsDriver, share: Share
) -> None:
    (place(driver, share) / "file").write_bytes(b"x" * 5 * MIB)

    assert isinstance(driver, MeasuresUsage)
    used = driver.get_share_usage([share, TWO])
    probed = driver.probe_share(CONTEXT, share).used

    assert set(used) == {share.id}
    assert 5 * MIB <= used[share.id] < 6 * MIB
    assert probed == used[share.id]


def test_a_copy_of_a_snapshot_has_a_size_of_its_own(driver: BtrfsDriver, share: Share) -> None:
    fill(place(driver, share) / "file", 10)
    snapshot = Snapshot(id="n1", share_id=share.id)
    driver.create_snapshot(CONTEXT, snapshot)

    driver.create_share_from_snapshot(CONTEXT, TWO, snapshot)

    assert driver.probe_share(CONTEXT, TWO).size == 2
    assert (place(driver, TWO) / "file").stat().st_size == 10 * MIB
    (place(driver, TWO) / "file").unlink()
    assert (place(driver, share) / "file").exists()


def test_simple_quotas_count_for_the_writer_and_qgroups_for_who_refers_to_the_data(
    make_driver: MakeDriver, tmp_path: Path
) -> None:
    used = {}
    for mode in ("simple", "qgroup"):
        driver = make_driver(quota_mode=mode, device=tmp_path / f"{mode}.img", root=tmp_path / mode)
        driver.start_backend(CONTEXT)
        share = Share(id="s1", size=1, host="disk")
        driver.create_share(CONTEXT, share)
        fill(place(driver, share) / "file", 20)
        driver.create_snapshot(CONTEXT, Snapshot(id="n1", share_id="s1"))
        (place(driver, share) / "file").unlink()
        used[driver.get_share_stats().capabilities["quota_mode"]] = driver.get_share_usage([share])

    assert used["simple"]["s1"] > 20 * MIB
    assert used["qgroup"]["s1"] < MIB


def test_a_full_filesystem_is_reported_and_named_in_errors(make_driver: MakeDriver) -> None:
    driver = make_driver(image_size_gib=1)
    driver.start_backend(CONTEXT)
    share = Share(id="s1", size=5, host="disk")
    driver.create_share(CONTEXT, share)
    with pytest.raises(OSError, match="No space left"):
        fill(place(driver, share) / "large", 1100, all_written=True)

    problems = driver.check_health()
    driver.delete_share(CONTEXT, share)

    assert any("is full" in problem for problem in problems), problems
    assert driver.probe_share(CONTEXT, share).state == "absent"


def test_a_filesystem_that_becomes_read_only_is_reported_and_refuses_changes(
    driver: BtrfsDriver, share: Share
) -> None:
    pool = subvolume(driver)
    run("mount", "-o", "remount,ro", pool)
    try:
        problems = driver.check_health()
        with pytest.raises(DriverError, match="is read-only: nothing was changed"):
            driver.extend_share(CONTEXT, share, 2)
        state = driver.probe_share(CONTEXT, share)
    finally:
        run("mount", "-o", "remount,rw", pool)

    assert any("read-only" in problem for problem in problems)
    assert (state.state, state.size) == ("whole", 1)
    assert driver.check_health() == ()


@pytest.mark.parametrize("limit", ["10M", "1536M", "none"])
def test_a_size_edited_by_hand_is_listed_and_set_again_when_the_share_is_ensured(
    driver: BtrfsDriver, share: Share, limit: str
) -> None:
    run("btrfs", "qgroup", "limit", limit, subvolume(driver, "shares", share.id))

    [before] = driver.list_backend(CONTEXT)
    driver.ensure_share(CONTEXT, share)
    [after] = driver.list_backend(CONTEXT)

    assert before.size == {"10M": 0, "1536M": 1, "none": None}[limit]
    assert before.limit_bytes == {"10M": 10 << 20, "1536M": 1536 << 20, "none": 0}[limit]
    assert (after.size, after.limit_bytes) == (share.size, share.size << 30)


@pytest.mark.parametrize("mode", ["simple", "qgroup"])
def test_quotas_that_deleted_shares_leave_until_their_snapshots_go_count_for_nobody(
    make_driver: MakeDriver, mode: str
) -> None:
    driver, snapshot = make_driver(quota_mode=mode), Snapshot(id="n1", share_id=TWO.id)
    driver.start_backend(CONTEXT)
    driver.create_share(CONTEXT, TWO)
    fill(place(driver, TWO) / "file", 20)
    driver.create_snapshot(CONTEXT, snapshot)
    copy = Share(id="s3", size=2, host="disk")
    driver.create_share_from_snapshot(CONTEXT, copy, snapshot)
    driver.delete_snapshot(CONTEXT, snapshot)
    driver.delete_share(CONTEXT, TWO)  # the copy still refers to its data

    driver.create_share(CONTEXT, TWO)

    (pool,) = driver.get_share_stats(refresh=True).pools
    used = driver.probe_share(CONTEXT, TWO).used
    assert pool.allocated_capacity_gib == 4
    assert used is not None
    assert used < MIB
    assert driver.check_health() == ()
