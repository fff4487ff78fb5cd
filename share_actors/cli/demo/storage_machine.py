"""What the demo of real storage requires of this machine, and what it must not leave there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from share_actors.drivers.requirements import (
    Requirement,
    btrfs_requirements,
    nfs_requirements,
    server_requirements,
)
from share_actors.errors import Refused
from share_actors.testing import leftovers

ANY_PORT = 20_490
"""The server has a network of its own, in which every port is free."""


def require_storage() -> None:
    """Raise `Refused`, which names what is missing, unless the demo can run on this machine."""
    missing = [requirement for requirement in _requirements() if requirement.state == "missing"]
    if missing:
        lacking = "; ".join(f"{each.what} ({each.found})" for each in missing)
        mend = dict.fromkeys(each.mend for each in missing if each.mend)
        raise Refused(
            f"the demo of btrfs cannot run on this machine: {lacking}; nothing was started",
            field="backend",
            value="btrfs",
            next_step=" ".join(["Run it as root, after:", *mend]) + ". Or run `share-actors demo`.",
        )


def _requirements() -> Iterator[Requirement]:
    yield from btrfs_requirements()
    yield from nfs_requirements(ANY_PORT, (4,))
    yield from server_requirements()


def remove_storage(top: Path) -> None:
    """End the server and the clients below *top*, unmount, detach, and remove the networks of ended demos."""
    leftovers.release_directory(top)
    leftovers.remove_leftovers()
