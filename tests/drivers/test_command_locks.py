"""A command that outlives the process that started it: the next call of its share waits, or is told why."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import BackendSettings, Config
from share_actors.drivers import ExecuteMixin, TransientError
from share_actors.drivers.base import DriverError
from share_actors.drivers.btrfs.image import make_image
from share_actors.drivers.execute import execute
from share_actors.drivers.fence import within_attempt
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.testing import sync_system
from share_actors.values import RequestContext, Share
from tests.drivers.killed_commands import (
    CLOSING,
    COMMAND,
    SHARE,
    CommandDriver,
    VolumeDriver,
    attempt,
    directory,
    is_alive,
    killed_amid,
    opened,
)
from tests.waiting import until

__all__ = ["directory"]


def overtaken_by(directory: Path, late: Callable[[], Any], later: Callable[[], Any]) -> str:
    """The value after *late* was killed amid its command, and *later* was called before that has ended."""
    killed_amid(directory, late)
    thread = threading.Thread(target=later)
    thread.start()
    thread.join(0.3)  # a call that does not wait ends meanwhile, or hangs in a command of its own
    (directory / "go").touch()
    thread.join()
    until(lambda: not is_alive(directory))
    return (directory / "value").read_text().strip()


def local(directory: Path) -> CommandDriver:
    CommandDriver.directory = directory
    driver = CommandDriver(configuration=LocalOptions(root=directory / "root"))
    driver.do_setup(RequestContext())
    return driver


def test_the_lock_of_a_share_outlasts_the_process_until_its_command_has_ended(
    directory: Path,
) -> None:
    local(directory).create_share(attempt(1), SHARE)
    killed_amid(directory, lambda: local(directory).extend_share(attempt(2), SHARE, 6))

    with (
        opened(directory / "root" / "locks") as folder,
        pytest.raises(BlockingIOError),
        locked(folder, SHARE.id, wait=False),
    ):
        pass


def test_a_command_of_a_killed_process_does_not_undo_a_later_call(directory: Path) -> None:
    local(directory).create_share(attempt(1), SHARE)

    def extend(number: int, size: int) -> Callable[[], None]:
        return lambda: local(directory).extend_share(attempt(number), SHARE, size)

    assert overtaken_by(directory, extend(2, 6), extend(3, 8)) == "8"


def test_commands_of_a_driver_without_locks_wait_for_those_of_a_killed_process(
    directory: Path,
) -> None:
    def extend(number: int, value: str) -> Callable[[], None]:
        return lambda: VolumeDriver(directory).extend(attempt(number), value)

    assert overtaken_by(directory, extend(2, "first"), extend(3, "second")) == "second"


def test_a_command_that_drops_what_it_inherits_keeps_the_lock(directory: Path) -> None:
    driver = VolumeDriver(directory, prefix=("bash", "-c", CLOSING, "bash"))

    def extend(value: str) -> Callable[[], None]:
        return lambda: driver.extend(attempt(2), value, run_as_root=True)

    assert overtaken_by(directory, extend("first"), extend("second")) == "second"


def test_a_call_is_told_which_command_it_waited_for(directory: Path) -> None:
    driver = VolumeDriver(directory)
    killed_amid(directory, lambda: driver.extend(attempt(2), "first"))

    with pytest.raises(
        TransientError, match=r"for s1 started has not ended: sh -c .* first"
    ) as busy:
        driver.extend(attempt(3).ending_in(0.2), "second")

    assert str(directory / "locks" / "s1") in str(busy.value)
    assert not (directory / "value").exists()


def test_a_call_whose_time_is_over_starts_no_further_command(directory: Path) -> None:
    (directory / "go").touch()

    with pytest.raises(TransientError, match="the time for this attempt is over"):
        VolumeDriver(directory).extend(attempt(2).ending_in(-1), "late")

    assert not (directory / "value").exists()


def test_commands_of_other_shares_do_not_wait(directory: Path) -> None:
    driver = VolumeDriver(directory)
    killed_amid(directory, lambda: driver.extend(attempt(2), "first"))

    with within_attempt(attempt(1), "s2"):
        assert driver._execute("echo", "done") == ("done\n", "")


def test_a_daemon_that_a_command_leaves_behind_does_not_keep_the_lock(directory: Path) -> None:
    starting = 'sh -c \'echo $$ >"$0/pid"; exec sleep 60\' "$0" >/dev/null 2>&1 & echo started'
    with opened(directory) as folder, locked(folder, "lock"):
        assert execute("sh", "-c", starting, directory) == ("started\n", "")
    until(lambda: is_alive(directory))

    with opened(directory) as folder, locked(folder, "lock", wait=False):
        os.kill(int((directory / "pid").read_text()), signal.SIGKILL)


def test_the_locks_are_in_a_directory_of_this_user_alone(directory: Path) -> None:
    driver = VolumeDriver(directory)
    with within_attempt(attempt(1), "a/b"):
        driver._execute("true")
    assert (directory / "locks").stat().st_mode & 0o777 == 0o700
    assert not any((directory / "locks").iterdir())

    os.chown(directory / "locks", 12345, 12345)
    with within_attempt(attempt(1), "s1"), pytest.raises(DriverError, match="another user"):
        driver._execute("true")


FAILURES: dict[str, dict[str, Any]] = {
    "exits with 3": {"command": ("sh", "-c", "exit 3")},
    "is out of time": {"command": ("sleep", "60"), "timeout_s": 0.1},
    "does not exist": {"command": ("no-such-program",)},
    "comes too late to run": {"command": ("true",), "ends_in_s": -1.0},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_command_that_fails_leaves_no_lock_file(directory: Path, failure: dict[str, Any]) -> None:
    options = {"command": (), "ends_in_s": 60.0, **failure}
    command, ends_in_s = options.pop("command"), options.pop("ends_in_s")
    driver = VolumeDriver(directory)

    with within_attempt(attempt(1).ending_in(ends_in_s), "s1"), pytest.raises(DriverError):
        driver._execute(*command, **options)

    assert not any((directory / "locks").iterdir())


def test_an_image_that_a_killed_process_formats_keeps_its_lock(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formatting = directory / "mkfs.btrfs"
    (directory / "command").write_text(COMMAND)
    formatting.write_text(f'#!/bin/sh\nsh -c "$(cat {directory}/command)" {directory} first\n')
    formatting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def call() -> None:
        with opened(directory) as folder, locked(folder, "lock"):
            make_image(directory / "image", 1)

    killed_amid(directory, call)

    with opened(directory) as folder, pytest.raises(BlockingIOError):
        locked(folder, "lock", wait=False).__enter__()


def test_a_lock_that_cannot_be_made_is_told_with_the_option_to_set(directory: Path) -> None:
    (directory / "locks" / "s1").mkdir(parents=True)
    (directory / "go").touch()

    with pytest.raises(DriverError, match=r"lock_path: .*/s1 cannot be used: Is a directory"):
        VolumeDriver(directory).extend(attempt(2), "first")

    assert not (directory / "value").exists()


# -- in a system -----------------------------------------------------------------------------------
class ExtendingDriver(LocalDriver, ExecuteMixin):
    """A driver that extends a share by a command of the mixin, and has no lock while it runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.init_execute_mixin()

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._execute("sh", "-c", 'echo "$1" >"$0/value"', CommandDriver.directory, new_size)


def test_an_extension_waits_for_a_command_that_a_killed_process_left(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CommandDriver.directory = directory
    locks = directory / "locks"
    monkeypatch.setattr("share_actors.drivers.execute.default_directory", lambda: locks)
    options = {"root": str(directory / "root")}
    backend = BackendSettings(driver="volumes", options=options, timeout_s=0.3, backoff_s=0.01)
    with sync_system(
        Config(backends={"here": backend}), drivers={"volumes": ExtendingDriver}
    ) as system:
        share = system.create_share(size=1)

        def command_of_share() -> None:
            driver = VolumeDriver(directory)
            with within_attempt(attempt(2), share.id):
                driver._execute("sh", "-c", COMMAND, directory, "first")

        killed_amid(directory, command_of_share)
        share.extend(8, wait=False)
        until(lambda: "has not ended" in str(share.refresh().explain()))
        (directory / "go").touch()
        until(lambda: share.refresh().size == 8)

    assert (directory / "value").read_text() == "8\n"
