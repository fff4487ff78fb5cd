"""Two Ray nodes on this machine, each in its own session as on a machine of its own.

A node ends with everything that runs on it, by `kill -9`, and can be started again by the same command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from share_actors.actors.runtime import OUTAGE
from share_actors.actors.runtime.head.store import RedisStore
from share_actors.actors.runtime.system_state import LOOPBACK, SystemState
from share_actors.cli import ray_session
from share_actors.cli.foreground import check_alive
from share_actors.cli.ray_process import free_port
from share_actors.errors import Unavailable
from tests.waiting import until

START_S = 90.0
NEAR = """
import sys, time
from ray._private.node import Node
from ray._private.parameter import RayParams
address, directory = sys.argv[1], sys.argv[2].partition("=")[2]
Node(
    RayParams(
        gcs_address=address,
        node_ip_address="127.0.0.1",
        num_cpus=1,
        object_store_memory=80_000_000,
        temp_dir=directory,
    ),
    head=False,
    spawn_reaper=False,
)
while True:
    time.sleep(60)
"""
"""Joins the head on a loopback address, for which `ray start` takes the machine's own."""


class RayNode:
    """A node that *command* starts, with these variables and with its files below *directory*."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        self._command, self._environment = command, environment
        self._directory, self._starts = directory, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._created = 0.0

    def start(self) -> None:
        """Start the node; see `Nodes.wait_for`."""
        self._starts += 1
        top = self._directory / str(self._starts)
        top.mkdir(parents=True)
        with (top / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, f"--temp-dir={top}/r"],  # the program of `near` takes it as well
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._created = psutil.Process(self._process.pid).create_time()

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on the node."""
        if self._process is None:
            return []
        found = ray_session.session_processes(self._process.pid, self._created)
        return ray_session.still_running(found)

    def kill(self) -> None:
        """`kill -9` of everything on the node."""
        if self._process is not None:
            ray_session.kill_session(self._process.pid, self._created)
            self._process.wait()


class Nodes:
    """A cluster of a *head*, whose tables are in *store* or in memory, and of the node *near*."""

    def __init__(self, top: Path, store: RedisStore | None) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self.environment = {**clean, **LOOPBACK, "RAY_AUTH_MODE": "disabled"}
        kept = {} if store is None else {**store.environment, **OUTAGE}
        module = "ray.scripts.scripts" if store is None else "share_actors.actors.runtime.head"
        head = ["--head", f"--port={port}", "--include-dashboard=false"]
        self.head = RayNode(_start(module, *head), {**self.environment, **kept}, top / "h")
        near = [sys.executable, "-c", NEAR, self.address]
        outage = {} if store is None else OUTAGE
        self.near = RayNode(near, {**self.environment, **outage}, top / "n")

    def start_head(self) -> None:
        """Start the head; returns once it can be reached."""
        self.head.start()
        until(lambda: _answers(self.address), START_S)

    def start_near(self) -> None:
        """Start the other node; returns once its raylet runs."""
        self.near.start()
        until(lambda: any(p.name() == "raylet" for p in self.near.processes()), START_S)


def _start(module: str, *options: str) -> list[str]:
    common = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats"]
    return [sys.executable, "-m", module, "start", "--block", *options, *common]


def _answers(address: str) -> bool:
    try:
        check_alive(SystemState(namespace="n", address=address))
    except Unavailable:
        return False
    return True


@contextmanager
def two_nodes(top: Path, store: RedisStore | None) -> Iterator[Nodes]:
    """A running cluster, of which nothing is left afterwards."""
    nodes = Nodes(top, store)
    try:
        nodes.start_head()
        nodes.start_near()
        yield nodes
    finally:
        nodes.near.kill()
        nodes.head.kill()
