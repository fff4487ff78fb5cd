"""An actor ends with the raylet that started it, whatever Ray does."""

from __future__ import annotations

import subprocess
import sys

import psutil

from tests.waiting import until

RAYLET = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
"""
ACTOR = """
import time
from share_actors.actors.runtime.head.orphans import end_with_raylet
end_with_raylet(0.05)
print("begun", flush=True)
time.sleep(600)
"""


def test_an_actor_ends_when_the_process_that_started_it_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RAYLET, ACTOR], stdout=subprocess.PIPE, text=True
    ) as raylet:
        assert raylet.stdout is not None
        actor = psutil.Process(int(raylet.stdout.readline()))
        try:
            assert raylet.stdout.readline() == "begun\n"
            assert actor.is_running()

            raylet.kill()

            until(lambda: not actor.is_running() or actor.status() == psutil.STATUS_ZOMBIE)
        finally:
            if actor.is_running():
                actor.kill()
