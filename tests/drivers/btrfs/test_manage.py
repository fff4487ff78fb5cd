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


@pytest.mark.parametrize("path", ["snapshots/s1@n1", "frozen"])
def test_a_snapshot_without_its_share_becomes_a_writable_share_if_asked(
    driver: BtrfsDriver, share: Share, path: str
) -> None:
    snapshot = Snapshot(id="n1", share_id=share.id)
    rule = AccessRule(id="r1", access_type="ip", access_to="192.0.2.7", access_level="ro")
    (place(driver, share) / "file").write_text("content")
    run("btrfs", "subvolume", "snapshot", "-r", place(driver, share), subvolume(driver, "frozen"))
    driver.create_snapshot(CONTEXT, snapshot)
    driver.snapshot_update_access(CONTEXT, snapshot, [rule], [rule], [])
    driver.delete_share(CONTEXT, share)

    managed = [driver.manage_existing(NEW, {"path": path, "snapshot": "true"}) for _ in range(2)]

    assert managed == [{"size": 1}] * 2
    assert not subvolume(driver, *path.split("/")).exists()
    (place(driver, NEW) / "file").write_text("changed")
    assert driver.check_health() == ()


def test_a_snapshot_of_a_share_that_is_there_is_not_managed_as_a_share(
    driver: BtrfsDriver, share: Share
) -> None:
    driver.create_snapshot(CONTEXT, Snapshot(id="n1", share_id=share.id))
    options = {"path": "snapshots/s1@n1", "snapshot": True}

    with pytest.raises(ManageInvalidShare, match="is a snapshot of share s1, which is on the back"):
        driver.manage_existing(NEW, options)
    with pytest.raises(ManageInvalidShare, match="is 7: give true or false; nothing was changed"):
        driver.manage_existing(NEW, {**options, "snapshot": 7})

    assert subvolume(driver, "snapshots", "s1@n1").exists()


@pytest.mark.parametrize("name", ["s1", "s1@"])
def test_a_snapshot_without_an_id_becomes_a_share_although_its_name_is_that_of_another(
    driver: BtrfsDriver, share: Share, name: str
) -> None:
    path = subvolume(driver, "snapshots", name)
    run("btrfs", "subvolume", "snapshot", "-r", place(driver, share), path)
    (found,) = [item for item in driver.list_backend(CONTEXT) if item.kind == "snapshot"]
    assert (found.id, found.location) == (None, str(path))

    driver.manage_existing(NEW, {"path": found.location, "snapshot": True})
    driver.delete_share(CONTEXT, NEW)

    assert [item.id for item in driver.list_backend(CONTEXT)] == [share.id]


def test_a_subvolume_with_a_name_that_the_driver_does_not_give_is_found_and_becomes_a_share(
    driver: BtrfsDriver, share: Share
) -> None:
    path = made_by_hand(driver, "shares", "-odd")
    (found,) = [item for item in driver.list_backend(CONTEXT) if item.id is None]
    assert (found.kind, found.location) == ("share", str(path))

    driver.manage_existing(NEW, {"path": found.location})

    assert {item.id for item in driver.list_backend(CONTEXT)} == {share.id, NEW.id}
