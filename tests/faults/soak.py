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
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.events import share, share_server
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.decider import Rejected, replay
from share_actors.events.envelope import Recorded
from share_actors.events.receipts import Receipts
from share_actors.values import Share
from tests.acceptance.systems import Site, of_shares, opened
from tests.faults.killer import Killer
from tests.faults.soak_clients import (
    MAX_WAIT_S,
    NOT_RECORDED,
    Client,
    Request,
    RuleClient,
    last_errors,
)

CLIENTS = 16
RULE_CLIENTS = 30
NETWORKS = 3
KILLS_PER_MINUTE = 5
MIN_COMMANDS = 100
ZEROS = (
    *("stuck", "lost", "lied", "duplicated", "orphaned", "leaked"),
    *("false_refusals", "stale_views", "false_errors"),
)
CLOCK_S = 1.0
"""How much later than the time in its envelope an event may be recorded."""


def soak(
    site: Site,
    minutes: float,
    seed: int,
    report_progress: Any = None,
    clients_count: int = CLIENTS,
    killer: Killer | None = None,
    others: Sequence[type[Client]] = (),
) -> dict[str, Any]:
    """The report: requests, kills, and the counts that must be zero; *others* are more kinds of clients."""
    stop, rng = threading.Event(), random.Random(seed)
    networks = [
        site.system.networks.create(cidr=f"10.{n}.0.0/24", name=f"net{n}").id
        for n in range(NETWORKS)
    ]
    clients = [
        Client(f"client{n}", site.system, seed + n, stop, networks) for n in range(clients_count)
    ]
    clients += [kind(kind.__name__, site.system, seed, stop) for kind in others]
    killer, deadline = killer or Killer(site, seed), time.monotonic() + 60 * minutes
    latest = deadline + MAX_WAIT_S
    for client in clients:
        client.start()
    while time.monotonic() < (deadline if _enough(clients, killer, minutes) else latest):
        time.sleep(rng.uniform(0.3, 4.0))
        killer.strike()
        killer.pause(lambda: sum(r.reply is not None for c in clients for r in [*c.requests]))
        if report_progress is not None:
            report_progress(sum(len(c.requests) for c in clients), killer.kills["processes"])
    return stopped(site, stop, clients, killer)


def stopped(
    site: Site, stop: threading.Event, clients: Sequence[Client], killer: Killer
) -> dict[str, Any]:
    """The report, once the clients have ended."""
    stop.set()
    for client in clients:
        client.join(2 * MAX_WAIT_S)
    return _report(site, clients, killer)


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
    for client in clients:
        client.start()
    for _ in range(rounds):
        time.sleep(4.0)
        killer.kill_actor_then_manager()
    return stopped(site, stop, clients, killer)


def _report(site: Site, clients: Sequence[Client], killer: Killer) -> dict[str, Any]:
    requests = [request for client in clients for request in client.requests]
    seconds = _wait_until_settled(site)
    check = Reconciliation(site, requests, [name for c in clients for name in c.names])
    check.stale_views = [view for client in clients for view in client.stale]
    replies = Counter(request.reply or "no answer" for request in requests)
    return {
        "commands": len(requests),
        **{f"told {reply}": n for reply, n in sorted(replies.items())},
        "by kind": dict(Counter(r.kind for r in requests)),
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


def replayed_streams(site: Site) -> dict[str, tuple[Any, Receipts]]:
    """Every share's state and receipts by id, by replay of the log alone."""
    with opened(site.config.log, site.config.log_path) as log:
        recorded: dict[str, list[Any]] = {}
        for raw in of_shares(log):
            recorded.setdefault(raw.stream.removeprefix("share-"), []).append(log.decode(raw))
    return {i: (replay(share, [r.event for r in s]), _receipts(s)) for i, s in recorded.items()}


def _receipts(recorded: Iterable[Any]) -> Receipts:
    receipts = Receipts(keep=None)
    for item in recorded:
        receipts.record(item)
    return receipts


def replayed(kind: str, site: Site) -> list[Any]:
    """Every aggregate of *kind* (`share_server`, `share_network`), by replay of the log alone."""
    module: Any = AGGREGATES[kind]
    with opened(site.config.log, site.config.log_path) as log:
        recorded: dict[str, list[Any]] = {}
        for raw in log.notifications(0, 10_000_000):
            if raw.stream.startswith(f"{kind}-"):
                recorded.setdefault(raw.stream, []).append(log.decode(raw).event)
    return [replay(module, events) for events in recorded.values()]


def false_refusals(site: Site, requests: list[Request]) -> list[str]:
    """Refusals that no state of the share between request and reply explains."""
    refused = [r for r in requests if r.reply == "refused" and r.command is not None]
    with opened(site.config.log, site.config.log_path) as log:
        return [
            f"{request.kind} {request.command_id}: {request.refusal}"
            for request in refused
            if not _explained(request, log.read(f"share-{request.share_id}"))
        ]


def false_errors(site: Site, requests: list[Request]) -> list[str]:
    """Errors that said that nothing was recorded although the request, or an earlier try of it, was."""
    recorded = _recorded_at(site)
    found = [
        f"{request.kind} {request.command_id}: {text}"
        for request in requests
        for at, text in request.denials
        if request.command_id in recorded
        and (request.reply == NOT_RECORDED or recorded[request.command_id] <= at)
    ]
    refused = [r for r in requests if r.reply == "refused" and r.command_id in recorded]
    return found + [f"{r.kind} {r.command_id}: recorded, but {r.refusal}" for r in refused]


def _recorded_at(site: Site) -> dict[str, datetime]:
    """When each request was recorded, by the id of its command."""
    with opened(site.config.log, site.config.log_path) as log:
        envelopes = [log.decode(raw).envelope for raw in of_shares(log)]
    return {e.command_id: e.at for e in reversed(envelopes) if e.command_id is not None}


def _explained(request: Request, recorded: list[Recorded]) -> bool:
    """Whether a state that the share had while *request* was under way rejects its command."""
    state: Any = share.initial
    ends = [r.envelope.at + timedelta(seconds=CLOCK_S) for r in recorded]
    for item, end in zip([None, *recorded], [*ends, request.replied], strict=True):
        if item is not None:
            state = share.evolve(state, cast(Any, item.event))
        if end >= request.began and _rejects(request.command, state):
            return True
        if item is not None and item.envelope.at > request.replied:
            return False
    return False


def _rejects(command: Any, state: Any) -> bool:
    try:
        share.decide(command, state)
    except Rejected:
        return True
    return False


class Reconciliation:
    """Compares backends, replies and log after a run: the lists that must be empty."""

    def __init__(self, site: Site, requests: list[Request], names: list[str]) -> None:
        streams = replayed_streams(site)
        self._shares: dict[str, Share] = {i: share.view(s) for i, (s, _) in streams.items()}
        receipts = {i: r for i, (_, r) in streams.items()}
        self.stuck = [i for i, (s, r) in streams.items() if share.pending(s) or r.open_works()]
        self.stuck += [
            f"{r.kind} {r.command_id}: {r.last_error}" for r in requests if r.reply is None
        ]
        self.lost, self.lied = list[str](), list[str]()
        self.stale_views = list[str]()
        self.false_refusals = false_refusals(site, requests)
        self.false_errors = false_errors(site, requests)
        for request in requests:
            self._check(request, receipts)
        counts = Counter(s.name for s in self._shares.values())
        self.duplicated = [name for name in names if counts[name] > 1]
        self.orphaned = self._differs(site.backend, served(site))
        self.leaked = self._leaked(site)
        self.repeated = sum(call.attempt > 1 for call in site.backend.calls())

    def _check(self, request: Request, receipts: dict[str, Receipts]) -> None:
        """Compare the reply to *request* with its receipt in the log."""
        if request.share_id is None:
            return  # a creation that was refused, or not answered
        recorded = receipts.get(request.share_id)
        receipt = recorded.get(request.command_id) if recorded is not None else None
        if receipt is None and request.reply in ("done", "failed", "accepted"):
            self.lost.append(f"{request.kind} {request.command_id}")
        elif receipt is not None and request.reply in ({"done", "failed"} - {receipt.status}):
            self.lied.append(f"{request.kind}: told {request.reply}, is {receipt.status}")

    def _leaked(self, site: Site) -> list[str]:
        """Servers and addresses in which shares, servers, networks and the backend differ."""
        backend, networks = served(site), [s.network for s in replayed("share_network", site)]
        servers = [s.server for s in replayed("share_server", site)]
        active = {s.id: s.network_allocations for s in servers if s.status == "active"}
        on = {s.id: s.share_server_id for s in self._shares.values() if s.share_server_id}
        may_be = {s.id for s in self._shares.values() if s.status == "error"}  # until it is deleted
        taken = {i: tuple(held["addresses"]) for i, held in backend.networks().items()}
        granted = {i: a for network in networks for i, a in network.allocations.items()}
        meant = {share_id: i for network in networks for share_id, i in network.shares.items()}
        held = {share_id: s.id for s in servers for share_id in s.shares}
        told = {
            "servers": backend.servers().keys() ^ active.keys(),
            "addresses": {i for i in active | taken if active.get(i) != taken.get(i)},
            "grants": {i for i in active | granted if active.get(i) != granted.get(i)},
            "seats": {i for i in on | meant if on.get(i) != meant.get(i)} - may_be,
            "places": {i for i in on | held if on.get(i) != held.get(i)} - may_be,
        }
        said = {
            i: (on.get(i), meant.get(i), held.get(i))
            for i in on.keys() | meant.keys() | held.keys()
        }
        return [f"{what} {i} {said.get(i, '')}" for what, wrong in told.items() for i in wrong]

    def _differs(self, *backends: DummyBackend) -> list[str]:
        """Ids of shares and snapshots that are only on a backend, only in the log, or differ."""
        alive = {i: s for i, s in self._shares.items() if s.status == "available"}
        wanted = {i: (s.size, {r.access_to for r in s.access_rules}) for i, s in alive.items()}
        held = {
            i: (h["size"], {r["access_to"] for r in h["rules"].values()})
            for backend in backends
            for i, h in backend.shares().items()
        }
        taken = {s.id for each in alive.values() for s in each.snapshots}
        there = {i for backend in backends for i in backend.snapshots()}
        differing = [i for i in held.keys() | wanted.keys() if held.get(i) != wanted.get(i)]
        return [*differing, *(taken ^ there)]


def main() -> int:
    """Run the soak and print its report; exit status 1 if a count is not zero."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, help="instead: rounds of rules (16 for a good look)")
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
                report |= soak(site, options.minutes, options.seed, print_progress)
        finally:
            site.stop()
    print(json.dumps(report, indent=2), file=out, flush=True)
    return 1 if report["wrong"] else 0


SETTINGS: dict[str, Any] = {"hosting": {"min_actors": 2, "max_actors": 2, "unresponsive_s": 3.0}}


def slow(site: Site) -> Any:
    """The configuration of *site* with backends whose calls take long enough to be killed in the middle."""
    options = {"directory": str(site.backend.directory), "delay_s": 0.05}
    changed = {"options": options, "backoff_s": 0.1, "max_backoff_s": 1.0}
    dummy = site.config.backends["dummy"].model_copy(update=changed)
    theirs = {"options": {**options, "directory": str(served(site).directory)}}
    mode = {"driver_handles_share_servers": True, "max_shares_per_server": 5}
    more = {"delete_server_with_last_share": True, **mode, **theirs}
    backends = {"dummy": dummy, "served": dummy.model_copy(update=more)}
    return site.config.model_copy(update={"backends": backends, "default_backend": None})


def served(site: Site) -> DummyBackend:
    """The data of the backend with share servers."""
    return DummyBackend(site.home / "served")


def print_progress(commands: int, kills: int) -> None:
    if sys.stderr.isatty() or os.environ.get("SOAK_PROGRESS"):
        print(f"\r{commands} commands, {kills} processes killed", end="", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
