"""`python -m tests.faults.kill_table`: a hundred requests of each kind in flight when everything is killed.

The table compares the result with Manila 23's share manager in the same test on the same kind of machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psutil

from share_actors.client import ShareHandle, ShareSystem
from share_actors.errors import ShareActorsError
from share_actors.events import share
from tests.acceptance.systems import Site, eventually, made
from tests.faults.reconciliation import replayed_streams

IN_FLIGHT = 100
MAX_WAIT_S = 120.0
POLL_S = 1.0
"""The pause between two replays of the whole log."""
MANILA = {
    "create": "27-72",
    "delete": "67-82",
    "allow": "66",
    "deny": "56",
    "snapshot": "50",
    "extend": "46",
}
"""Requests of 100 that were stuck after `kill -9` in Manila 23, by verb."""
MANILA_BY_SIGTERM = {"create": "75-84"}
MANILA_WITHOUT_DELAY = ("create", "delete")
"""Kinds of requests that were also measured with a driver that does not wait."""
NOT_MEASURED = "not measured"
Send = Callable[[ShareHandle, str], Any]
VERBS: dict[str, Send] = {
    "delete": lambda s, i: s.delete(wait=False, command_id=i),
    "allow": lambda s, i: s.allow_access("carol", wait=False, command_id=i),
    "deny": lambda s, i: s.deny_access(s.access_rules[0], wait=False, command_id=i),
    "snapshot": lambda s, i: s.create_snapshot(wait=False, command_id=i),
    "extend": lambda s, i: s.extend(2, wait=False, command_id=i),
}


class Row(NamedTuple):
    """How many requests were acknowledged, came to an end, are stuck, or are not in the log."""

    verb: str
    delay_s: float
    how: str
    acknowledged: int
    ended: int
    stuck: int
    lost: int
    seconds: float


def measured(home: Path, verb: str, delay_s: float, how: str) -> Row:
    """Kill a system in *home* while a hundred requests are in flight; what became of them.

    *how* is a key of `HOW`; *delay_s* is the time that each call of the driver takes.
    """
    site = Site(home, hosting={"min_actors": 2, "max_actors": 2})
    try:
        shares = [] if verb == "create" else _prepared(site, verb)
        site.config = _with_delay(site, delay_s)
        acknowledged = _killed_in_flight(site, verb, shares, how)
        began = time.monotonic()
        ended = _ended(site, acknowledged)
    finally:
        site.clear()
    receipts = [receipts for _, receipts in replayed_streams(site).values()]
    recorded = {i for i in acknowledged if any(r.get(i) is not None for r in receipts)}
    lost = len(acknowledged) - len(recorded)
    stuck = len(recorded) - ended
    return Row(verb, delay_s, how, len(acknowledged), ended, stuck, lost, time.monotonic() - began)


def _prepared(site: Site, verb: str) -> list[str]:
    """Create shares, with a rule if *verb* is deny, and stop the system; their ids."""
    eventually(lambda: {b.status for b in site.system.backends.list().items} == {"up"})
    shares = [made(s) for s in site.system.create_shares([{"size": 1}] * IN_FLIGHT)]
    if verb == "deny":
        for each in shares:
            each.allow_access("carol")
    site.stop()
    return [each.id for each in shares]


def _with_delay(site: Site, delay_s: float) -> Any:
    dummy = site.config.backends["dummy"]
    options = {**dummy.options, "delay_s": delay_s}
    changed = dummy.model_copy(update={"options": options, "threads": 50})
    return site.config.model_copy(update={"backends": {"dummy": changed}})


def _killed_in_flight(site: Site, verb: str, shares: list[str], how: str) -> list[str]:
    """Kill the system once 80 of 100 requests are acknowledged; the ids of all that were."""
    load = Load(site.system, verb)
    handles = [load.system.share(i) for i in shares]
    clients = [
        threading.Thread(target=load.send, args=(part,), daemon=True)
        for part in _parts(handles, 10)
    ]
    for thread in clients:
        thread.start()
    load.wait_for(IN_FLIGHT * 8 // 10)
    load.killed.set()
    HOW[how](site)
    for thread in clients:
        thread.join(MAX_WAIT_S)
    return load.acknowledged


class Load:
    """Requests of one kind from several threads."""

    def __init__(self, system: ShareSystem, verb: str) -> None:
        self.system, self._verb = system, verb
        self.acknowledged: list[str] = []
        self.killed = threading.Event()

    def send(self, handles: list[ShareHandle | None]) -> None:
        """Send one request for each of *handles*; for a thread."""
        for handle in handles:
            command_id = uuid4().hex
            while not self._acknowledge(handle, command_id) and not self.killed.is_set():
                time.sleep(0.1)  # the system just started and no backend has reported, say

    def wait_for(self, count: int) -> None:
        """Wait until *count* requests are acknowledged; raises `AssertionError` after MAX_WAIT_S."""
        deadline = time.monotonic() + MAX_WAIT_S
        while len(self.acknowledged) < count:
            acknowledged = len(self.acknowledged)
            assert time.monotonic() < deadline, f"{acknowledged} of {count} were acknowledged"
            time.sleep(0.001)

    def _acknowledge(self, handle: ShareHandle | None, command_id: str) -> bool:
        """Send one request; whether it was acknowledged."""
        try:
            if handle is None:
                self.system.create_share(size=1, wait=False, command_id=command_id, timeout=30.0)
            else:
                VERBS[self._verb](handle, command_id)
        except ShareActorsError:
            return False
        self.acknowledged.append(command_id)
        return True


def _parts(handles: list[ShareHandle], n: int) -> list[list[ShareHandle | None]]:
    everyone: list[ShareHandle | None] = [*handles] or [None] * IN_FLIGHT
    return [everyone[k::n] for k in range(n)]


def _ended(site: Site, acknowledged: list[str]) -> int:
    """How many requests came to an end, waiting at most MAX_WAIT_S for all of them."""
    _ = site.system  # started again, if it was stopped
    deadline, ended = time.monotonic() + MAX_WAIT_S, 0
    while time.monotonic() < deadline and ended < len(acknowledged):
        time.sleep(POLL_S)
        ended = _settled(site, acknowledged)
    return ended


def _settled(site: Site, acknowledged: list[str]) -> int:
    streams = replayed_streams(site).values()
    settled = [receipts for state, receipts in streams if share.pending(state) is None]
    receipts = [receipts.get(i) for receipts in settled for i in acknowledged]
    return sum(receipt is not None and receipt.status != "accepted" for receipt in receipts)


# -- ways to end the system ---------------------------------------------------------------------------------
def _kill_9(site: Site) -> None:
    _signal_all(site, signal.SIGKILL)


def _sigterm(site: Site) -> None:
    _signal_all(site, signal.SIGTERM)


def _down(site: Site) -> None:
    site.stop()


HOW = {"kill -9": _kill_9, "SIGTERM": _sigterm, "down": _down}


def _signal_all(site: Site, number: int) -> None:
    status = site.system.status()
    pids = [a["pid"] for a in status["manager"]["actors"] if "pid" in a]
    for pid in [*pids, status["manager"]["pid"], status["catalog"]["pid"]]:
        with suppress(ProcessLookupError, psutil.Error):
            os.kill(pid, number)


# -- the table -----------------------------------------------------------------------------------
def table(rows: list[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| 100 in flight | driver delay | ended by | acknowledged | ended | stuck | lost | Manila: stuck |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.verb} | {row.delay_s:g} s | {row.how} | {row.acknowledged} | {row.ended} |"
        f" {row.stuck} | {row.lost} | {manila_stuck(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def manila_stuck(row: Row) -> str:
    """Return how many requests Manila left stuck under the same conditions, if that was measured."""
    if row.delay_s == 0 and row.verb not in MANILA_WITHOUT_DELAY:
        return NOT_MEASURED
    measured_by_end = {"kill -9": MANILA, "SIGTERM": MANILA_BY_SIGTERM}
    return measured_by_end.get(row.how, {}).get(row.verb, NOT_MEASURED)


def main() -> int:
    """Print the table; exit status 1 if a request is stuck or lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbs", nargs="*", choices=MANILA, default=list(MANILA))
    parser.add_argument("--how", nargs="*", choices=HOW, default=list(HOW))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # Ray prints every process that died to stdout
    rows = []
    for how in options.how:
        for verb in options.verbs:
            for delay_s in (2.0, 0.0):
                with tempfile.TemporaryDirectory() as home:
                    rows.append(measured(Path(home), verb, delay_s, how))
                print(rows[-1], file=sys.stderr)
    report = json.dumps([row._asdict() for row in rows], indent=2) if options.json else table(rows)
    print(report, file=out, flush=True)
    return 1 if any(row.stuck or row.lost for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
