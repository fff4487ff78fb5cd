"""`python -m benchmarks [--quick]`: measures the figures of the design, prints them and writes JSON."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    activation,
    bulk,
    checkpoints,
    compare,
    erasure,
    ganesha_recovery,
    growth,
    hosts,
    nodes,
    overhead,
    partitions,
    recovery,
    replay,
    rules_growth,
    slow_drivers,
    storage,
    throughput,
    traces,
    variations,
)

RESULTS = compare.RESULTS / "latest.json"
JOBS: dict[str, Callable[[Path, float], dict[str, float]]] = {
    "activation": activation.run,
    "throughput": throughput.run,
    "traces": traces.run,
    "bulk": bulk.run,
    "erasure": erasure.run,
    "checkpoints": checkpoints.run,
    "partitions": partitions.run,
    "overhead": overhead.run,
    "slow_drivers": slow_drivers.run,
    "variations": variations.run,
    "recovery": recovery.run,
    "replay": replay.run,
    "storage": storage.run,
    "hosts": hosts.run,
    "nodes": nodes.run,
    "growth": growth.run,
    "rules_growth": rules_growth.run,
    "ganesha_recovery": ganesha_recovery.run,
}
FLOORS: dict[str, tuple[str, float]] = {
    "creates_bulk_per_s": (">=", 5000),
    "creates_64_per_s": (">=", 2500),
    "create_serial_ms_p50": ("<=", 5),
    "create_serial_ms_p99": ("<=", 20),
    "allow_64_per_s": (">=", 2500),
    "activate_100_ms_p50": ("<=", 5),
    "activate_5000_ms_p50": ("<=", 10),
    "resident_per_gb": (">=", 20000),
    "first_answer_few_s": ("<=", 5),
    "first_answer_many_s": ("<=", 5),
    "recovered_few_s": ("<=", 10),
    "recovered_many_s": ("<=", 10),
    "replay_events_per_s": (">=", 50000),
    "checkpoints_cost_percent": ("<=", 10),
    "bulk_share_of_bare": (">=", 0.5),
    "in_flight_64_share_of_bare": (">=", 0.5),
    "one_at_a_time_ms_p50_ratio": ("<=", 1.6),
    "allow_64_share_of_bare": (">=", 0.4),
    "bulk_cpu_us": ("<=", 150),
    "in_flight_64_cpu_us": ("<=", 250),
    "growth_restart_ratio": ("<=", 1.2),
    "growth_create_ratio": ("<=", 1.2),
    "growth_show_ratio": ("<=", 1.2),
    "growth_allow_ratio": ("<=", 1.2),
    "growth_list_page_ratio": ("<=", 1.2),
    "growth_list_of_project_ratio": ("<=", 1.2),
    "growth_list_of_backend_without_shares_ratio": ("<=", 1.2),
    "growth_count_ratio": ("<=", 1.2),
    "growth_count_of_project_ratio": ("<=", 1.2),
    "growth_status_ratio": ("<=", 1.2),
    "growth_rules_ratio": ("<=", 1.5),
    "checkpoints_bulk_per_s_ratio": (">=", 0.9),
    "checkpoints_in_flight_64_per_s_ratio": (">=", 0.9),
    "ganesha_50_exports_ms_p50": ("<=", 1000),
    "ganesha_300_exports_ms_p50": ("<=", 1000),
    "ganesha_1000_exports_by_300_one_killed_ms_p50": ("<=", 1000),
}


def main() -> None:
    """Measure, print a table to stderr, and JSON to stdout and to the results file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work, noisier figures")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--only", choices=JOBS, help="measure nothing else")
    parser.add_argument("--save", action="store_true", help="keep the results under the commit")
    parser.add_argument("--against", metavar="COMMIT", help="compare with saved results, or a file")
    parser.add_argument(
        "--check", action="store_true", help="fail if a command takes twice the recorded time"
    )
    options = parser.parse_args()
    against = compare.kept(options.against) if options.against else None
    logging.disable(logging.WARNING)
    figures = measure(options.quick, options.only)
    text = json.dumps(figures, indent=2)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text + "\n", encoding="utf-8")
    if options.save:
        (compare.RESULTS / f"{compare.commit()}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    sys.exit(compare.report(figures, against, options.check))


def measure(quick: bool, only: str | None = None) -> dict[str, Any]:
    """All figures by name, or those of one job, with the machine and the time."""
    scale = 0.2 if quick else 1.0
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="share-actors-bench-") as directory:
        for name, job in JOBS.items():
            if only in (None, name):
                figures |= job(Path(directory), scale)
    show(figures)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version()}
    return {**figures, "quick": quick, "machine": machine, "at": time.strftime("%Y-%m-%dT%H:%M:%S")}


def show(figures: dict[str, Any]) -> None:
    """Print each figure to stderr, with its floor if it has one."""
    for name, value in figures.items():
        if name not in FLOORS:
            print(f"{name:40}{value:>12,.2f}", file=sys.stderr)
    for name, (relation, floor) in FLOORS.items():
        if name not in figures:
            continue
        value = figures[name]
        met = value >= floor if relation == ">=" else value <= floor
        print(
            f"{name:24}{value:>12,.1f}   floor {relation} {floor:<8,g} {'met' if met else 'NOT MET'}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
