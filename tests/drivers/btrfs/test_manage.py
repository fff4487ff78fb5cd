"""Manage and unmanage in the driver `btrfs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers.base import ManageInvalidShare, RefusedByBackend
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.values import AccessRule, Share, Snapshot
from tests.drivers.btrfs.conftest import CONTEXT, fill, place, run, subvolume

NEW = Share(id="new", size=1, host="disk")


def made_by_hand(driver: BtrfsDriver, *names: str) -> Path:
    """A subvolume that an operator made."""
    path = subvolume(driver, *names)
    path.parent.mkdir(exist_ok=True)
    run("btrfs", "subvolume", "create", path)
    return path


def test_a_subvolume_made_by_hand_becomes_a_share_with_its_content(driver: BtrfsDriver) -> None:
    path = made_by_hand(driver, "old", "mine")
    fill(path / "file", 3)
    preview = driver.preview_manage(NEW, {"path": "old/mine"})

    managed = driver.manage_existing(NEW, {"path": str(path)})

    assert preview == {"path": str(path), "size": 1}
    assert managed == {"size": 1}
    assert driver.manage_existing(NEW, {"path": str(path)}) == managed
    result = driver.probe_share(CONTEXT, NEW)
    assert (result.state, result.size, result.access) == ("whole", 1, frozenset())
    assert (place(driver, NEW) / "file").exists()
    assert not path.exists()


def test_a_subvolume_with_another_one_inside_is_refused_with_its_path(driver: BtrfsDriver) -> None:
    path = made_by_hand(driver, "mine")
    (path / "deep").mkdir()
    nested = made_by_hand(driver, "mine", "deep", "nested")

    with pytest.raises(ManageInvalidShare, match=f"a subvolume inside, {nested}"):
        driver.manage_existing(NEW, {"path": "mine"})
    with pytest.raises(ManageInvalidShare, match=f"a subvolume inside, {nested}"):
        driver.check_manage(NEW, {"path": "mine"})

    assert nested.exists()
    assert driver.probe_share(CONTEXT, NEW).state == "absent"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("plain", "is a directory, not a subvolume"),
        ("missing", "does not exist"),
        ("../outside", "is not a subvolume that can be managed"),
        ("/etc", "is not a subvolume that can be managed"),
        ("snapshots/s1@n1", "is not a subvolume that can be managed"),
        ("shares/s1", "belongs to the share s1"),
        ("frozen", "is read-only: manage it as a snapshot"),
        ("", "it must name a subvolume"),
        (7, "it must name a subvolume"),
    ],
)
def test_what_cannot_be_managed_is_refused_with_the_reason(
    driver: BtrfsDriver, share: Share, path: object, reason: str
) -> None:
    subvolume(driver, "plain").mkdir()
    run("btrfs", "subvolume", "snapshot", "-r", subvolume(driver), subvolume(driver, "frozen"))
    driver.create_snapshot(CONTEXT, Snapshot(id="n1", share_id=share.id))

    with pytest.raises(ManageInvalidShare, match=reason):
        driver.manage_existing(NEW, {"path": path})

    assert driver.probe_share(CONTEXT, NEW).state == "absent"


def test_an_unmanaged_share_is_not_served_and_keeps_its_data_when_managed_again(
    driver: BtrfsDriver, share: Share
) -> None:
    rule = AccessRule(id="r1", access_type="ip", access_to="192.0.2.7")
    driver.update_access(CONTEXT, share, [rule], [rule], ())
    (place(driver, share) / "file").write_text("content")

    driver.unmanage(share)
    driver.stop_backend(CONTEXT)
    driver.start_backend(CONTEXT)
    state = driver.probe_share(CONTEXT, share)
    size = driver.manage_existing(NEW, {"path": "shares/s1"})["size"]

    assert (state.state, state.access) == ("partial", frozenset())
    assert size == 1
    assert (place(driver, NEW) / "file").read_text() == "content"
    assert driver.probe_share(CONTEXT, NEW).access == frozenset()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_snapshot_made_by_hand_becomes_a_read_only_snapshot(
    driver: BtrfsDriver, share: Share, read_only: bool
) -> None:
    path = subvolume(driver, "monday")
    (place(driver, share) / "file").write_text("content")
    flags = ["-r"] if read_only else []
    run("btrfs", "subvolume", "snapshot", *flags, subvolume(driver, "shares", "s1"), path)
    snapshot = Snapshot(id="n1", share_id=share.id, provider_location=str(path))

    driver.check_manage_snapshot(snapshot, {})
    managed = [driver.manage_existing_snapshot(snapshot, {}) for _ in range(2)]

    location = subvolume(driver, "snapshots", "s1@n1")
    assert managed == [{"size": 1, "provider_location": str(location)}] * 2
    assert run("btrfs", "property", "get", location, "ro").strip() == "ro=true"
    assert (location / "file").read_text() == "content"
    assert not path.exists()


def test_a_share_with_a_subvolume_inside_is_not_deleted_and_stays_served(
    driver: BtrfsDriver, share: Share
) -> None:
    nested = made_by_hand(driver, "shares", share.id, "nested")

    with pytest.raises(RefusedByBackend, match=f"{nested}: nothing was changed"):
        driver.delete_share(CONTEXT, share)

    assert driver.probe_share(CONTEXT, share).state == "whole"
