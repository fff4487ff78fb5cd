"""`python -m tests.machines.faults [NAME ...]`: faults of machines, links, databases and clocks under load.

Each fault meets a new cluster: a database, a head, two workers and a machine of clients, in network
namespaces. The system has three hosts and two simulated backends, one of them with share servers. Prints a
JSON document for each fault: the seconds until clients had answers, and the counts of `tests.faults.soak`,
which must be zero. It needs root.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.machines.postgres import Postgres
from tests.machines.scenario import NONE, WORKERS, Load, Scenario, scenario
from tests.waiting import until

CALM_S = 5.0
"""How long the load goes on before a fault, and after the last one."""
CUT_S, PAUSE_S = 60.0, 20.0
NOTICED_S = 120.0
"""Within how long the loss of a node must be noticed, on a busy machine."""
AN_HOUR_AHEAD = {"PYTHONPATH": f"{Path(__file__).parent / 'clock_ahead'}:{Path.cwd()}"}


def worker_lost(found: Scenario, load: Load) -> None:
    """The worker on which the manager runs loses power."""
    worker = found.worker_of_manager()
    load.mark()
    worker.machine.off()
    load.until_answers()


def worker_cut_off(found: Scenario, load: Load) -> None:
    """The link of that worker is cut, while everything on it goes on; it is back after `CUT_S`."""
    worker = found.worker_of_manager()
    load.mark()
    worker.machine.cut()
    time.sleep(CUT_S)
    load.until_answers()
    load.mark()
    worker.machine.mend()
    load.until_answers()


def pinned_node_lost(found: Scenario, load: Load) -> None:
    """The only node of a backend loses power for good; it is forgotten, and its backend moved to another."""
    worker = found.workers[1]
    found.keep_manager_off(worker)
    load.mark()
    worker.machine.off()
    name = worker.machine.name
    forget = ("node", "forget", name, "--reason", "it burned")
    until(lambda: _succeeds(found, *forget), NOTICED_S)
    until(lambda: _succeeds(found, "backend", "move", "dummy", "--node", WORKERS[0]), NOTICED_S)
    load.until_answers()


def _succeeds(found: Scenario, *words: str) -> bool:
    try:
        found.head.command_line(*words)
    except AssertionError:  # it is refused as long as Ray has not noticed the loss
        return False
    return True


def link_slow(found: Scenario, load: Load) -> None:
    """The link of that worker has 2 Mbit/s, and delays up to 400 ms."""
    worker = found.worker_of_manager()
    load.mark()
    worker.machine.slow()
    load.until_answers()
    time.sleep(PAUSE_S)


def database_killed(found: Scenario, load: Load) -> None:
    """All processes of PostgreSQL get `kill -9`; it is started again after ten seconds."""
    load.mark()
    for process in found.database.processes():
        process.kill()
    time.sleep(10)
    found.database.start()
    load.until_answers()


def database_paused(found: Scenario, load: Load) -> None:
    """All processes of PostgreSQL are stopped for `PAUSE_S`."""
    load.mark()
    stopped = found.database.processes()
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE_S)
    for process in stopped:
        process.send_signal(signal.SIGCONT)
    load.until_answers()


def database_failed_over(found: Scenario, load: Load) -> None:
    """The machine of PostgreSQL loses power; its synchronous replica is promoted and gets its address."""
    replica = Postgres(found.net.add("replica"), found.directory / "copy")
    replica.copy(found.database)
    replica.start()
    found.database.require_replica()
    lost = found.database.machine
    assert lost.hardware_address  # as long as it can be asked
    time.sleep(CALM_S)
    load.mark()
    lost.off()
    replica.promote()
    replica.machine.replace(lost)
    load.until_answers()


def clock_ahead(found: Scenario, load: Load) -> None:
    """The clock of one worker is an hour ahead; the other one loses power, and its shares move."""
    load.mark()
    found.workers[0].machine.off()
    load.until_answers()


class Fault(NamedTuple):
    """What happens, more environment variables of Ray by machine, and the node of the backend `dummy`."""

    happens: Callable[[Scenario, Load], None]
    variables: Mapping[str, Mapping[str, str]] = NONE
    pinned: str | None = None


FAULTS: Mapping[str, Fault] = {
    "worker lost": Fault(worker_lost),
    "worker cut off": Fault(worker_cut_off),
    "pinned node lost": Fault(pinned_node_lost, pinned=WORKERS[1]),
    "link slow": Fault(link_slow),
    "database killed": Fault(database_killed),
    "database paused": Fault(database_paused),
    "database failed over": Fault(database_failed_over),
    "clock ahead": Fault(clock_ahead, {"worker2": AN_HOUR_AHEAD}),
}


def outcome(name: str, directory: Path, clients_count: int) -> dict[str, Any]:
    """The report of the clients after the fault *name*."""
    fault = FAULTS[name]
    with scenario(directory) as found:
        found.start(fault.variables, fault.pinned)
        with found.load(clients_count) as load:
            time.sleep(CALM_S)
            fault.happens(found, load)
            time.sleep(CALM_S)
            return {"fault": name, **load.report()}


def main() -> int:
    """Run the faults and print their reports; exit status 1 if a count of one is not zero."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(FAULTS)}")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    wrong = False
    for name in options.names or FAULTS:
        with tempfile.TemporaryDirectory(prefix="share-actors-machines-") as directory:
            report = outcome(name, Path(directory), options.clients)
        print(json.dumps(report, indent=2), flush=True)
        wrong = wrong or bool(report["wrong"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
