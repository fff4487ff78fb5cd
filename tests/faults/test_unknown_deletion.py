"""A process that is killed amid the deletion of what only a backend has: the next one finishes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from share_actors import sentence
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from tests.faults.unknown_deletion import config_of
from tests.storage.contract_runs import ROOT

MAX_WAIT_S = 60.0
AFTER = 10_000
"""A step after the last one: the driver has returned, and nothing of that is recorded."""


class Killed:
    """A system that deletes something unknown, and is killed before a step of that; 0: it is not."""

    def __init__(self, directory: Path, kind: str, step: int) -> None:
        self.config = config_of(directory / "home", directory / "root")
        with sync_system(self.config, durable=True) as system:
            share = system.create_share(size=1)
            self.share_id = self.id = share.id
            if kind == "snapshot":
                self.id = share.create_snapshot("s").id
                share.forget_snapshot(self.id, "by mistake")
            else:
                (Path(share.export_locations[0]) / "file").write_text("content")
                share.forget("by mistake")
        words = [str(directory / "home"), str(directory / "root"), self.id, str(step)]
        program = [sys.executable, "-m", "tests.faults.unknown_deletion", *words]
        ran = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == (-signal.SIGKILL if step else 0), ran.stderr
        self.printed = ran.stdout


def is_finished(system: SyncInProcessSystem, killed: Killed) -> bool:
    share = system.share(killed.share_id)
    return share.status in ("available", "deleted") and not share.seen.snapshots


def check(directory: Path, kind: str, step: int) -> None:
    """Kill a system before this step; another one finishes what it did, and its history says so."""
    killed = Killed(directory, kind, step)

    with sync_system(killed.config, durable=True) as system:
        until = time.monotonic() + MAX_WAIT_S
        while not is_finished(system, killed):
            assert time.monotonic() < until, f"step {step}: stuck: {system.share(killed.share_id)}"
            time.sleep(0.01)
        told = [sentence(recorded) for recorded in system.share(killed.share_id).history()]

        assert not system.backends.audit("disk")
    asked = [text for text in told if "asked to delete what only the backend has" in text]
    assert len(asked) == 1
    assert system.context.user_id in asked[0]


@pytest.mark.parametrize(
    ("kind", "step"), [("share", 1), ("share", 12), ("share", AFTER), ("snapshot", 12)]
)
def test_a_deletion_of_what_is_unknown_is_finished_after_kill_9(
    tmp_path: Path, kind: str, step: int
) -> None:
    check(tmp_path, kind, step)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["share", "snapshot"])
def test_a_deletion_of_what_is_unknown_is_finished_after_kill_9_at_every_step(
    tmp_path: Path, kind: str
) -> None:
    steps = int(Killed(tmp_path / "count", kind, 0).printed)
    assert steps > 12

    for step in range(1, steps + 1):
        check(tmp_path / str(step), kind, step)
