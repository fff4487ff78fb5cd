"""`python -m tests.faults.soak --minutes 10`: a system under load and `kill -9`, then a check of its data.

The backend, the replies to clients and the log must agree: nine counts are zero.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from share_actors.events import share, share_server
from tests.acceptance.systems import Site
from tests.faults.dummy_backends import SETTINGS, DummyBackends, slow
from tests.faults.killer import Killer
from tests.faults.quota_count import LIMITS, quota_report
from tests.faults.reconciliation import (
    ZEROS,
    Backends,
    Reconciliation,
    replayed,
    replayed_streams,
)
from tests.faults.soak_clients import MAX_WAIT_S, Client, RuleClient, last_errors

CLIENTS = 16
RULE_CLIENTS = 30
NETWORKS = 3
KILLS_PER_MINUTE = 5
MIN_COMMANDS = 100


def soak(
    site: Site,
    minutes: float,
    seed: int,
    report_progress: Any = None,
    clients_count: int = CLIENTS,
    killer: Killer | None = None,
    others: Sequence[type[Client]] = (),
    backends: Backends | None = None,
    kind: Callable[..., Client] = Client,
    networks: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The report: requests, kills, and the counts that must be zero; *others* are more kinds of clients.

    The *backends*, by default the simulated ones of *site*, are compared with the log afterwards. The clients
    use *networks*, by default some that are made.
    """
    stop, rng = threading.Event(), random.Random(seed)
    networks = _networks(site) if networks is None else networks
    clients = [
        kind(f"client{n}", site.system, seed + n, stop, networks) for n in range(clients_count)
    ]
    clients += [other(other.__name__, site.system, seed, stop) for other in others]
    killer, deadline = killer or Killer(site, seed), time.monotonic() + 60 * minutes
    latest = deadline + MAX_WAIT_S
    with clients_running(clients, stop):
        while time.monotonic() < (deadline if _enough(clients, killer, minutes) else latest):
            time.sleep(rng.uniform(0.3, 4.0))
            killer.strike()
            killer.pause(lambda: sum(r.reply is not None for c in clients for r in [*c.requests]))
            if report_progress is not None:
                report_progress(sum(len(c.requests) for c in clients), killer.kills["processes"])
    return stopped(site, stop, clients, killer, backends)


def _networks(site: Site) -> list[str]:
    create = site.system.networks.create
    return [create(cidr=f"10.{n}.0.0/24", name=f"net{n}").id for n in range(NETWORKS)]


@contextmanager
def clients_running(clients: Sequence[Client], stop: threading.Event) -> Iterator[None]:
    """Start the clients, which end if the block raises."""
    for client in clients:
        client.start()
    try:
        yield
    except BaseException:
        stop.set()
        raise


def stopped(
    site: Site,
    stop: threading.Event,
    clients: Sequence[Client],
    killer: Killer,
    backends: Backends | None = None,
) -> dict[str, Any]:
    """The report, once the clients have ended."""
    stop.set()
    for client in clients:
        client.join(2 * MAX_WAIT_S)
    return _report(site, clients, killer, backends or DummyBackends(site))


def _enough(clients: list[Client], killer: Killer, minutes: float) -> bool:
    """Whether a run of *minutes* had the load that it is for, which a busy machine delays."""
    commands = sum(len(client.requests) for client in clients)
    return killer.kills["processes"] >= KILLS_PER_MINUTE * minutes and commands > MIN_COMMANDS


def rounds_of_rules(site: Site, rounds: int, seed: int, clients_count: int) -> dict[str, Any]:
    """The report of clients that only allow, deny and look, while actor and manager die in each round."""
    stop, killer = threading.Event(), Killer(site, seed)
    clients: list[Client] = [
        RuleClient(f"client{n}", site.system, seed + n, stop) for n in range(clients_count)
    ]
    with clients_running(clients, stop):
        for _ in range(rounds):
            time.sleep(4.0)
            killer.kill_actor_then_manager()
    return stopped(site, stop, clients, killer)


def _report(
    site: Site, clients: Sequence[Client], killer: Killer, backends: Backends
) -> dict[str, Any]:
    requests = [request for client in clients for request in client.requests]
    seconds = _wait_until_settled(site)
    names = [name for client in clients for name in client.names]
    check = Reconciliation(site, requests, names, backends)
    check.stale_views = [view for client in clients for view in client.stale]
    replies = Counter(request.reply or "no answer" for request in requests)
    return {
        "commands": len(requests),
        **{f"told {reply}": n for reply, n in sorted(replies.items())},
        "by kind": dict(Counter(r.kind for r in requests)),
        "refused by quotas": sum(r.refusal.startswith("over_quota:") for r in requests),
        "asked again by clients": sum(r.retries for r in requests),
        "asked again after": last_errors(requests),
        "told that nothing was recorded": sum(len(r.denials) for r in requests),
        "attempts after the first": check.repeated,
        "kills": dict(killer.kills),
        "seconds until all rested": round(seconds, 1),
        **{name: len(getattr(check, name)) for name in ZEROS},
        "wrong": {name: found[:5] for name in ZEROS if (found := getattr(check, name))},
    }


def _wait_until_settled(site: Site) -> float:
    """Wait until no share or share server has pending work, at most MAX_WAIT_S; the seconds that took."""
    began = time.monotonic()
    while time.monotonic() - began < MAX_WAIT_S:
        pending = any(share.pending(state) for state, _ in replayed_streams(site).values())
        if not pending and not any(share_server.pending(s) for s in replayed("share_server", site)):
            break
        time.sleep(0.5)
    return time.monotonic() - began


def main() -> int:
    """Run the soak and print its report; exit status 1 if a count is not zero."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, help="instead: rounds of rules (16 for a good look)")
    parser.add_argument("--quotas", action="store_true", help="limit the clients, and count")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # Ray prints every process that died to stdout
    with tempfile.TemporaryDirectory() as home:
        site = Site(Path(home), **SETTINGS)
        site.config = slow(site)
        try:
            report = {"seed": options.seed, "minutes": options.minutes}
            if options.rounds:
                report |= rounds_of_rules(site, options.rounds, options.seed, RULE_CLIENTS)
            else:
                if options.quotas:
                    site.system.quotas.set(LIMITS)
                report |= soak(site, options.minutes, options.seed, print_progress)
            if options.quotas:
                report |= quota_report(site)
                report["wrong"] |= (
                    {"quotas": report["quota drift"]} if report["quota drift"] else {}
                )
        finally:
            site.stop()
    print(json.dumps(report, indent=2), file=out, flush=True)
    return 1 if report["wrong"] else 0


def print_progress(commands: int, kills: int) -> None:
    if sys.stderr.isatty() or os.environ.get("SOAK_PROGRESS"):
        print(f"\r{commands} commands, {kills} processes killed", end="", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
