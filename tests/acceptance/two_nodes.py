"""A Ray cluster of two nodes on this machine, in a process of its own that runs until its input is closed.

The process prints the address of the head; the nodes are its children and end with it.
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


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a new cluster, which ends afterwards."""
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
            children = psutil.Process(keeper.pid).children(recursive=True)
            assert address, "the cluster did not start"
            yield address
        finally:
            assert keeper.stdin is not None
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
    sys.stdin.read()
    nodes.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
