"""A Ray cluster of two nodes, each with a version of the program of its own; in a process of its own.

Started as `python -m tests.upgrades.cluster HEAD NEAR`, where HEAD and NEAR are directories for `PYTHONPATH`
(symbolic links that a test changes). It prints the address, and runs until its input ends. For each line of
input, `restart`, the node `near` is killed and another one takes its place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from share_actors.actors.runtime.system_state import LOOPBACK

NEAR_ADDRESS = "127.0.0.2"
"""Clients join the node with their own address, 127.0.0.1; Ray ends them with their node."""


class Nodes:
    """The cluster that the process *keeper* has; `head` and `near` are the links to the nodes' versions."""

    def __init__(self, keeper: subprocess.Popen[str], head: Path, near: Path) -> None:
        self._keeper, self.head, self.near = keeper, head, near
        self.address = self._read()
        assert self.address, "the cluster did not start"

    def _read(self) -> str:
        assert self._keeper.stdout is not None
        return self._keeper.stdout.readline().strip()

    def restart_near(self) -> None:
        """Kill the node `near` with all that runs there, and start another one in its place."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write("restart\n")
        self._keeper.stdin.flush()
        assert self._read() == "restarted"


def point(link: Path, to: Path) -> None:
    """Have *link* point to another version."""
    link.unlink(missing_ok=True)
    link.symlink_to(to)


@contextmanager
def cluster(home: Path, version: Path) -> Iterator[Nodes]:
    """A cluster whose nodes have the *version* in that directory; nothing of it is left afterwards."""
    head, near = home / "head", home / "near"
    for link in (head, near):
        point(link, version)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    keeper = subprocess.Popen(
        [sys.executable, "-m", __name__, str(head), str(near)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**clean, **LOOPBACK},
    )
    children: list[psutil.Process] = []
    with keeper:
        try:
            yield Nodes(keeper, head, near)
        finally:
            assert keeper.stdin is not None
            children = psutil.Process(keeper.pid).children(recursive=True)
            keeper.stdin.close()
            keeper.wait(60)
            for child in children:
                if child.is_running():
                    child.kill()


def main(head: str, near: str) -> None:
    """Run the cluster until standard input ends."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # the same file name has another content later
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "env_vars": {"PYTHONPATH": head}}
    )
    arguments: dict[str, Any] = {
        "num_cpus": 1,
        "resources": {"near": 1},
        "env_vars": {"PYTHONPATH": near},
        "node_ip_address": NEAR_ADDRESS,
    }
    node = nodes.add_node(**arguments)
    print(nodes.address, flush=True)
    for _ in sys.stdin:
        nodes.remove_node(node, allow_graceful=False)
        node = nodes.add_node(**arguments)
        print("restarted", flush=True)
    nodes.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(*sys.argv[1:])
