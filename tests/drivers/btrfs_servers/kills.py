"""Set-ups and teardowns of share servers that are killed, and what is left on the machine."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from share_actors.drivers.btrfs_servers import BtrfsServersDriver, BtrfsServersOptions
from share_actors.drivers.filesystem.mounts import mounts_below
from share_actors.drivers.namespaces.network import NAMESPACES
from share_actors.testing.leftovers import started_with

WAIT_S = 20.0
LONGEST_S = 0.9
"""About as long as a set-up takes on a busy machine."""
_FORK = multiprocessing.get_context("fork")


def killed_after(seconds: float, call: Callable[[], object]) -> bool:
    """Make the *call* in a process that is killed by SIGKILL after *seconds*; whether it had ended before."""
    process = _FORK.Process(target=call)
    process.start()
    process.join(seconds)
    ended = process.exitcode is not None
    process.kill()
    process.join()
    process.close()
    return ended


def random_delay(chance: random.Random) -> float:
    """When to kill, in seconds: early steps are short, so that half of the kills are in the first part."""
    return chance.uniform(0.0, chance.choice((LONGEST_S / 4, LONGEST_S)))


def left_of(driver: BtrfsServersDriver) -> list[str]:
    """What there is of the backend's servers; waits for processes that have not yet noticed their end."""
    deadline = time.monotonic() + WAIT_S
    while (found := _left(driver)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _left(driver: BtrfsServersDriver) -> list[str]:
    options = driver.configuration
    assert isinstance(options, BtrfsServersOptions)
    root, prefix = options.root, options.names_prefix
    links = subprocess.run(["ip", "-br", "link"], check=True, capture_output=True, text=True)
    names = [line.split()[0].partition("@")[0] for line in links.stdout.splitlines()]
    namespaces = NAMESPACES.glob(f"{prefix}*") if NAMESPACES.is_dir() else ()
    folders = [root / "servers", root / "daemons", root / "pool" / "servers"]
    return [
        *(f"interface {name}" for name in names if name.startswith(prefix)),
        *(f"namespace {path.name}" for path in namespaces),
        *(f"process {pid}" for pid in started_with(root)),
        *(f"mount {found.path}" for found in mounts_below(root / "servers")),
        *(f"file {path}" for folder in folders for path in _entries(folder)),
    ]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())
