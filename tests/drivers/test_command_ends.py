"""How commands that hold the lock of a share end, also those that are out of time."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from share_actors.drivers.base import DriverError
from share_actors.drivers.command_process import run_process
from share_actors.drivers.execute import ProcessExecutionError, execute
from share_actors.drivers.filesystem.locks import locked
from tests.drivers.killed_commands import (
    COMMAND,
    NOBODY,
    ROOT_COMMAND,
    VolumeDriver,
    attempt,
    directory,
    is_alive,
    killed_amid,
    opened,
    public,
)
from tests.waiting import until

__all__ = ["directory", "public"]


@pytest.mark.parametrize("ending", ["exit 3", "kill -9 $$", "kill -TERM $$"])
def test_a_command_that_holds_a_lock_ends_as_without_one(tmp_path: Path, ending: str) -> None:
    words = ["sh", "-c", f"cat; echo $0 >&2; {ending}"]
    plain = run_process(words, 60, "input", None)

    with opened(tmp_path) as folder, locked(folder, "lock"):
        assert run_process(words, 60, "input", None) == plain
        with pytest.raises(ProcessExecutionError, match="timed out"):
            execute("sh", "-c", "sleep 30 & sleep 30", timeout_s=0.2)
        with pytest.raises(DriverError, match="No such file"):
            execute("no-such-program")


def test_the_command_of_a_killed_process_ends_by_its_time_limit(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("share_actors.drivers.command_process.GRACE_S", 0.0)
    driver = VolumeDriver(directory)
    killed_amid(directory, lambda: driver.extend(attempt(2), "first", timeout_s=1.0))

    until(lambda: not is_alive(directory))

    assert not (directory / "value").exists()


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_command_that_is_out_of_time_ends_with_its_jobs(tmp_path: Path, is_locked: bool) -> None:
    start = time.monotonic()
    with (
        opened(tmp_path) as folder,
        locked(folder, "lock") if is_locked else nullcontext(),
        pytest.raises(ProcessExecutionError, match="timed out"),
    ):
        execute("bash", "-c", "set -m; sleep 40 & wait", timeout_s=0.3)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_command_that_is_out_of_time_ends_also_in_a_session_of_its_own(
    directory: Path, is_locked: bool
) -> None:
    with (
        opened(directory) as folder,
        locked(folder, "lock") if is_locked else nullcontext(),
        pytest.raises(ProcessExecutionError, match="timed out"),
    ):
        # as sudo runs it with a terminal, and waits for it
        execute("setsid", "--wait", "sh", "-c", COMMAND, directory, "first", timeout_s=1.0)

    assert not is_alive(directory)
    assert not (directory / "value").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a program that runs as root")
def test_a_command_of_root_keeps_the_lock_also_after_its_time_limit(public: Path) -> None:
    perl = Path(shutil.copy("/usr/bin/perl", public / "perl"))
    perl.chmod(0o4755)
    (public / "command").write_text(ROOT_COMMAND)

    def call() -> None:
        os.chdir(public)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        with opened(public) as folder, locked(folder, "lock"):
            run_process([str(perl), "command"], 1, None, None, is_killable=False)

    killed_amid(public, call, when=lambda: not is_alive(public, "job"))

    with opened(public) as folder, pytest.raises(BlockingIOError):
        locked(folder, "lock", wait=False).__enter__()
