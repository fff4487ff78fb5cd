"""A Ray cluster of two nodes on this machine, in a process of its own, for as long as its input is open.

It says where its head listens; its nodes are its children, and end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from share_actors.actors.runtime.system_state import LOOPBACK


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a fresh cluster, all of which is gone afterwards."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}  # others' token, say
    keeper = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**kept, **LOOPBACK},
    )  # fmt: skip
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
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1, resources={"near": 1})
    print(nodes.address, flush=True)
    sys.stdin.read()
    nodes.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
