"""Snapshots of the driver `local`: complete copies or none, also after interruptions."""

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

from share_actors.drivers import (
    DriverError,
    FilesystemBusy,
    FilesystemReadOnly,
    NoSpaceLeft,
    QuotaExceeded,
    ShareSnapshotIsBusy,
    TransientError,
)
from share_actors.drivers.fence import within_attempt
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.local import LocalDriver
from share_actors.values import AccessRule, Share, Snapshot
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.test_tree import make_deep_tree

SNAPSHOT = Snapshot(id="x1", share_id=SHARE.id)
COPY = Share(id="s2", size=1)
MTIME = 1_000_000_000_123_456_789


class CallbackDriver(LocalDriver):
    """A driver that calls `on_progress` during its copies."""

    on_progress: Callable[[int, int], None] = staticmethod(lambda done, total: None)

    def progress(self, what: str, done: int, total: int) -> None:
        type(self).on_progress(done, total)


@pytest.fixture
def with_callback(
    driver: LocalDriver, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CallbackDriver]:
    def make(on_progress: Callable[[int, int], None]) -> CallbackDriver:
        monkeypatch.setattr(CallbackDriver, "on_progress", staticmethod(on_progress))
        return CallbackDriver(configuration=driver.configuration, backend_name="here")

    return make


def take_snapshot(driver: LocalDriver) -> Path:
    return Path(driver.create_snapshot(CONTEXT, SNAPSHOT))


# -- content of a copy ---------------------------------------------------------------------------
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


# -- interruptions and errors --------------------------------------------------------------------
def test_progress_is_reported_up_to_the_end(
    with_callback: Callable[..., CallbackDriver], inside: Path
) -> None:
    reports: list[tuple[int, int]] = []
    for name in ("a", "b"):
        (inside / name).write_bytes(bytes(5000))

    take_snapshot(with_callback(lambda done, total: reports.append((done, total))))

    assert reports[-1] == (10_000, 10_000)
    assert reports == sorted(reports)


def test_a_killed_copy_leaves_no_snapshot_and_can_be_repeated(
    with_callback: Callable[..., CallbackDriver], inside: Path, root: Path
) -> None:
    for name in ("a", "b"):
        (inside / name).write_text("x")
    dying = with_callback(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))

    in_child(lambda: take_snapshot(dying))

    assert not list((root / "snapshots").iterdir())
    assert list((root / "making").iterdir())
    copy = take_snapshot(with_callback(lambda done, total: None))
    assert sorted(os.listdir(copy)) == ["a", "b"]
    assert not list((root / "making").iterdir())


def test_deleting_a_snapshot_removes_the_rest_of_a_killed_copy(
    with_callback: Callable[..., CallbackDriver], inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    dying = with_callback(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
    in_child(lambda: take_snapshot(dying))

    dying.delete_snapshot(CONTEXT, SNAPSHOT)

    assert not list((root / "making").iterdir())


def test_a_copy_without_enough_space_is_cleaned_up_and_reports_the_reason(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (inside / "large").write_bytes(bytes(100_000))

    def copy_with_little_space() -> Path:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        return take_snapshot(driver)

    result = in_child(copy_with_little_space)

    assert result == "DriverError: create snapshot x1 of share s1: File too large (EFBIG)"
    assert not list((root / "making").iterdir())
    assert not list((root / "snapshots").iterdir())


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (errno.EDQUOT, QuotaExceeded, "enlarge the quota"),
        (errno.ENOSPC, NoSpaceLeft, "enlarge it"),
        (errno.EROFS, FilesystemReadOnly, "remount it"),
        (errno.EBUSY, FilesystemBusy, "repeat the operation"),
        (errno.ESTALE, TransientError, ""),
        (errno.EACCES, DriverError, ""),
    ],
)
def test_an_error_of_the_filesystem_has_a_class_by_its_cause_and_says_what_to_do(
    code: int, kind: type[DriverError], advice: str
) -> None:
    with pytest.raises(DriverError, match=errno.errorcode[code]) as e, os_errors("copy"):
        raise OSError(code, os.strerror(code), "file")

    assert type(e.value) is kind
    assert str(e.value).endswith(advice)
    assert issubclass(FilesystemBusy, TransientError)


def test_a_copy_stops_when_the_time_of_its_attempt_is_over(
    driver: LocalDriver, inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    take_snapshot(driver)
    over = CONTEXT.ending_in(-1.0)

    with within_attempt(over), pytest.raises(TransientError, match="the time for this attempt"):
        driver.create_share_from_snapshot(over, COPY, SNAPSHOT)

    assert not list((root / "making").iterdir())
    assert not driver._layout.exists("shares", COPY.id)


def test_a_snapshot_is_busy_while_a_share_is_created_from_it(
    driver: LocalDriver, with_callback: Callable[..., CallbackDriver], inside: Path
) -> None:
    (inside / "file").write_text("x")
    take_snapshot(driver)
    results: list[str] = []

    def delete_meanwhile(done: int, total: int) -> None:
        with pytest.raises(ShareSnapshotIsBusy, match="x1 is in use"):
            driver.delete_snapshot(CONTEXT, SNAPSHOT)
        results.append(in_child(lambda: driver.delete_snapshot(CONTEXT, SNAPSHOT)))

    with_callback(delete_meanwhile).create_share_from_snapshot(CONTEXT, COPY, SNAPSHOT)

    assert results[0].startswith("ShareSnapshotIsBusy")
    driver.delete_snapshot(CONTEXT, SNAPSHOT)


def test_files_that_users_remove_during_a_copy_are_left_out(
    with_callback: Callable[..., CallbackDriver], inside: Path
) -> None:
    for name in ("a", "b", "c"):
        (inside / name).write_text("x")

    def remove_all(done: int, total: int) -> None:
        for path in inside.iterdir():
            path.unlink()

    copy = take_snapshot(with_callback(remove_all))

    assert len(list(copy.iterdir())) == 1


def test_a_link_that_replaces_a_file_during_a_copy_is_not_followed(
    with_callback: Callable[..., CallbackDriver], inside: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("a", "b"):
        (inside / name).write_text("x")

    def replace_all(done: int, total: int) -> None:
        for path in inside.iterdir():
            path.unlink()
            path.symlink_to(tmp_path / "secret")

    copy = take_snapshot(with_callback(replace_all))

    assert all(path.is_symlink() or path.read_text() == "x" for path in copy.iterdir())
    assert "secret" not in [p.read_text() for p in copy.iterdir() if not p.is_symlink()]


def test_two_calls_for_one_share_wait_for_each_other(
    driver: LocalDriver, with_callback: Callable[..., CallbackDriver], inside: Path, root: Path
) -> None:
    (inside / "file").write_text("x")
    blocked: list[bool] = []

    def try_lock(done: int, total: int) -> None:
        with (root / "locks" / "s1").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                blocked.append(True)

    take_snapshot(with_callback(try_lock))

    assert blocked == [True]


@pytest.mark.parametrize("share_exists", [True, False])
def test_a_missing_share_or_snapshot_is_not_copied(
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
