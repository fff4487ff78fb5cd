"""What a project has used of its quotas after a run, against a count of all shares in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.acceptance.systems import Site
from tests.faults.reconciliation import replayed, replayed_streams

LIMITS: Mapping[str, int] = {"shares": 40, "gigabytes": 90, "snapshots": 30}
"""Of the project of the clients: less than they ask for."""
GONE = ("absent", "deleted", "unmanaged")


def quota_report(site: Site) -> dict[str, Any]:
    """What is used, and what is wrong with it: another count, a limit exceeded, or something reserved."""
    usage = site.system.quotas.usage().quotas
    counted = count(site)
    wrong = [
        f"{name}: {usage[name].used} used, and {counted[name]} counted"
        for name in ("shares", "gigabytes", "snapshots", "snapshot_gigabytes", "share_networks")
        if usage[name].used != counted[name]
    ]
    wrong += [f"{name}: {use.reserved} reserved" for name, use in usage.items() if use.reserved]
    wrong += [
        f"{name}: {use.used} of {use.limit}" for name, use in usage.items() if use.is_exceeded
    ]
    return {"quotas": {name: use.used for name, use in usage.items()}, "quota drift": wrong}


def count(site: Site) -> Counter[str]:
    """What all shares, snapshots and networks in the log come to."""
    counted: Counter[str] = Counter()
    for state, _ in replayed_streams(site).values():
        if state.share.status not in GONE:
            snapshots = state.snapshots.held.values()
            growing = state.resize_to if state.share.status == "extending" else 0
            counted["shares"] += 1
            counted["gigabytes"] += max(state.share.size, growing)
            counted["snapshots"] += len(snapshots)
            counted["snapshot_gigabytes"] += sum(snapshot.size for snapshot in snapshots)
    networks = [state.network for state in replayed("share_network", site)]
    counted["share_networks"] = sum(network.status == "active" for network in networks)
    return counted
