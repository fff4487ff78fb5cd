"""Users of the machine, and what they try to do with the files of a share, each in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

STAFF, GUESTS = 62_001, 62_002
GROUPS = {61_001: [], 61_002: [STAFF], 61_003: [STAFF, GUESTS], 61_004: []}
"""The groups of each user: an owner of files, members of groups, and one who often has no rule."""


def attempts_on(top: Path, file: Path, folder: Path) -> list[tuple[str, int, Callable[[], object]]]:
    """What a user tries: (what, the level that it needs, how)."""
    new = folder / "tried"
    return [
        (f"enter {top}", 1, lambda: os.listdir(top)),
        (f"read {file}", 1, file.read_bytes),
        (f"list {folder}", 1, lambda: os.listdir(folder)),
        (f"write {file}", 2, lambda: file.open("r+b").close()),
        (f"chmod to write {file}", 2, lambda: _forced(file)),
        (f"create and delete {new}", 2, lambda: _create_and_delete(new)),
        (f"make and remove the directory {new}", 2, lambda: _make_and_remove(new)),
        (f"delete {file}", 2, lambda: (file.rename(new), new.rename(file))),
    ]


def opened(file: Path, mode: str) -> None:
    file.open(mode).close()


def _create_and_delete(file: Path) -> None:
    file.write_text("x")
    file.unlink()


def _make_and_remove(folder: Path) -> None:
    folder.mkdir()
    folder.rmdir()


def _forced(file: Path) -> None:
    """Write to the file, after an attempt to change its mode as only an owner can."""
    mode = file.stat().st_mode
    if file.stat().st_uid == os.geteuid():
        file.chmod(mode | 0o200)
    file.open("r+b").close()


def create(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    (folder / name / "file").write_text("new")
    (folder / f"{name}-file").write_text("new")


def as_user(user: int, *attempts: Callable[[], object]) -> list[bool]:
    """Make the attempts in a child process of *user*; whether each raised no `OSError`."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups(GROUPS[user])
            os.setgid(user)
            os.setuid(user)
            os.write(writing, bytes(_succeeds(attempt) for attempt in attempts))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        succeeded = [bool(byte) for byte in pipe.read()]
    os.waitpid(child, 0)
    if len(succeeded) != len(attempts):
        raise RuntimeError(f"the process of user {user} ended early")
    return succeeded


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
