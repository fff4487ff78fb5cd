"""`python -m benchmarks.share_servers [--servers 50]`: set-up and teardown of share servers in namespaces.

Sets up servers of the driver `btrfs-servers` one after the other, all of which stay, and tears them down
again. Prints the milliseconds of each as JSON, p50 and p99, and what is left at the end, which must be
nothing. It needs root and the packages that `share-actors doctor` names; everything is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from share_actors.drivers.btrfs_servers import BtrfsServersDriver, BtrfsServersOptions
from share_actors.values import NetworkInfo, RequestContext

CONTEXT = RequestContext()


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.share_servers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument(
        "--nfs3", action="store_true", help="serve version 3 too, with an rpcbind each"
    )
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="share-actors-bench-"))
    options = BtrfsServersOptions(
        device=directory / "disk.img",
        root=directory / "root",
        image_size_gib=4,
        versions=(3, 4) if chosen.nfs3 else (4,),
    )
    driver = BtrfsServersDriver(True, configuration=options, backend_name="bench")
    try:
        driver.start_backend(CONTEXT)
        print(json.dumps(_measure(driver, chosen.servers), indent=2))
    finally:
        driver.stop_backend(CONTEXT)
        shutil.rmtree(directory)


def _measure(driver: BtrfsServersDriver, servers: int) -> dict[str, object]:
    ids = [f"server-{number}" for number in range(servers)]
    set_ups = [_ms(partial(driver.setup_server, _info(n))) for n in range(servers)]
    teardowns = [_ms(partial(driver.teardown_server, {"server_id": id_})) for id_ in ids]
    return {
        "servers": servers,
        "set_up_ms": _percentiles(set_ups),
        "teardown_ms": _percentiles(teardowns),
        "strays": driver.strays(),
    }


def _info(number: int) -> NetworkInfo:
    """The network of a server: ten servers are on each of the segments."""
    return NetworkInfo(
        server_id=f"server-{number}",
        backend_name="bench",
        network_id=f"net-{number // 10}",
        cidr="10.0.0.0/24",
        gateway="10.0.0.1",
        network_type="vlan",
        segmentation_id=100 + number // 10,
        network_allocations=(f"10.0.0.{number % 10 + 2}",),
    )


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(values), 1)}


if __name__ == "__main__":
    main()
