"""Signals to a program that uses a system: Ray's handlers must not replace its own."""

import subprocess
import sys

import ray

from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import MAX_WAIT_S

PROGRAM = """
import os, signal, sys
import share_actors

signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True))
with share_actors.connect(sys.argv[1], namespace=sys.argv[2]) as system:
    system.shares()
    os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_program_keeps_its_own_handler_of_sigterm(new_sites: NewSite) -> None:
    site = new_sites()
    site.system.status()
    address = ray.get_runtime_context().gcs_address

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, site.config.namespace],
        capture_output=True,
        text=True,
        timeout=MAX_WAIT_S,
        check=False,
    )

    assert (ended.returncode, ended.stdout.split()) == (0, ["handled", "handled"]), ended.stderr
