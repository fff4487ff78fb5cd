"""Fill the disk below a log and free it again. Run by a test in a mount namespace of its own.

The file system disappears with the last process in the namespace, however it ends.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log import Log
from tests.events.appending import append, ids

NAMESPACES = (["unshare", "-m"], ["unshare", "-Urm"])
"""The commands for root, and for a user who may become root in a namespace."""


def private_mounts() -> list[str] | None:
    """Return the command that gives a process its own mounts; None if that is not permitted here."""
    if shutil.which("unshare") is None:
        return None
    trial = "mount -t tmpfs tmpfs /mnt"
    for command in NAMESPACES:
        done = subprocess.run([*command, "sh", "-c", trial], capture_output=True, check=False)
        if done.returncode == 0:
            return command
    return None


def fill(directory: Path) -> Path:
    """Fill the file system of *directory* completely; returns the file to remove."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


def fail_to_append(log: Log, stream: str, after: int) -> int:
    """Append until the disk is full; returns the version that was not appended."""
    for version in range(after, after + 10_000):
        try:
            append(log, stream, version, "x" * 3000)
        except LogError as error:
            message = str(error)
            assert "full" in message, message
            assert "free space on the file system of" in message, message
            assert "nothing was recorded" in message, message
            return version
    raise AssertionError("the disk was never full")


def main(directory: Path) -> None:
    log = Log.open(LogSettings(), directory / "log.db")
    version = 0
    for _ in range(3):  # full, free, and full again
        filler = fill(directory)
        version = fail_to_append(log, "a", version)
        assert len(log.read("a")) == log.head() == version
        assert fail_to_append(log, "b", 0) == 0

        filler.unlink()
        append(log, "a", version, "kept")
        version += 1
    log.close()

    log = Log.open(LogSettings(), directory / "log.db")
    assert [r.version for r in log.read("a")] == list(range(1, version + 1))
    assert ids(log.read("a")).count("kept") == 3
    assert log.read("b") == []
    log.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
