"""What must be zero after a run with faults: the log, the replies to clients and the backends compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from share_actors.events import share
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.decider import Rejected, replay
from share_actors.events.envelope import Recorded
from share_actors.events.receipts import Receipts
from share_actors.values import Share
from tests.acceptance.systems import Site, of_shares, opened
from tests.faults.soak_clients import NOT_RECORDED, Request

ZEROS = (
    *("stuck", "lost", "lied", "duplicated", "orphaned", "leaked"),
    *("false_refusals", "stale_views", "false_errors"),
)
CLOCK_S = 1.0
"""How much later than the time in its envelope an event may be recorded."""


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
    """Refusals that no state of the share between request and reply explains; quotas are not its state."""
    refused = [r for r in requests if r.reply == "refused" and r.command is not None]
    refused = [r for r in refused if not r.refusal.startswith("over_quota:")]
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


class Backends(Protocol):
    """The backends of a run, as they are afterwards."""

    def differing(self, shares: Mapping[str, Share]) -> list[str]:
        """The shares and snapshots that are only on a backend, only in the log, or differ."""
        ...

    def leaked(self, shares: Mapping[str, Share]) -> list[str]:
        """What share servers and daemons should not have left, or should not lack."""
        ...

    def repeated(self) -> int:
        """How many calls were attempts after the first."""
        ...


class Reconciliation:
    """Compares backends, replies and log after a run: the lists that must be empty."""

    def __init__(
        self, site: Site, requests: list[Request], names: list[str], backends: Backends
    ) -> None:
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
        self.orphaned = backends.differing(self._shares)
        self.leaked = backends.leaked(self._shares)
        self.repeated = backends.repeated()

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
