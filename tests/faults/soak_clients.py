"""Clients that send all kinds of requests and note the replies."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from share_actors.client import ShareHandle, ShareSystem
from share_actors.client.ids import FreshId, fresh_id
from share_actors.errors import (
    Busy,
    LogError,
    LogInDoubt,
    NotFound,
    OperationFailed,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import DeleteShare, ExtendShare
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.values import Share, utc_now

RETRIED = (Busy, LogError, TimedOut, Unavailable)
MAX_WAIT_S = 120.0
SHARES_EACH = 6
NOT_RECORDED = "not recorded"
"""The reply to a request whose only try ended with an error that said that nothing was recorded."""
NEVER = datetime.max.replace(tzinfo=UTC)
ON_SERVERS = 0.4
"""The fraction of shares that are on share servers."""


@dataclass
class Request:
    """One command and its reply: `done`, `failed`, `refused`, `accepted`, `not recorded`, or None.

    *command_id* is a `FreshId` until the first error, so that this try is known to be the only one.
    """

    command_id: str
    kind: str
    command: Command | None = None
    """What a refusal is checked with; None for creations."""
    share_id: str | None = None
    reply: str | None = None
    retries: int = 0
    refusal: str = ""
    """The message of the error that refused it."""
    began: datetime = NEVER
    replied: datetime = NEVER
    last_error: str = ""
    """Why it was sent again."""
    denials: list[tuple[datetime, str]] = field(default_factory=list)
    """Errors that said that nothing was recorded, and when."""

    def note(self, error: ShareActorsError) -> bool:
        """Note the reply *error*; whether the request is to be sent again."""
        if isinstance(error, OperationFailed):
            self.reply = "failed"
            return False
        if says_nothing_recorded(error):
            self.denials.append((utc_now(), error.message))
            if isinstance(self.command_id, FreshId) and isinstance(error, RETRIED):
                self.reply = NOT_RECORDED
                return False
        self.command_id = str(self.command_id)
        if isinstance(error, RETRIED):
            self.retries += 1
            self.last_error = f"{error.code}: {error.message}"
            return True
        self.reply, self.refusal = "refused", f"{error.code}: {error.message}"
        self.replied = utc_now()
        return False


def says_nothing_recorded(error: ShareActorsError) -> bool:
    """Whether *error* says, by its kind or its message, that nothing was recorded."""
    certain = isinstance(error, Busy | LogError) and not isinstance(error, LogInDoubt)
    return certain or "nothing was recorded" in error.message


def last_errors(requests: Sequence[Request]) -> dict[str, int]:
    """How often requests were sent again, by the beginning of the last error of each."""
    counts: Counter[str] = Counter()
    for request in requests:
        if request.retries:
            counts[re.sub(r"[0-9a-f-]{32,}", "ID", request.last_error)[:90]] += request.retries
    return dict(counts.most_common(5))


@dataclass
class ClientShare:
    """A share with the client's view of its size, rules and snapshots.

    *sure_size*, *sure_rules* and *sure_snapshots* are what replies have confirmed: every later view has it.
    """

    handle: ShareHandle
    size: int = 1
    rules: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    sure_size: int = 1
    sure_rules: set[str] = field(default_factory=set)
    sure_snapshots: set[str] = field(default_factory=set)

    def missing(self, view: Share) -> str:
        """What *view* does not show although it was confirmed; empty if nothing is missing."""
        rules = {rule.id for rule in view.access_rules if rule.state == "active"}
        snapshots = {snapshot.id for snapshot in view.snapshots}
        missing = [*(self.sure_rules - rules), *(self.sure_snapshots - snapshots)]
        missing += [f"size {self.sure_size}"] if view.size < self.sure_size else []
        return ", ".join(missing)


class Client(threading.Thread):
    """Sends requests for its own shares, one after the other, until *stop* is set."""

    max_shares = SHARES_EACH

    def __init__(
        self,
        name: str,
        system: ShareSystem,
        seed: int,
        stop: threading.Event,
        networks: Sequence[str] = (),
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._networks = networks
        self._system, self._rng, self._stopped = system, random.Random(seed), stop
        self._shares: list[ClientShare] = []
        self._gives_up = 0.0
        self.requests: list[Request] = []
        self.names: list[str] = []
        self.stale: list[str] = []
        """Views that lack what was confirmed before."""

    def run(self) -> None:
        """Send requests until stopped."""
        while not self._stopped.is_set():
            if len(self._shares) < self.max_shares and self._rng.random() < 0.5:
                self._create()
            elif self._shares:
                share = self._rng.choice(self._shares)
                self._rng.choice(self._verbs())(share)

    def _verbs(self) -> list[Callable[[ClientShare], None]]:
        return [
            self._allow,
            self._allow,
            self._view,
            self._deny,
            self._create_snapshot,
            self._delete_snapshot,
            self._extend,
            self._delete_share,
        ]

    # -- verbs -----------------------------------------------------------------------------------
    def _create(self) -> None:
        self.names.append(name := f"{self.name}-{len(self.names)}")
        placement = self._placement()
        handle = self._send(
            "create",
            None,
            lambda **w: self._system.create_share(size=1, name=name, **placement, **w),
        )
        if handle is not None:
            self._shares.append(ClientShare(handle))

    def _placement(self) -> dict[str, Any]:
        if self._networks and self._rng.random() < ON_SERVERS:
            return {"share_network_id": self._rng.choice(self._networks)}
        return {"backend": "dummy"}

    def _allow(self, share: ClientShare) -> None:
        command = self._allow_command()
        allow = partial(share.handle.allow_access, command.access_to, type=command.access_type)
        rule = self._send("allow", share, allow, command)
        if rule is not None:
            share.rules.append(rule.id)
            share.sure_rules |= {rule.id} if self._done else set()

    def _allow_command(self) -> AllowAccess:
        to = f"u{self._rng.randrange(10**9)}"
        return AllowAccess(access_id=uuid4().hex, access_type="user", access_to=to)

    def _deny(self, share: ClientShare) -> None:
        if share.rules:
            rule = share.rules.pop()
            share.sure_rules.discard(rule)
            deny = partial(share.handle.deny_access, rule)
            self._send("deny", share, deny, DenyAccess(access_id=rule))

    def _create_snapshot(self, share: ClientShare) -> None:
        command = CreateSnapshot(snapshot_id=uuid4().hex)
        take = share.handle.create_snapshot
        snapshot = self._send("snapshot", share, take, command)
        if snapshot is not None:
            share.snapshots.append(snapshot.id)
            share.sure_snapshots |= {snapshot.id} if self._done else set()

    def _delete_snapshot(self, share: ClientShare) -> None:
        if share.snapshots:
            snapshot = share.snapshots.pop()
            share.sure_snapshots.discard(snapshot)
            delete = partial(share.handle.delete_snapshot, snapshot)
            self._send("delete snapshot", share, delete, DeleteSnapshot(snapshot_id=snapshot))

    def _extend(self, share: ClientShare) -> None:
        share.size += 1
        extend = partial(share.handle.extend, share.size)
        self._send("extend", share, extend, ExtendShare(size=share.size))
        share.sure_size = share.size if self._done else share.sure_size

    def _view(self, share: ClientShare) -> None:
        """Look at a share, which must show what was confirmed."""
        with suppress(*RETRIED):
            try:
                missing = share.missing(share.handle.refresh().seen)
            except NotFound as error:
                missing = str(error)
            if missing:
                self.stale.append(f"share {share.handle.id} without {missing}")

    def _delete_share(self, share: ClientShare) -> None:
        self._shares.remove(share)
        delete = partial(share.handle.delete, cascade=True)
        self._send("delete", share, delete, DeleteShare(cascade=True))

    # -- sending ----------------------------------------------------------------------------------
    @property
    def _done(self) -> bool:
        """Whether the reply to the last request was that it is done."""
        return self.requests[-1].reply == "done"

    def _send(
        self,
        kind: str,
        share: ClientShare | None,
        call: Callable[..., Any],
        command: Command | None = None,
    ) -> Any:
        """The reply, after as many repetitions as it takes: by a new id if no earlier try was recorded."""
        self._gives_up = time.monotonic() + MAX_WAIT_S
        while self._is_patient():
            request = Request(fresh_id(), kind, command, share.handle.id if share else None)
            request.began = utc_now()
            self.requests.append(request)
            result = self._repeat(request, call)
            if request.reply != NOT_RECORDED:
                return result
            time.sleep(0.1)
        return None

    def _repeat(self, request: Request, call: Callable[..., Any]) -> Any:
        """The reply, after as many repetitions with the same command id as it takes."""
        wait = self._rng.random() < 0.7
        while self._is_patient():
            try:
                result = call(command_id=request.command_id, wait=wait, timeout=20.0)
            except ShareActorsError as error:
                if not request.note(error):
                    return None
                time.sleep(0.1)
            else:
                request.reply = "done" if wait else "accepted"
                if isinstance(result, ShareHandle):
                    request.share_id = result.id
                return result
        return None

    def _is_patient(self) -> bool:
        """Whether to go on asking: for `MAX_WAIT_S` after the run, when nothing fails any more."""
        if not self._stopped.is_set():
            self._gives_up = time.monotonic() + MAX_WAIT_S
        return time.monotonic() < self._gives_up


class RuleClient(Client):
    """Sends only requests for access rules of a few shares, and looks at them."""

    max_shares = 2

    def _verbs(self) -> list[Callable[[ClientShare], None]]:
        return [self._allow, self._allow, self._deny, self._deny, self._view]
