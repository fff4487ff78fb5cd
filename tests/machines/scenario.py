"""Machines with a system under load, which faults of nodes, links, databases and clocks then meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from tests.machines.cluster import PORT, Node
from tests.machines.lan import Lan, lan
from tests.machines.postgres import Postgres

CLIENTS = 8
NONE: Mapping[str, Mapping[str, str]] = MappingProxyType({})
WORKERS = ("worker1", "worker2")


class Load:
    """The clients on a machine, whose process is *process*."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def mark(self) -> None:
        """Mark the time of a fault, which follows."""
        self.say("fault")

    def until_answers(self) -> None:
        """Wait until each client had an answer to a request that it sent since the last fault."""
        self.say("answers")

    def report(self) -> dict[str, Any]:
        """Stop the clients; returns what their replies, the log and the backends say."""
        found: dict[str, Any] = json.loads(self._ask("end"))
        return found

    def say(self, line: str) -> None:
        """Send a line, which must be answered by the same line."""
        answer = self._ask(line)
        assert answer == line, answer

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self.line()

    def line(self) -> str:
        """The next line that the clients print."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, f"the clients ended with {self._process.wait()}"
        return line


class Scenario:
    """A network with a database, a head, two workers and a machine for clients, which runs the load."""

    def __init__(self, net: Lan, directory: Path) -> None:
        self.net, self.directory = net, directory
        (directory / "site.toml").write_text('namespace = "machines"\n')
        self._pinned: tuple[str, ...] = ()
        self.database = Postgres(net.add("database"), directory / "primary")
        self.head = self._node("head")
        self.workers = [self._node(name) for name in WORKERS]
        self.clients = self._node("clients")

    def start(
        self, variables: Mapping[str, Mapping[str, str]] = NONE, pinned: str | None = None
    ) -> None:
        """Start the database, Ray on all nodes, with more environment *variables* by node, and the system.

        Each worker has a resource of its name. The backend `dummy` is *pinned* to one, if that is given. Ray
        runs on the clients' machine last, so that the system's actors are on the others.
        """
        self._pinned = (pinned,) if pinned else ()
        self.database.create()
        self.database.start()
        for node in (self.head, *self.workers):
            name = node.machine.name
            held = (name,) if node in self.workers else ()
            node.start_ray(resources=held, variables=variables.get(name, {}))
        self.head.machine.run(*self._words(0), env=self.head.environment())
        self.clients.start_ray(0)

    def _words(self, clients_count: int) -> list[str]:
        words = [sys.executable, "-m", "tests.machines.load", f"{self.head.machine.address}:{PORT}"]
        words += [str(self.directory), self.database.machine.address, str(clients_count)]
        return [*words, *self._pinned]

    @contextmanager
    def load(self, clients_count: int = CLIENTS) -> Iterator[Load]:
        """Start clients, each of which has had an answer; they end afterwards."""
        words = self._words(clients_count)
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with (self.directory / "load.log").open("wb") as errors:
            process = self.clients.machine.start(
                words, env=self.clients.environment(), stderr=errors, **piped
            )
        with process:
            try:
                load = Load(process)
                assert load.line() == "ready"
                yield load
            finally:
                process.kill()

    def _node(self, name: str) -> Node:
        machine = self.net.add(name)
        head = self.net.machines["head"].address
        return Node(machine, self.directory, self.directory / "site.toml", head)

    def worker_of_manager(self) -> Node:
        """The worker on which the manager runs; elsewhere it is killed, until Ray restarts it on one."""
        while True:
            node, process = self._manager()
            if node in self.workers:
                return node
            process.kill()
            process.wait()

    def keep_manager_off(self, avoided: Node) -> None:
        """Kill the manager until it runs on another node than *avoided*."""
        while True:
            node, process = self._manager()
            if node is not avoided:
                return
            process.kill()
            process.wait()

    def _manager(self) -> tuple[Node, psutil.Process]:
        """The manager's node and process, once it runs."""
        while True:
            for node in (self.head, *self.workers, self.clients):
                for process in node.machine.processes():
                    if process.name().startswith("ray::Manager"):
                        return node, process
            time.sleep(0.1)


@contextmanager
def scenario(directory: Path) -> Iterator[Scenario]:
    """The machines of a scenario, not yet started; everything on them ends afterwards."""
    os.chmod(directory, 0o755)  # PostgreSQL runs as nobody
    with lan(directory) as net:
        yield Scenario(net, directory)
