"""Snapshots of the driver `local` keep content, times, modes, links and attributes."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from share_actors.drivers.filesystem import acl
from share_actors.drivers.local import LocalDriver
from share_actors.values import AccessRule
from tests.drivers.conftest import CONTEXT, SHARE
from tests.drivers.snapshots import COPY, SNAPSHOT, take_snapshot
from tests.drivers.test_tree import make_deep_tree

MTIME = 1_000_000_000_123_456_789


def test_content_and_times_and_modes_are_kept(driver: LocalDriver, inside: Path) -> None:
    (inside / "below").mkdir()
    original = inside / "below" / "file"
    original.write_bytes(os.urandom(100_000))
    original.chmod(0o751)
    for path in (original, original.parent, inside):
        os.utime(path, ns=(MTIME, MTIME))

    copy = take_snapshot(driver) / "below" / "file"

    assert copy.read_bytes() == original.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o751
    assert {p.stat().st_mtime_ns for p in (copy, copy.parent, copy.parent.parent)} == {MTIME}


def test_a_snapshot_does_not_change_with_its_share(driver: LocalDriver, inside: Path) -> None:
    (inside / "file").write_text("before")
    copy = take_snapshot(driver)

    (inside / "file").write_text("after")
    driver.create_snapshot(CONTEXT, SNAPSHOT)
    driver.delete_share(CONTEXT, SHARE)

    assert (copy / "file").read_text() == "before"


def test_links_are_copied_as_links(driver: LocalDriver, inside: Path) -> None:
    (inside / "a").write_text("x")
    os.link(inside / "a", inside / "b")
    (inside / "soft").symlink_to("/etc/passwd")
    (inside / "dangling").symlink_to("nowhere")

    copy = take_snapshot(driver)

    assert (copy / "a").stat().st_ino == (copy / "b").stat().st_ino
    assert os.readlink(copy / "soft") == "/etc/passwd"
    assert os.readlink(copy / "dangling") == "nowhere"


def test_hard_links_in_several_directories_and_out_of_the_share_are_copied(
    driver: LocalDriver, inside: Path, tmp_path: Path
) -> None:
    (inside / "a" / "b").mkdir(parents=True)
    for name in ("out", "all"):
        (inside / name).write_text(name)
        os.link(inside / name, inside / "a" / name)
        os.link(inside / name, inside / "a" / "b" / name)
    os.link(inside / "out", tmp_path / "elsewhere")

    copy = take_snapshot(driver)

    paths = sorted(path.relative_to(inside) for path in inside.rglob("*"))
    assert sorted(path.relative_to(copy) for path in copy.rglob("*")) == paths
    for name in ("out", "all"):
        copies = [copy / folder / name for folder in ("", "a", "a/b")]
        assert len({path.stat().st_ino for path in copies}) == 1
        assert copies[0].stat().st_nlink == 3
        assert copies[0].read_text() == name


def test_holes_are_kept(driver: LocalDriver, inside: Path) -> None:
    with (inside / "sparse").open("wb") as file:
        file.seek(64 * 2**20)
        file.write(b"end")
        file.truncate(128 * 2**20)

    copy = take_snapshot(driver) / "sparse"

    assert copy.stat().st_size == 128 * 2**20
    assert copy.stat().st_blocks * 512 < 2**20
    with copy.open("rb") as file:
        file.seek(64 * 2**20)
        assert file.read(4) == b"end\0"


def test_attributes_are_kept(driver: LocalDriver, inside: Path) -> None:
    (inside / "file").touch()
    try:
        os.setxattr(inside / "file", "user.colour", b"green")
    except OSError as error:
        pytest.skip(f"the filesystem keeps no user attributes: {error.strerror}")

    assert os.getxattr(take_snapshot(driver) / "file", "user.colour") == b"green"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_are_kept(driver: LocalDriver, inside: Path) -> None:
    (inside / "file").touch()
    (inside / "link").symlink_to("file")
    for name in ("file", "link"):
        os.chown(inside / name, 61_001, 61_002, follow_symlinks=False)

    copy = take_snapshot(driver)

    statuses = [(copy / name).lstat() for name in ("file", "link")]
    assert [(status.st_uid, status.st_gid) for status in statuses] == [(61_001, 61_002)] * 2


def test_fifos_and_sockets_do_not_stop_a_copy(driver: LocalDriver, inside: Path) -> None:
    os.mkfifo(inside / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{(fd := os.open(inside, os.O_RDONLY))}/socket")
    os.close(fd)

    copy = take_snapshot(driver)

    assert stat.filemode((copy / "fifo").lstat().st_mode) == "prw-r-----"
    assert (copy / "socket").is_socket()


def test_a_very_deep_tree_is_copied(driver: LocalDriver, inside: Path) -> None:
    make_deep_tree(inside, 500)

    copy = take_snapshot(driver)

    assert len(list(copy.rglob("below"))) == 500


@pytest.mark.usefixtures("keeps_acls")
def test_a_share_from_a_snapshot_has_its_content_and_no_access_rules(
    driver: LocalDriver, inside: Path
) -> None:
    (inside / "file").write_text("x")
    rules = [AccessRule(id="r1", access_type="user", access_to="61001")]
    driver.update_access(CONTEXT, SHARE, rules, rules, [])
    take_snapshot(driver)

    (export,) = driver.create_share_from_snapshot(CONTEXT, COPY, SNAPSHOT)

    assert (Path(export.path) / "file").read_text() == "x"
    assert acl.ACCESS not in os.listxattr(export.path)
    assert acl.ACCESS not in os.listxattr(Path(export.path) / "file")
