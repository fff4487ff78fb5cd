"""The driver `local`: shares as directories, sizes, invalid ids, and manage."""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers import DriverError, RefusedByBackend
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.drivers.local.base import GIB
from share_actors.values import Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.test_tree import make_deep_tree

HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc",
    "a\0b",
    ".hidden",
    "-rf",
    "a@b",
    "a\n",
    "ä",
    "x" * 121,
]


# -- a backend in trouble ------------------------------------------------------------------------
def test_a_check_that_fails_leaves_no_file_behind(driver: LocalDriver, root: Path) -> None:
    def check_without_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        driver.check_for_setup_error()

    assert "DriverError: check" in in_child(check_without_room)
    assert list((root / "meta").iterdir()) == list((root / "locks").iterdir()) == []


def test_the_text_of_an_error_does_not_have_a_temporary_name(tmp_path: Path) -> None:
    missing = tmp_path / "probe-12-345.new"

    with (
        pytest.raises(DriverError, match=r"check: .*/\*\.new$"),
        os_errors("check", temporary="probe-12-345"),
    ):
        missing.read_text()


# -- life of a share -----------------------------------------------------------------------------
def test_a_share_is_a_directory_that_only_its_owner_can_enter(inside: Path, root: Path) -> None:
    assert inside == root / "shares" / "s1"
    assert stat.S_IMODE(inside.stat().st_mode) == 0o700


def test_creating_a_share_again_keeps_its_content_and_size(
    driver: LocalDriver, inside: Path
) -> None:
    (inside / "file").write_text("kept")
    driver.extend_share(CONTEXT, SHARE, 7)

    driver.create_share(CONTEXT, SHARE)

    assert (inside / "file").read_text() == "kept"
    assert allocated(driver) == 7


def test_a_deleted_share_leaves_nothing_behind(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (inside / "below").mkdir()
    (inside / "below" / "file").write_text("x")

    driver.delete_share(CONTEXT, SHARE)

    assert [path for path in root.rglob("*") if path.parent != root] == []


def test_a_very_deep_tree_can_be_deleted(driver: LocalDriver, inside: Path) -> None:
    make_deep_tree(inside, 1500)

    driver.delete_share(CONTEXT, SHARE)

    assert not inside.exists()


def test_deleting_does_not_follow_links_out_of_the_share(
    driver: LocalDriver, inside: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    (inside / "folder").symlink_to(outside)

    driver.delete_share(CONTEXT, SHARE)

    assert (outside / "file").read_text() == "kept"


def test_an_interrupted_deletion_is_completed_by_the_next_one(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    inside.rename(root / "trash" / "s1")  # the process died here

    driver.delete_share(CONTEXT, SHARE)

    assert not list((root / "trash").iterdir())
    assert allocated(driver) == 0


def test_ensuring_a_share_with_a_lost_directory_is_an_error(
    driver: LocalDriver, inside: Path
) -> None:
    inside.rmdir()

    with pytest.raises(DriverError, match="does not exist"):
        driver.ensure_share(CONTEXT, SHARE)


# -- sizes ---------------------------------------------------------------------------------------
def test_a_share_cannot_shrink_below_what_it_uses(driver: LocalDriver, inside: Path) -> None:
    driver.extend_share(CONTEXT, SHARE, 3)
    allocate(inside / "large", GIB + 1)

    with pytest.raises(RefusedByBackend, match=r"s1 uses 1\.00 GiB \(\d+ bytes\), more than 1 GiB"):
        driver.shrink_share(CONTEXT, SHARE, 1)
    driver.shrink_share(CONTEXT, SHARE, 2)

    assert allocated(driver) == 2


def test_usage_is_the_disk_space_of_the_shares_that_exist(
    driver: LocalDriver, inside: Path
) -> None:
    empty = driver.get_share_usage([SHARE])[SHARE.id]
    (inside / "file").write_bytes(os.urandom(1 << 20))

    usage = driver.get_share_usage([SHARE, Share(id="none")])

    assert set(usage) == {SHARE.id}
    assert usage[SHARE.id] >= empty + (1 << 20)


def test_holes_do_not_count_as_used(driver: LocalDriver, inside: Path) -> None:
    (inside / "sparse").touch()
    os.truncate(inside / "sparse", 5 * GIB)

    driver.shrink_share(CONTEXT, SHARE, 1)


def test_a_share_that_does_not_exist_cannot_be_resized(driver: LocalDriver) -> None:
    with pytest.raises(DriverError, match=r"shares/s1 does not exist"):
        driver.extend_share(CONTEXT, SHARE, 2)


def test_stats_are_those_of_the_filesystem_and_cached_until_refreshed(
    driver: LocalDriver, root: Path
) -> None:
    before = driver.get_share_stats()
    driver.create_share(CONTEXT, SHARE)

    assert driver.get_share_stats() is before
    assert allocated(driver) == 1
    assert before.pools[0].total_capacity_gib == pytest.approx(
        os.statvfs(root).f_blocks * os.statvfs(root).f_frsize / GIB
    )


def test_an_unreadable_size_is_left_out_of_the_stats(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (root / "meta" / "s2.json").write_text("{")

    assert allocated(driver) == 1
    assert json.loads((root / "meta" / "s1.json").read_text()) == {"id": "s1", "size": 1}


# -- setting up ----------------------------------------------------------------------------------
def test_a_root_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    driver = LocalDriver(configuration=LocalOptions(root=tmp_path / "root"))

    with pytest.raises(DriverError, match="EEXIST"):
        driver.do_setup(CONTEXT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_root_that_is_not_writable_is_an_error(driver: LocalDriver, root: Path) -> None:
    def check() -> None:
        os.chdir(root.parent)
        os.setuid(61_001)
        driver.check_for_setup_error()

    assert in_child(check).startswith("DriverError: check")


def test_a_missing_required_mount_is_an_error(root: Path) -> None:
    driver = LocalDriver(configuration=LocalOptions(root=root, require_mount=True))

    with pytest.raises(DriverError, match="nothing is mounted"):
        driver.do_setup(CONTEXT)

    assert not root.exists()


def test_deleting_a_share_of_a_missing_root_is_an_error(driver: LocalDriver, root: Path) -> None:
    driver.create_share(CONTEXT, SHARE)
    root.rename(root.with_name("elsewhere"))

    with pytest.raises(DriverError, match="ENOENT"):
        driver.delete_share(CONTEXT, SHARE)


# -- invalid ids ---------------------------------------------------------------------------------
@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_id_that_is_not_a_valid_directory_name_is_refused(
    driver: LocalDriver, hostile: str
) -> None:
    share, snapshot = Share(id=hostile, size=1), Snapshot(id=hostile, share_id="s1")

    for call in (driver.create_share, driver.delete_share, driver.ensure_share):
        with pytest.raises(DriverError, match="share id"):
            call(CONTEXT, share)
    for snap in (driver.create_snapshot, driver.delete_snapshot):
        with pytest.raises(DriverError, match="snapshot id"):
            snap(CONTEXT, snapshot)


@given(st.text(alphabet="a0./\0-_@~\n é\\", max_size=130))
def test_a_valid_id_is_one_path_component(text: str) -> None:
    try:
        name = checked_id("share", text)
    except DriverError:
        return
    assert os.path.normpath(f"/root/{name}") == f"/root/{text}"
    assert len(name.encode()) <= 120


# -- manage --------------------------------------------------------------------------------------
def test_a_directory_under_the_root_can_be_managed_as_a_share(
    driver: LocalDriver, root: Path
) -> None:
    (root / "old" / "home").mkdir(parents=True)
    (root / "old" / "home" / "file").write_text("kept")

    for _ in range(2):  # manage is idempotent
        assert driver.manage_existing(SHARE, {"path": "old/home"}) == {"size": 1}

    assert (root / "shares" / "s1" / "file").read_text() == "kept"
    assert allocated(driver) == 1


def test_an_unmanaged_share_can_be_managed_again(driver: LocalDriver, inside: Path) -> None:
    driver.unmanage(SHARE)
    assert inside.exists()

    driver.manage_existing(Share(id="s2"), {"path": str(inside)})

    assert not inside.exists()
    assert inside.with_name("s2").exists()


def test_a_snapshot_becomes_a_share_if_it_is_not_one_of_a_share_that_is_there(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    for name in ("s1", "s1@n1"):  # without an id, and with one
        (root / "snapshots" / name).mkdir()

    driver.manage_existing(Share(id="s2"), {"path": "snapshots/s1", "snapshot": True})
    with pytest.raises(DriverError, match="is a snapshot of share s1, which is on the backend"):
        driver.manage_existing(Share(id="s3"), {"path": "snapshots/s1@n1", "snapshot": True})

    assert inside.with_name("s2").exists()
    assert (root / "snapshots" / "s1@n1").exists()


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a/../..",
        "missing",
        "file",
        "link",
        "shares",
        "meta",
        "trash/x",
        "shares/s1",
        "a\0b",
        None,
        3,
    ],
)
def test_an_invalid_or_foreign_path_is_not_managed(
    driver: LocalDriver, inside: Path, root: Path, path: object
) -> None:
    (root / "file").touch()
    (root / "link").symlink_to("/etc")

    with pytest.raises(DriverError, match="path"):
        driver.manage_existing(Share(id="s2"), {"path": path})

    assert inside.exists()
    assert allocated(driver) == 1


def allocated(driver: LocalDriver) -> float:
    return driver.get_share_stats(refresh=True).pools[0].allocated_capacity_gib


def allocate(path: Path, size: int) -> None:
    """Allocate disk space for *path* without writing to it."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            pytest.skip(f"cannot allocate {size} bytes: {error.strerror}")
