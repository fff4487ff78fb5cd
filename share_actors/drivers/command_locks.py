"""Locks that keep the commands of one share apart: a call waits for what a killed or late one started."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.fence import check_deadline, current_attempt, current_subject
from share_actors.drivers.filesystem.ids import is_id
from share_actors.drivers.filesystem.locks import Lock, kept_by_commands, open_locked

POLL_S = 0.05
MARGIN_S = 0.1
"""How long before its attempt is given up a call says what it waits for."""
MAX_SHOWN = 500
"""How many characters of a command a message shows."""


def default_directory() -> Path:
    """The directory of the locks of this user's processes: no other user can create it first."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "share-actors-commands"


@contextmanager
def no_other_command(directory: Path, shown: str) -> Iterator[None]:
    """Run the command *shown* while no other one runs for the share of this driver call.

    Without a known share this does nothing. Raises `TransientError` if another one has not ended when the
    time for this attempt is over, and `DriverError` if *directory* cannot be used.
    """
    if not (subject := _file_name(current_subject())):
        yield
        return
    folder = _opened(directory)
    try:
        fd = _locked(folder, subject, directory, shown)
        try:
            with _discarded(Lock(folder, subject)):
                _note(fd, shown)
                with kept_by_commands(fd):
                    yield
        finally:
            os.close(fd)
    finally:
        os.close(folder)


@contextmanager
def _discarded(lock: Lock) -> Iterator[None]:
    """Remove the file of *lock* at the end, also after an error: the command has ended then.

    An interruption, such as Ctrl-C, may leave the command running, and with it the lock.
    """
    try:
        yield
    except Exception:
        lock.discard()
        raise
    lock.discard()


def _note(fd: int, shown: str) -> None:
    """Write the command into its lock, for those who wait, unless its time is over: `TransientError`."""
    check_deadline(shown)
    os.ftruncate(fd, 0)
    with suppress(OSError):  # a full filesystem: only the message of who waits lacks it
        os.pwrite(fd, _on_one_line(shown).encode(), 0)


def _file_name(subject: str) -> str:
    return subject if not subject or is_id(subject) else sha256(subject.encode()).hexdigest()


def _opened(directory: Path) -> int:
    """*directory*, which is created for this user alone and opened."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unusable(directory, error) from error
    if os.fstat(folder).st_uid == os.geteuid():
        return folder
    os.close(folder)
    raise DriverError(f"lock_path {directory} belongs to another user: set another lock_path")


def _locked(folder: int, subject: str, directory: Path, shown: str) -> int:
    """The lock file of *subject*, opened and locked; its content, if any, is the command before this one."""
    while True:
        try:
            return open_locked(folder, subject, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if current_attempt().remaining_s <= MARGIN_S:
                raise TransientError(_busy(subject, directory, shown)) from None
            time.sleep(POLL_S)
        except OSError as error:
            raise _unusable(directory / subject, error) from error


def _unusable(path: Path, error: OSError) -> DriverError:
    return DriverError(
        f"lock_path: {path} cannot be used: {error.strerror}; the command was not run. Set another lock_path"
    )


def _busy(subject: str, directory: Path, shown: str) -> str:
    path = directory / subject
    try:
        other = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        other = ""
    return (
        f"{_on_one_line(shown)}: not run, since a command that an earlier call for {subject} started has not"
        f" ended: {other or 'unknown'}. End it, or wait; its lock is {path}"
    )


def _on_one_line(shown: str) -> str:
    return " ".join(shown.split())[:MAX_SHOWN]
