"""Receipts: what became of each request that a stream answered, so that a repeated one gets its first answer.

A mutable fold kept beside an entity's state, fed the same events in the same order, live and on replay.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from share_actors.events.decider import Settled
from share_actors.events.envelope import Envelope, Recorded
from share_actors.values import Frozen

SETTLED_KEPT = 128
"""How many settled receipts of one stream stay in memory; those under way all do."""


class RecordedRequest(NamedTuple):
    """What became of one request; *version* is that of its first event, *works* are what it asked for."""

    command_id: str
    fingerprint: str | None
    version: int
    status: Literal["accepted", "done", "failed"]
    reason: str | None = None
    works: tuple[str, ...] = ()


class _Request:
    """A request while it is remembered; *waits* are those of its works that are still open.

    *silent*: it asked for what was so already, and the stream holds nothing of it.
    """

    __slots__ = ("command_id", "fingerprint", "reason", "silent", "version", "waits", "works")

    def __init__(
        self, command_id: str, fingerprint: str | None, version: int, silent: bool
    ) -> None:
        self.command_id, self.fingerprint, self.version = command_id, fingerprint, version
        self.silent = silent
        self.works: tuple[str, ...] = ()
        self.waits: set[str] = set()
        self.reason: str | None = None

    def receipt(self) -> RecordedRequest:
        ended: Literal["done", "failed"] = "done" if self.reason is None else "failed"
        status = "accepted" if self.waits else ended
        return RecordedRequest(
            self.command_id, self.fingerprint, self.version, status, self.reason, self.works
        )


class _Work:
    """An open work: the envelope of its latest opener, and the requests that wait for it."""

    __slots__ = ("cause", "waiters")

    def __init__(self, cause: Envelope) -> None:
        self.cause = cause
        self.waiters: dict[str, _Request] = {}


class _KeptRequest(Frozen):
    receipt: RecordedRequest
    joined: bool


class _KeptWork(Frozen):
    cause: Envelope
    waiters: tuple[str, ...]


class _Kept(Frozen):
    """The whole fold as a state snapshot holds it."""

    under_way: tuple[_KeptRequest, ...]
    settled: tuple[_KeptRequest, ...]
    open: dict[str, _KeptWork]
    forgotten_upto: int


class Receipts:
    """The receipts of one stream: all that are under way and the last *keep* settled; None: all."""

    def __init__(self, keep: int | None = SETTLED_KEPT) -> None:
        self._keep_settled = keep
        self._under_way: dict[str, _Request] = {}
        self._settled: dict[str, _Request] = {}
        self._open: dict[str, _Work] = {}
        self._forgotten_upto = 0

    # -- feeding -----------------------------------------------------------------------------------
    def record(self, recorded: Recorded) -> None:
        """Take in the next event of the stream."""
        event, envelope = recorded.event, recorded.envelope
        for settled in event.settles():
            self._settle(settled)
        opened = event.opens()
        if envelope.command_id is not None:
            self._answered(envelope.command_id, recorded, opened, event.awaits())
            return
        for work in opened:
            self._opened(work, envelope)

    def at_once(
        self, command_id: str, fingerprint: str | None, work: str | None, version: int
    ) -> RecordedRequest:
        """The receipt of a request that came to no event: *work*, which it asked for, was done before."""
        known = self.get(command_id)
        if known is not None:
            return known
        request = _Request(command_id, fingerprint, version, silent=True)
        if work is not None:
            request.works = (work,)
        self._keep(request)
        return request.receipt()

    # -- asking ------------------------------------------------------------------------------------
    def get(self, command_id: str) -> RecordedRequest | None:
        """What became of the request, as far as it is remembered: see `forgotten`."""
        request = self._under_way.get(command_id) or self._settled.get(command_id)
        return None if request is None else request.receipt()

    def cause(self, work: str) -> Envelope | None:
        """The envelope of the latest event that opened *work*; None when it is not open."""
        opened = self._open.get(work)
        return None if opened is None else opened.cause

    def open_works(self) -> tuple[str, ...]:
        """What is owed, in the order it came to be owed."""
        return tuple(self._open)

    @property
    def forgotten(self) -> bool:
        """Whether the stream answered requests that are remembered here no more."""
        return self._forgotten_upto > 0

    @property
    def oldest_version(self) -> int:
        """Requests answered at this version or later are all remembered; older ones need a scan."""
        return self._forgotten_upto + 1

    # -- state snapshots ---------------------------------------------------------------------------
    def dump(self) -> bytes:
        """The fold as JSON; see `load`."""
        kept = _Kept(
            under_way=_kept(self._under_way),
            settled=_kept(self._settled),
            open={
                name: _KeptWork(cause=work.cause, waiters=tuple(work.waiters))
                for name, work in self._open.items()
            },
            forgotten_upto=self._forgotten_upto,
        )
        return kept.model_dump_json().encode()

    @classmethod
    def load(cls, dumped: bytes) -> Self:
        """The fold that `dump` wrote down; raises ValueError when it is none."""
        kept, receipts = _Kept.model_validate_json(dumped), cls()
        receipts._under_way = {k.receipt.command_id: _restored(k) for k in kept.under_way}
        receipts._settled = {k.receipt.command_id: _restored(k) for k in kept.settled}
        receipts._forgotten_upto = kept.forgotten_upto
        for name, work in kept.open.items():
            receipts._opened(name, work.cause)
            for command_id in work.waiters:
                receipts._wait(receipts._under_way[command_id], name)
        return receipts

    # -- inside ------------------------------------------------------------------------------------
    def _answered(
        self, command_id: str, recorded: Recorded, opened: tuple[str, ...], joined: tuple[str, ...]
    ) -> None:
        request = self._recall(command_id, recorded)
        for work in opened:
            self._opened(work, recorded.envelope)
        for work in (*opened, *joined):
            if work in self._open:
                self._wait(request, work)
        request.works += opened + joined
        self._keep(request)

    def _recall(self, command_id: str, recorded: Recorded) -> _Request:
        """The request that *recorded* answers: a new one with its first event."""
        known = self._under_way.pop(command_id, None) or self._settled.pop(command_id, None)
        if known is not None:
            return known
        fingerprint = recorded.envelope.fingerprint
        return _Request(command_id, fingerprint, recorded.version, silent=False)

    def _opened(self, work: str, cause: Envelope) -> None:
        known = self._open.get(work)
        if known is None:
            self._open[work] = _Work(cause)
        else:
            known.cause = cause

    def _wait(self, request: _Request, work: str) -> None:
        request.waits.add(work)
        self._open[work].waiters[request.command_id] = request

    def _settle(self, settled: Settled) -> None:
        if "*" not in settled.work:
            self._close(settled.work, settled.failed)
            return
        for work in [w for w in self._open if settled.ends(w)]:
            self._close(work, settled.failed)

    def _close(self, work: str, failed: str | None) -> None:
        closed = self._open.pop(work, None)
        for request in () if closed is None else closed.waiters.values():
            request.waits.discard(work)
            if request.reason is None:
                request.reason = failed
            if not request.waits:
                del self._under_way[request.command_id]
                self._keep(request)

    def _keep(self, request: _Request) -> None:
        if request.waits:
            self._under_way[request.command_id] = request
            return
        self._settled[request.command_id] = request
        if self._keep_settled is not None and len(self._settled) > self._keep_settled:
            oldest = self._settled.pop(next(iter(self._settled)))
            if not oldest.silent:  # the stream holds nothing of it
                self._forgotten_upto = max(self._forgotten_upto, oldest.version)


def _kept(requests: dict[str, _Request]) -> tuple[_KeptRequest, ...]:
    return tuple(_KeptRequest(receipt=r.receipt(), joined=r.silent) for r in requests.values())


def _restored(kept: _KeptRequest) -> _Request:
    receipt = kept.receipt
    request = _Request(receipt.command_id, receipt.fingerprint, receipt.version, kept.joined)
    request.works, request.reason = receipt.works, receipt.reason
    return request
