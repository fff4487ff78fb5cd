"""Copies: all that a tree is, or nothing of it, whatever interrupts."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.drivers import DriverError, ShareSnapshotIsBusy, TransientError
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.local import LocalDriver
from share_actors.values import AccessRule, Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.test_local import deep

SNAPSHOT = Snapshot(id="x1", share_id=SHARE.id)
COPY = Share(id="s2", size=1)
MTIME = 1_000_000_000_123_456_789


class Followed(LocalDriver):
    """A driver whose copies stop for `during`."""

    during: Callable[[int, int], None] = staticmethod(lambda done, total: None)

    def progress(self, what: str, done: int, total: int) -> None:
        type(self).during(done, total)


@pytest.fixture
def followed(driver: LocalDriver, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Followed]:
    def make(during: Callable[[int, int], None]) -> Followed:
        monkeypatch.setattr(Followed, "during", staticmethod(during))
        return Followed(configuration=driver.configuration, backend_name="here")

    return make


def taken(driver: LocalDriver) -> Path:
    return Path(driver.create_snapshot(CONTEXT, SNAPSHOT))


# -- what is kept --------------------------------------------------------------------------------
def test_content_and_times_and_modes_are_kept(driver: LocalDriver, inside: Path) -> None:
    (inside / "below").mkdir()
    original = inside / "below" / "file"
    original.write_bytes(os.urandom(100_000))
    original.chmod(0o751)
    for path in (original, original.parent, inside):
        os.utime(path, ns=(MTIME, MTIME))

    copy = taken(driver) / "below" / "file"

    assert copy.read_bytes() == original.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o751
    assert {p.stat().st_mtime_ns for p in (copy, copy.parent, copy.parent.parent)} == {MTIME}


def test_a_snapshot_does_not_change_with_its_share(driver: LocalDriver, inside: Path) -> None:
    (inside / "file").write_text("before")
    copy = taken(driver)

    (inside / "file").write_text("after")
    driver.create_snapshot(CONTEXT, SNAPSHOT)
    driver.delete_share(CONTEXT, SHARE)

    assert (copy / "file").read_text() == "before"


def test_links_are_copied_as_links(driver: LocalDriver, inside: Path) -> None:
    (inside / "a").write_text("x")
    os.link(inside / "a", inside / "b")
    (inside / "soft").symlink_to("/etc/passwd")
    (inside / "dangling").symlink_to("nowhere")

    copy = taken(driver)

    assert (copy / "a").stat().st_ino == (copy / "b").stat().st_ino
    assert os.readlink(copy / "soft") == "/etc/passwd"
    assert os.readlink(copy / "dangling") == "nowhere"


def test_holes_are_kept(driver: LocalDriver, inside: Path) -> None:
    with (inside / "sparse").open("wb") as file:
        file.seek(64 * 2**20)
        file.write(b"end")
        file.truncate(128 * 2**20)

    copy = taken(driver) / "sparse"

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

    assert os.getxattr(taken(driver) / "file", "user.colour") == b"green"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_are_kept(driver: LocalDriver, inside: Path) -> None:
    (inside / "file").touch()
    (inside / "link").symlink_to("file")
    for name in ("file", "link"):
        os.chown(inside / name, 61_001, 61_002, follow_symlinks=False)

    copy = taken(driver)

    found = [(copy / name).lstat() for name in ("file", "link")]
    assert [(each.st_uid, each.st_gid) for each in found] == [(61_001, 61_002)] * 2


def test_fifos_and_sockets_do_not_stop_a_copy(driver: LocalDriver, inside: Path) -> None:
    os.mkfifo(inside / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{(fd := os.open(inside, os.O_RDONLY))}/socket")
    os.close(fd)

    copy = taken(driver)

    assert stat.filemode((copy / "fifo").lstat().st_mode) == "prw-r-----"
    assert (copy / "socket").is_socket()


def test_a_very_deep_tree_is_copied(driver: LocalDriver, inside: Path) -> None:
    deep(inside, 500)

    copy = taken(driver)

    assert len(list(copy.rglob("below"))) == 500


@pytest.mark.usefixtures("keeps_acls")
def test_a_share_from_a_snapshot_has_the_content_and_none_of_the_rules(
    driver: LocalDriver, inside: Path
) -> None:
    (inside / "file").write_text("x")
    rules = [AccessRule(id="r1", access_type="user", access_to="61001")]
    driver.update_access(CONTEXT, SHARE, rules, rules, [])
    taken(driver)

    (export,) = driver.create_share_from_snapshot(CONTEXT, COPY, SNAPSHOT)

    assert (Path(export.path) / "file").read_text() == "x"
    assert acl.ACCESS not in os.listxattr(export.path)
    assert acl.ACCESS not in os.listxattr(Path(export.path) / "file")


# -- what can go wrong ---------------------------------------------------------------------------
def test_progress_is_told_up_to_the_end(followed: Callable[..., Followed], inside: Path) -> None:
    told: list[tuple[int, int]] = []
    for name in ("a", "b"):
        (inside / name).write_bytes(bytes(5000))

    taken(followed(lambda done, total: told.append((done, total))))

    assert told[-1] == (10_000, 10_000)
    assert told == sorted(told)


def test_a_copy_that_was_killed_leaves_no_snapshot_and_is_made_anew(
    followed: Callable[..., Followed], inside: Path, root: Path
) -> None:
    for name in ("a", "b"):
        (inside / name).write_text("x")
    dying = followed(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))

    in_child(lambda: taken(dying))

    assert not list((root / "snapshots").iterdir())
    assert list((root / "making").iterdir())
    copy = taken(followed(lambda done, total: None))
    assert sorted(os.listdir(copy)) == ["a", "b"]
    assert not list((root / "making").iterdir())


def test_what_a_killed_copy_left_goes_with_the_snapshot(
    followed: Callable[..., Followed], inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    dying = followed(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
    in_child(lambda: taken(dying))

    dying.delete_snapshot(CONTEXT, SNAPSHOT)

    assert not list((root / "making").iterdir())


def test_a_copy_for_which_there_is_no_room_is_cleaned_up_and_says_why(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (inside / "large").write_bytes(bytes(100_000))

    def with_little_room() -> Path:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        return taken(driver)

    said = in_child(with_little_room)

    assert said == "DriverError: create snapshot x1 of share s1: File too large (EFBIG)"
    assert not list((root / "making").iterdir())
    assert not list((root / "snapshots").iterdir())


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DriverError), (errno.ESTALE, TransientError)]
)
def test_a_full_disk_is_no_matter_of_time_and_a_stale_handle_is(
    code: int, kind: type[DriverError]
) -> None:
    with pytest.raises(DriverError, match=errno.errorcode[code]) as e, os_errors("copy"):
        raise OSError(code, os.strerror(code), "file")

    assert type(e.value) is kind


def test_a_snapshot_in_use_is_busy_and_then_free(
    driver: LocalDriver, followed: Callable[..., Followed], inside: Path
) -> None:
    (inside / "file").write_text("x")
    taken(driver)
    said: list[str] = []

    def delete_meanwhile(done: int, total: int) -> None:
        with pytest.raises(ShareSnapshotIsBusy, match="x1 is in use"):
            driver.delete_snapshot(CONTEXT, SNAPSHOT)
        said.append(in_child(lambda: driver.delete_snapshot(CONTEXT, SNAPSHOT)))

    followed(delete_meanwhile).create_share_from_snapshot(CONTEXT, COPY, SNAPSHOT)

    assert said[0].startswith("ShareSnapshotIsBusy")
    driver.delete_snapshot(CONTEXT, SNAPSHOT)


def test_what_users_remove_during_a_copy_is_left_out(
    followed: Callable[..., Followed], inside: Path
) -> None:
    for name in ("a", "b", "c"):
        (inside / name).write_text("x")

    def remove_all(done: int, total: int) -> None:
        for path in inside.iterdir():
            path.unlink()

    copy = taken(followed(remove_all))

    assert len(list(copy.iterdir())) == 1


def test_what_users_replace_by_a_link_is_not_followed(
    followed: Callable[..., Followed], inside: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("a", "b"):
        (inside / name).write_text("x")

    def replace_all(done: int, total: int) -> None:
        for path in inside.iterdir():
            path.unlink()
            path.symlink_to(tmp_path / "secret")

    copy = taken(followed(replace_all))

    assert all(path.is_symlink() or path.read_text() == "x" for path in copy.iterdir())
    assert "secret" not in [p.read_text() for p in copy.iterdir() if not p.is_symlink()]


def test_two_calls_for_one_share_wait_for_each_other(
    driver: LocalDriver, followed: Callable[..., Followed], inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    free: list[bool] = []

    def try_lock(done: int, total: int) -> None:
        with (root / "locks" / "s1").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                free.append(False)

    taken(followed(try_lock))

    assert free == [False]


@pytest.mark.parametrize("share_exists", [True, False])
def test_nothing_is_copied_from_what_does_not_exist(
    driver: LocalDriver, root: Path, share_exists: bool
) -> None:
    if share_exists:
        driver.create_share(CONTEXT, SHARE)
        with pytest.raises(DriverError, match="s1@x1 does not exist"):
            driver.create_share_from_snapshot(CONTEXT, COPY, SNAPSHOT)
    else:
        with pytest.raises(DriverError, match="s1 does not exist"):
            driver.create_snapshot(CONTEXT, SNAPSHOT)

    assert not (root / "shares" / "s2").exists()
