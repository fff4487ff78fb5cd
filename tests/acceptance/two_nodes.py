"""A Ray cluster of two nodes on this machine, in a process of its own that runs until its input is closed.

The process prints the address of the head; the nodes are its children and end with it. The second node has
the resource `near`; for each line of its input the process adds one with the resource of that name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from share_actors.actors.runtime.system_state import LOOPBACK
from tests.preloaded import programs


class TwoNodes:
    """The cluster that the process *keeper* has."""

    def __init__(self, keeper: subprocess.Popen[str], address: str) -> None:
        self._keeper, self.address = keeper, address

    def lose_near(self) -> None:
        """Kill the raylet of the node `near`, with which all ends that runs there."""
        [raylet] = [
            child
            for child in psutil.Process(self._keeper.pid).children(recursive=True)
            if child.name() == "raylet" and any("near," in word for word in child.cmdline())
        ]
        raylet.kill()

    def add(self, resource: str = "near") -> None:
        """Add a node with this resource."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{resource}\n")
        self._keeper.stdin.flush()
        assert self._keeper.stdout.readline().strip() == "added"


@contextmanager
def cluster() -> Iterator[TwoNodes]:
    """A new cluster, which ends afterwards."""
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith("RAY_")
    }  # such as the token of another cluster
    keeper = subprocess.Popen(
        [programs.python(), "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**clean, **LOOPBACK},
    )
    children: list[psutil.Process] = []
    with keeper:
        assert keeper.stdout is not None
        try:
            address = keeper.stdout.readline().strip()
            assert address, "the cluster did not start"
            yield TwoNodes(keeper, address)
        finally:
            assert keeper.stdin is not None
            children = psutil.Process(keeper.pid).children(recursive=True)
            keeper.stdin.close()
            keeper.wait(60)
            for child in children:
                if child.is_running():
                    child.kill()


def main() -> None:
    """Run the cluster until standard input ends."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1, resources={"near": 1})
    print(nodes.address, flush=True)
    for line in sys.stdin:
        nodes.add_node(num_cpus=1, resources={line.strip(): 1})
        print("added", flush=True)
    nodes.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
