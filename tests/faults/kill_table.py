"""`python -m tests.faults.kill_table`: a hundred requests of each kind in flight when everything is killed.

Beside it what Manila 23's share manager left stuck in the same test, on the same kind of machine.
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
from tests.acceptance.sites import Site, made
from tests.faults.soak import replayed_streams

IN_FLIGHT = 100
PATIENCE_S = 120.0
MANILA = {
    "create": "27-72", "delete": "67-82", "allow": "66", "deny": "56", "snapshot": "50",
    "extend": "46",
}  # fmt: skip
MANILA_BY_SIGTERM = {"create": "75-84"}
MANILA_WITHOUT_DELAY = ("create", "delete")
"""Kinds of requests that were also measured with a driver that does not wait."""
NOT_MEASURED = "not measured"
CommandMessage = Callable[[ShareHandle, str], Any]
VERBS: dict[str, CommandMessage] = {
    "delete": lambda s, i: s.delete(wait=False, command_id=i),
    "allow": lambda s, i: s.allow_access("carol", wait=False, command_id=i),
    "deny": lambda s, i: s.deny_access(s.access_rules[0], wait=False, command_id=i),
    "snapshot": lambda s, i: s.create_snapshot(wait=False, command_id=i),
    "extend": lambda s, i: s.extend(2, wait=False, command_id=i),
}


class Row(NamedTuple):
    verb: str
    delay_s: float
    how: str
    acknowledged: int
    ended: int
    stuck: int
    lost: int
    seconds: float


def measured(home: Path, verb: str, delay_s: float, how: str) -> Row:
    """A hundred requests acknowledged, or nearly, when everything goes; what became of them."""
    site = Site(home, hosting={"min_actors": 2, "max_actors": 2})
    try:
        shares = [] if verb == "create" else _prepared(site, verb)
        site.config = _with_delay(site, delay_s)
        acknowledged = _killed_in_flight(site, verb, shares, how)
        began = time.monotonic()
        ended = _ended(site, acknowledged)
    finally:
        site.clear()
    recorded = {i for _, receipts in replayed_streams(site).values() for i in acknowledged
                if receipts.get(i) is not None}  # fmt: skip
    lost = len(acknowledged) - len(recorded)
    stuck = len(recorded) - ended
    return Row(verb, delay_s, how, len(acknowledged), ended, stuck, lost, time.monotonic() - began)


def _prepared(site: Site, verb: str) -> list[str]:
    """Shares, with a rule if one is to be denied; the system is stopped again."""
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
    """The command ids that were acknowledged before or while everything went."""
    acknowledged: list[str] = []
    system = site.system
    handles = [system.share(i) for i in shares]
    asking = [
        threading.Thread(target=_ask, args=(system, verb, some, acknowledged), daemon=True)
        for some in _parts(handles, 10)
    ]
    for thread in asking:
        thread.start()
    while len(acknowledged) < IN_FLIGHT * 0.8 and any(t.is_alive() for t in asking):
        time.sleep(0.001)
    HOW[how](site)
    for thread in asking:
        thread.join(PATIENCE_S)
    return acknowledged


def _parts(handles: list[ShareHandle], n: int) -> list[list[ShareHandle | None]]:
    everyone: list[ShareHandle | None] = [*handles] or [None] * IN_FLIGHT
    return [everyone[k::n] for k in range(n)]


def _ask(
    system: ShareSystem, verb: str, handles: list[ShareHandle | None], acknowledged: list[str]
) -> None:
    for handle in handles:
        command_id = uuid4().hex
        with suppress(ShareActorsError):
            if handle is None:
                system.create_share(size=1, wait=False, command_id=command_id, timeout=30.0)
            else:
                VERBS[verb](handle, command_id)
            acknowledged.append(command_id)


def _ended(site: Site, acknowledged: list[str]) -> int:
    """How many of them came to an end, once all did or patience did."""
    _ = site.system  # started again, if it was stopped
    until, ended = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < until and ended < len(acknowledged):
        time.sleep(0.2)
        ended = _settled(site, acknowledged)
    return ended


def _settled(site: Site, acknowledged: list[str]) -> int:
    streams = replayed_streams(site).values()
    known = [r.get(i) for state, r in streams if share.pending(state) is None for i in acknowledged]
    return sum(receipt is not None and receipt.status != "accepted" for receipt in known)


# -- how it goes ---------------------------------------------------------------------------------
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
    """In Markdown."""
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
    """Exit status 1 if anything is stuck or lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbs", nargs="*", choices=MANILA, default=list(MANILA))
    parser.add_argument("--how", nargs="*", choices=HOW, default=list(HOW))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # Ray tells on stdout of every process that died
    rows = []
    for how in options.how:
        for verb in options.verbs:
            for delay_s in (2.0, 0.0):
                with tempfile.TemporaryDirectory() as home:
                    rows.append(measured(Path(home), verb, delay_s, how))
                print(rows[-1], file=sys.stderr)
    told = json.dumps([row._asdict() for row in rows], indent=2) if options.json else table(rows)
    print(told, file=out, flush=True)
    return 1 if any(row.stuck or row.lost for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
