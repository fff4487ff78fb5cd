"""Clients that change shares without a pause until their input ends, and then tell what became of it.

Run as `python FILE NAMESPACE THREADS KINDS` with the version of the program that `PYTHONPATH` names; it uses
only methods that earlier versions have too. For each share it knows which size and name it may have: those of
the last acknowledged request, and those of later ones whose outcome it does not know.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from typing import Any

from share_actors import ShareActorsError, connect

LIMIT_S = 120.0
SETTLED = ("available", "deleted")


class User(threading.Thread):
    """One client: its shares with what they may be now, and the errors that it got."""

    def __init__(self, system: Any, number: int, kinds: list[str], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._system, self._number, self._kinds, self._stopped = system, number, kinds, stop
        self.may_be: dict[str, set[tuple[int, str | None]]] = {}
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.longest_s = 0.0

    def run(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            kind = self._kinds[turn % len(self._kinds)] if self.may_be else "create"
            try:
                getattr(self, f"_{kind}")(turn)
                self.done[kind] += 1
            except ShareActorsError as error:
                self.errors[f"{kind}: {error.code}: {error.message[:200]}"] += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            turn += 1

    def _create(self, turn: int) -> None:
        share = self._system.create_share(size=1)
        self.may_be[share.id] = {(1, None)}

    def _latest(self) -> tuple[str, set[tuple[int, str | None]]]:
        share_id = [*self.may_be][-1 - len(self.may_be) // 2]
        return share_id, self.may_be[share_id]

    def _extend(self, turn: int) -> None:
        share_id, may_be = self._latest()
        size = max(size for size, _ in may_be) + 1
        wanted = {(size, name) for _, name in may_be}
        self.may_be[share_id] = may_be | wanted
        self._system.share(share_id).extend(size)
        self.may_be[share_id] = wanted

    def _set(self, turn: int) -> None:
        share_id, may_be = self._latest()
        name = f"frozen-{self._number}-{turn}"
        wanted: set[tuple[int, str | None]] = {(size, name) for size, _ in may_be}
        self.may_be[share_id] = may_be | wanted
        self._system.share(share_id).set(name=name)
        self.may_be[share_id] = wanted


def verdict(system: Any, users: list[User]) -> dict[str, Any]:
    """What became of all shares, once none has work in progress."""
    until = time.monotonic() + LIMIT_S
    lost, stuck, failed = [], [], []
    for user in users:
        for share_id, may_be in user.may_be.items():
            share = system.share(share_id).refresh()
            while share.status not in SETTLED and "error" not in share.status:
                if time.monotonic() > until:
                    stuck.append(f"{share_id}: {share.status}")
                    break
                time.sleep(0.2)
                share = system.share(share_id).refresh()
            if "error" in share.status:
                failed.append(f"{share_id}: {share.status}: {share.status_reason}")
            elif (share.size, share.name) not in may_be:
                lost.append(f"{share_id}: {(share.size, share.name)} is none of {sorted(may_be)}")
    return {"lost": lost, "stuck": stuck, "failed": failed}


def main(namespace: str, threads: str, kinds: str) -> None:
    """Make requests until the input ends; print the result as JSON."""
    system = connect(namespace=namespace)
    stop = threading.Event()
    users = [User(system, n, kinds.split(","), stop) for n in range(int(threads))]
    for user in users:
        user.start()
    print("started", flush=True)
    sys.stdin.read()
    stop.set()
    for user in users:
        user.join(LIMIT_S)
    done, errors = Counter[str](), Counter[str]()
    for user in users:
        done.update(user.done)
        errors.update(user.errors)
    result = {
        "done": dict(done),
        "errors": dict(errors),
        "shares": sum(len(user.may_be) for user in users),
        "longest_s": round(max(user.longest_s for user in users), 1),
        "hanging": sum(user.is_alive() for user in users),
        **verdict(system, users),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
