"""Starting, stopping and checking backends of the driver `btrfs`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from share_actors.drivers.abilities import ListsObjects, RunsDaemons
from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.drivers.btrfs.image import attached
from share_actors.drivers.filesystem.mounts import is_mounted, mounts_below
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import Share, Snapshot
from tests.drivers.btrfs.conftest import CONTEXT, RULE, MakeDriver, place, run, subvolume
from tests.drivers.ganesha.conftest import wait_until


def wait_until_detached(path: Path) -> None:
    """Wait for the loop device: a mount namespace that another test makes keeps it for a moment."""
    wait_until(lambda: attached(path) is None)


def test_a_stopped_backend_leaves_nothing_behind_and_started_again_serves_the_same_rules(
    driver: BtrfsDriver, share: Share, tmp_path: Path
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    (place(driver, share) / "file").write_text("content")
    before = driver.probe_share(CONTEXT, share)

    driver.stop_backend(CONTEXT)
    left = mounts_below(tmp_path)
    wait_until_detached(tmp_path / "disk.img")
    driver.start_backend(CONTEXT)

    assert isinstance(driver, RunsDaemons)
    assert left == []
    assert driver.probe_share(CONTEXT, share) == before
    assert (place(driver, share) / "file").read_text() == "content"
    assert driver.check_health() == ()


def test_starting_and_stopping_can_be_repeated(driver: BtrfsDriver, share: Share) -> None:
    for _ in range(2):
        driver.start_backend(CONTEXT)
    whole = driver.probe_share(CONTEXT, share)
    for _ in range(2):
        driver.stop_backend(CONTEXT)

    assert whole.state == "whole"


def test_a_call_while_the_backend_is_stopped_is_worth_another_attempt(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.stop_backend(CONTEXT)

    with pytest.raises(TransientError, match="start the backend"):
        driver.create_share(CONTEXT, Share(id="s2", size=1))
    with pytest.raises(TransientError, match="start the backend"):
        driver.get_share_stats(refresh=True)
    assert ["not mounted" in problem for problem in driver.check_health()] == [True]


def test_a_file_with_content_is_never_formatted(make_driver: MakeDriver, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"precious" * 1000)

    with pytest.raises(DriverError, match=r"no btrfs filesystem on .*: nothing was changed"):
        make_driver().start_backend(CONTEXT)

    assert image.read_bytes() == b"precious" * 1000
    wait_until_detached(image)


def test_a_missing_device_is_named_and_not_created(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(image_size_gib=None)

    with pytest.raises(DriverError, match=r"disk\.img.* set image_size_gib"):
        driver.check_for_setup_error()
    with pytest.raises(DriverError, match="is not a block device or an image file"):
        driver.start_backend(CONTEXT)

    assert not (tmp_path / "disk.img").exists()


def test_a_second_backend_on_the_same_filesystem_is_refused_and_the_first_goes_on(
    driver: BtrfsDriver, share: Share, make_driver: MakeDriver, tmp_path: Path
) -> None:
    other = make_driver(root=tmp_path / "other")

    with pytest.raises(DriverError, match=f"in use by the backend with the root {tmp_path}/root"):
        other.start_backend(CONTEXT)

    assert mounts_below(tmp_path / "other") == []
    assert driver.probe_share(CONTEXT, share).state == "whole"
    driver.stop_backend(CONTEXT)
    other.start_backend(CONTEXT)
    assert other.check_health() == ()


@pytest.mark.parametrize("method", ["start_backend", "stop_backend"])
def test_starting_and_stopping_can_be_repeated_after_a_crash_at_any_step(
    driver: BtrfsDriver, share: Share, tmp_path: Path, method: str
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    before = driver.probe_share(CONTEXT, share)

    def call() -> None:
        getattr(driver, method)(CONTEXT)

    def prepare() -> None:
        driver.start_backend(CONTEXT)
        if method == "start_backend":
            driver.stop_backend(CONTEXT)

    prepare()
    steps = count_steps(call, BtrfsDriver)
    for step in range(1, steps + 1, max(1, steps // 12)):
        prepare()
        die_at(step, call, BtrfsDriver)
        call()
        if method == "stop_backend":
            assert mounts_below(tmp_path) == [], f"crashed at step {step}"
            wait_until_detached(tmp_path / "disk.img")
            driver.start_backend(CONTEXT)
        assert driver.probe_share(CONTEXT, share) == before, f"crashed at step {step}"
        assert driver.check_health() == (), f"crashed at step {step}"


def test_a_backend_starts_again_while_another_mount_namespace_keeps_its_loop_device(
    driver: BtrfsDriver, share: Share, tmp_path: Path
) -> None:
    (place(driver, share) / "file").write_text("content")
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        driver.stop_backend(CONTEXT)
        kept = attached(tmp_path / "disk.img")
        driver.start_backend(CONTEXT)
        other.communicate()

    assert kept is not None
    assert (place(driver, share) / "file").read_text() == "content"
    assert driver.check_health() == ()


def test_deleting_a_share_in_use_on_this_machine_is_refused_until_the_program_ends(
    driver: BtrfsDriver, share: Share
) -> None:
    fd = os.open(place(driver, share), os.O_RDONLY)
    try:
        with pytest.raises(TransientError, match="a program of this machine uses"):
            driver.delete_share(CONTEXT, share)
        left = subvolume(driver, "shares", share.id).exists()
    finally:
        os.close(fd)
    driver.delete_share(CONTEXT, share)

    assert left
    assert driver.probe_share(CONTEXT, share).state == "absent"
    assert not is_mounted(place(driver, share))


def test_the_snapshots_of_a_deleted_share_stay_and_can_be_copied(
    driver: BtrfsDriver, share: Share
) -> None:
    snapshot = Snapshot(id="n1", share_id=share.id)
    (place(driver, share) / "file").write_text("content")
    driver.create_snapshot(CONTEXT, snapshot)
    driver.delete_share(CONTEXT, share)

    copy = Share(id="s2", size=1)
    driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

    assert (place(driver, copy) / "file").read_text() == "content"
    driver.delete_snapshot(CONTEXT, snapshot)
    assert not subvolume(driver, "snapshots", "s1@n1").exists()


def test_the_list_has_shares_snapshots_and_the_subvolumes_of_others(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    location = driver.create_snapshot(CONTEXT, Snapshot(id="n1", share_id=share.id))
    (subvolume(driver) / "old").mkdir()
    run("btrfs", "subvolume", "create", subvolume(driver, "old", "mine"))

    assert isinstance(driver, ListsObjects)
    shares, snapshots, others = driver.list_backend(CONTEXT)

    assert (shares.kind, shares.id, shares.size) == ("share", share.id, 1)
    assert shares.export_paths == ("127.0.0.1:/s1",)
    assert shares.access == frozenset({("ip", "192.0.2.7", "rw")})
    assert (snapshots.kind, snapshots.id, snapshots.location) == ("snapshot", "n1", location)
    assert (others.kind, others.id) == ("share", None)
    assert others.location == str(subvolume(driver, "old", "mine"))
