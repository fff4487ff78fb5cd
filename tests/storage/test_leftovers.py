"""What a killed test run has left is removed at the next start; what a running one uses stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.testing.leftovers import NAMESPACES, remove_leftovers, runs
from tests.storage.conftest import PROGRAMS, need
from tests.storage.contract_runs import ROOT

RUN = """
import os, subprocess, sys, time
from share_actors.drivers.namespaces import Ip, ServerNetwork
from share_actors.testing.leftovers import new_directory, own_prefix
from share_actors.testing.nfs.networks import client_network

with client_network() as network:
    directory = new_directory()
    (directory / "mount").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", directory / "mount"], check=True)
    with (directory / "image").open("wb") as image:
        image.truncate(1 << 20)
    subprocess.run(["losetup", "--find", directory / "image"], check=True)
    server = directory / "root" / "servers" / "one"
    server.mkdir(parents=True)
    pid = os.getpid()
    record = ServerNetwork(name=f"sat-{pid}", bridge=f"satv{pid}", address="10.0.0.5/24")
    (server / "network.json").write_text(record.model_dump_json())
    record.build(Ip())
    inside = ["nsenter", f"--net=/run/netns/{network.server}", "sleep", "1000"]
    subprocess.Popen(inside, start_new_session=True)
    while not subprocess.check_output(["ip", "netns", "pids", network.server]):
        time.sleep(0.01)
    print(own_prefix(), network.server, flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def run() -> Iterator[subprocess.Popen[str]]:
    """A test run that has made one of everything, and waits."""
    need(PROGRAMS | {"nsenter": "util-linux", "mount": "mount"})
    program = [sys.executable, "-c", RUN]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()
    remove_leftovers()


def things_of(prefix: str) -> dict[str, int]:
    """How many things of the run with this *prefix* are on the machine."""
    top = tempfile.gettempdir()
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    loops = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    pid = prefix.split("-")[2]
    ends = [Path("/sys/class/net", name) for name in (f"sat-{pid}", f"satv{pid}")]
    return {
        "share servers": sum(path.exists() for path in (*ends, NAMESPACES / f"sat-{pid}")),
        "namespaces": len(list(NAMESPACES.glob(f"{prefix}*"))),
        "mounts": mounts.count(f" {top}/{prefix}"),
        "loop devices": sum(f"/{prefix}" in path for path in loops),
        "directories": len(list(Path(top).glob(f"{prefix}*"))),
    }


def test_a_killed_run_leaves_nothing_after_the_next_start(run: subprocess.Popen[str]) -> None:
    assert run.stdout is not None
    prefix, server = run.stdout.readline().split()
    inside = subprocess.run(["ip", "netns", "pids", server], capture_output=True, check=True)
    [sleeper] = map(int, inside.stdout.split())
    remove_leftovers()
    before = things_of(prefix)

    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    remove_leftovers()

    made = {"namespaces": 3, "mounts": 1, "loop devices": 1, "directories": 1}
    assert before == {"share servers": 3, **made}
    assert things_of(prefix) == dict.fromkeys(before, 0)
    assert not runs(sleeper)
