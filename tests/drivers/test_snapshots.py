"""Snapshots of the driver `local` are complete or none, also after interruptions and errors."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
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
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.local import LocalDriver
from tests.drivers.conftest import CONTEXT, SHARE, in_child
from tests.drivers.snapshots import COPY, SNAPSHOT, CallbackDriver, take_snapshot, with_callback

__all__ = ["with_callback"]


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
