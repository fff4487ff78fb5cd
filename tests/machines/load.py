"""Clients on a machine: `python -m tests.machines.load ADDRESS HOME HOST CLIENTS [RESOURCE]`.

Starts a system on the Ray cluster at ADDRESS with its log on the PostgreSQL server HOST, and its backend
`dummy` pinned to RESOURCE, if that is given. With 0 CLIENTS that is all. Otherwise joins that system and
sends requests until a line `end` arrives; then prints a report. A line `fault` marks the time of a fault. The
report compares replies, log and backends, and has the seconds from each fault to the first answer, and until
each client had one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from share_actors.actors.runtime import OUTAGE, PARENT

os.environ.update(OUTAGE | PARENT)  # Ray reads them when it is imported

import ray

from share_actors.client import connect
from share_actors.config import LogSettings
from share_actors.values import utc_now
from tests.acceptance.systems import Site, of_shares, opened
from tests.faults.dummy_backends import slow
from tests.faults.killer import Killer
from tests.faults.soak import clients_running, stopped
from tests.faults.soak_clients import Client, Request

NAMESPACE = "machines"
HOSTING = {"min_actors": 2, "max_actors": 3, "unresponsive_s": 5.0}


class JoinedSite(Site):
    """A site whose system another process has started."""

    def join(self, address: str) -> None:
        """Connect to the system on the Ray cluster at *address*."""
        self._system = connect(address, namespace=NAMESPACE)


class TimedClient(Client):
    """Notes when each of its requests was first sent, and when it was answered, in monotonic seconds."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.answers: list[tuple[float, float]] = []

    def _repeat(self, request: Request, call: Callable[..., Any]) -> Any:
        began = time.monotonic()
        result = super()._repeat(request, call)
        if request.reply is not None:
            self.answers.append((began, time.monotonic()))
        return result


def main(address: str, home: str, host: str, clients_count: int, node: str | None = None) -> None:
    """Send requests until standard input says `end`, and print the report."""
    out, sys.stdout = sys.stdout, sys.stderr  # Ray prints every process that died to stdout
    ray.init(address=address, log_to_driver=False)
    log = LogSettings(kind="postgresql", host=host, database="postgres", user="postgres")
    site = JoinedSite(Path(home), log=log, hosting=HOSTING)
    backends = dict(slow(site).backends)
    backends["dummy"] = backends["dummy"].model_copy(update={"node": node})
    site.config = slow(site).model_copy(update={"namespace": NAMESPACE, "backends": backends})
    if not clients_count:
        print(site.system.status()["manager"]["pid"], file=out, flush=True)
        return
    site.join(address)
    system, stop = site.system, threading.Event()
    networks = [system.networks.create(cidr=f"10.{n}.0.0/24").id for n in range(2)]
    clients = [TimedClient(f"client{n}", system, n, stop, networks) for n in range(clients_count)]
    with clients_running(clients, stop):
        faults = _follow(clients, lambda line: print(line, file=out, flush=True))
    report = stopped(site, stop, clients, Killer(site, 0))
    seen = [_after(fault, clients) for fault in faults]
    times = {"faults": seen, "latest event, seconds from now": _latest(site)}
    print(json.dumps({**report, **times}), file=out, flush=True)


def _follow(clients: list[TimedClient], say: Callable[[str], None]) -> list[float]:
    """The times of the faults, once standard input says `end`; each line is answered.

    `answers` is answered when each client has had an answer to a request that it sent since the last fault.
    """
    faults: list[float] = []
    _each_has_an_answer(clients, 0.0)
    say("ready")
    for line in sys.stdin:
        match line.split():
            case ["fault"]:
                faults.append(time.monotonic())
            case ["answers"]:
                _each_has_an_answer(clients, faults[-1])
            case _:
                break
        say(line.strip())
    return faults


def _latest(site: Site) -> float:
    """How many seconds from now the latest time in the log is, by the clock of this machine."""
    with opened(site.config.log, site.config.log_path) as log:
        latest = max(log.decode(raw).envelope.at for raw in of_shares(log))
    return round((latest - utc_now()).total_seconds(), 1)


def _each_has_an_answer(clients: list[TimedClient], since: float) -> None:
    while not all(any(began > since for began, _ in list(c.answers)) for c in clients):
        time.sleep(0.1)


def _after(fault: float, clients: list[TimedClient]) -> dict[str, float]:
    """Seconds from *fault* to the first answer to a request sent since, and until each client had one."""
    firsts = [
        min((ended for began, ended in client.answers if began > fault), default=float("inf"))
        for client in clients
    ]
    open_then = [ended for c in clients for began, ended in c.answers if began <= fault < ended]
    return {
        "first answer": round(min(firsts) - fault, 1),
        "all answers": round(max(firsts) - fault, 1),
        "requests that were open": round(max(open_then, default=fault) - fault, 1),
    }


if __name__ == "__main__":
    to, at, of, count, *pinned = sys.argv[1:]
    main(to, at, of, int(count), *pinned[:1])
