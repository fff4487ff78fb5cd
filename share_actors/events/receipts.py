"""Receipts: the status of each request of a stream, so that a repeated request gets the same reply.

A mutable fold beside an entity's state; it gets the same events in the same order, live and on replay.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field

from share_actors.events.decider import Settled
from share_actors.events.envelope import Envelope, Recorded
from share_actors.values import Frozen

MAX_SETTLED = 128
"""How many receipts of ended requests a stream keeps in memory; those in progress are all kept."""


class RecordedRequest(NamedTuple):
    """The status of one request; *version* is that of its first event, *works* are those it requested."""

    command_id: str
    fingerprint: str | None
    version: int
    status: Literal["accepted", "done", "failed"]
    reason: str | None = None
    works: tuple[str, ...] = ()


class _Request:
    """A request in memory; *open_works* are those of its works that have not ended.

    *unrecorded*: the requested state held already, so the stream has no event of the request.
    """

    __slots__ = (
        "command_id",
        "fingerprint",
        "open_works",
        "reason",
        "unrecorded",
        "version",
        "works",
    )

    def __init__(
        self, command_id: str, fingerprint: str | None, version: int, unrecorded: bool
    ) -> None:
        self.command_id, self.fingerprint, self.version = command_id, fingerprint, version
        self.unrecorded = unrecorded
        self.works: tuple[str, ...] = ()
        self.open_works: set[str] = set()
        self.reason: str | None = None

    def receipt(self) -> RecordedRequest:
        result: Literal["done", "failed"] = "done" if self.reason is None else "failed"
        status = "accepted" if self.open_works else result
        return RecordedRequest(
            self.command_id, self.fingerprint, self.version, status, self.reason, self.works
        )


class _Work:
    """An open work: the envelope of the last event that opened it, and the requests that wait for it."""

    __slots__ = ("cause", "waiters")

    def __init__(self, cause: Envelope) -> None:
        self.cause = cause
        self.waiters: dict[str, _Request] = {}


class _StoredRequest(Frozen):
    model_config = ConfigDict(populate_by_name=True)

    receipt: RecordedRequest
    unrecorded: Annotated[bool, Field(alias="joined")]
    """`joined` is its name in state snapshots."""


class _StoredWork(Frozen):
    cause: Envelope
    waiters: tuple[str, ...]


class _StoredReceipts(Frozen):
    """The whole fold, as it is stored in a state snapshot."""

    under_way: tuple[_StoredRequest, ...]
    settled: tuple[_StoredRequest, ...]
    open: dict[str, _StoredWork]
    forgotten_upto: int


class Receipts:
    """The receipts of one stream: all in progress, and the last *keep* that ended (None: all)."""

    def __init__(self, keep: int | None = MAX_SETTLED) -> None:
        self._max_settled = keep
        self._under_way: dict[str, _Request] = {}
        self._settled: dict[str, _Request] = {}
        self._open: dict[str, _Work] = {}
        self._forgotten_upto = 0
        self._just_settled: dict[str, _Request] = {}

    # -- recording ---------------------------------------------------------------------------------
    def record(self, recorded: Recorded) -> None:
        """Add the next event of the stream."""
        event, envelope = recorded.event, recorded.envelope
        for settled in event.settles():
            self._settle(settled)
        opened = event.opens()
        if envelope.command_id is not None:
            self._record_request(envelope.command_id, recorded, opened, event.awaits())
            return
        for work in opened:
            self._open_work(work, envelope)

    def record_without_events(
        self, command_id: str, fingerprint: str | None, work: str | None, version: int
    ) -> RecordedRequest:
        """Add a request without events, since its *work* was done before, and return its receipt."""
        existing = self.get(command_id)
        if existing is not None:
            return existing
        request = _Request(command_id, fingerprint, version, unrecorded=True)
        if work is not None:
            request.works = (work,)
        self._keep(request)
        return request.receipt()

    def take_settled(self) -> dict[str, RecordedRequest]:
        """The receipts of the requests that ended since the last call, however many there are."""
        settled, self._just_settled = self._just_settled, {}
        return {command_id: request.receipt() for command_id, request in settled.items()}

    # -- queries -----------------------------------------------------------------------------------
    def get(self, command_id: str) -> RecordedRequest | None:
        """Return the receipt of a request; None if there is none in memory (see `forgotten`)."""
        request = self._under_way.get(command_id) or self._settled.get(command_id)
        return None if request is None else request.receipt()

    def cause(self, work: str) -> Envelope | None:
        """Return the envelope of the last event that opened *work*; None if it is not open."""
        open_work = self._open.get(work)
        return None if open_work is None else open_work.cause

    def open_works(self) -> tuple[str, ...]:
        """Return the open works, in the order in which they were opened."""
        return tuple(self._open)

    @property
    def forgotten(self) -> bool:
        """Whether the stream has requests whose receipts are not in memory any more."""
        return self._forgotten_upto > 0

    @property
    def oldest_version(self) -> int:
        """The receipts from this version on are all in memory; older ones need a scan of the stream."""
        return self._forgotten_upto + 1

    # -- state snapshots ---------------------------------------------------------------------------
    def dump(self) -> bytes:
        """Return the fold as JSON, for `load`."""
        stored = _StoredReceipts(
            under_way=_stored(self._under_way),
            settled=_stored(self._settled),
            open={
                name: _StoredWork(cause=work.cause, waiters=tuple(work.waiters))
                for name, work in self._open.items()
            },
            forgotten_upto=self._forgotten_upto,
        )
        return stored.model_dump_json(by_alias=True).encode()

    @classmethod
    def load(cls, dumped: bytes) -> Self:
        """Restore the fold from `dump`; raises ValueError if *dumped* is not one."""
        stored, receipts = _StoredReceipts.model_validate_json(dumped), cls()
        receipts._under_way = {s.receipt.command_id: _restored(s) for s in stored.under_way}
        receipts._settled = {s.receipt.command_id: _restored(s) for s in stored.settled}
        receipts._forgotten_upto = stored.forgotten_upto
        for name, work in stored.open.items():
            receipts._open_work(name, work.cause)
            for command_id in work.waiters:
                receipts._wait(receipts._under_way[command_id], name)
        return receipts

    # -- inside ------------------------------------------------------------------------------------
    def _record_request(
        self, command_id: str, recorded: Recorded, opened: tuple[str, ...], joined: tuple[str, ...]
    ) -> None:
        request = self._take(command_id, recorded)
        for work in opened:
            self._open_work(work, recorded.envelope)
        for work in (*opened, *joined):
            if work in self._open:
                self._wait(request, work)
        request.works += opened + joined
        self._keep(request)

    def _take(self, command_id: str, recorded: Recorded) -> _Request:
        """Remove and return the request of *recorded*; create it with its first event."""
        existing = self._under_way.pop(command_id, None) or self._settled.pop(command_id, None)
        if existing is not None:
            return existing
        fingerprint = recorded.envelope.fingerprint
        return _Request(command_id, fingerprint, recorded.version, unrecorded=False)

    def _open_work(self, work: str, cause: Envelope) -> None:
        open_work = self._open.get(work)
        if open_work is None:
            self._open[work] = _Work(cause)
        else:
            open_work.cause = cause

    def _wait(self, request: _Request, work: str) -> None:
        request.open_works.add(work)
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
            request.open_works.discard(work)
            if request.reason is None:
                request.reason = failed
            if not request.open_works:
                del self._under_way[request.command_id]
                self._keep(request)

    def _keep(self, request: _Request) -> None:
        if request.open_works:
            self._under_way[request.command_id] = request
            return
        self._settled[request.command_id] = self._just_settled[request.command_id] = request
        if self._max_settled is not None and len(self._settled) > self._max_settled:
            oldest = self._settled.pop(next(iter(self._settled)))
            if not oldest.unrecorded:  # a scan of the stream would find it
                self._forgotten_upto = max(self._forgotten_upto, oldest.version)


def _stored(requests: dict[str, _Request]) -> tuple[_StoredRequest, ...]:
    return tuple(
        _StoredRequest(receipt=request.receipt(), unrecorded=request.unrecorded)
        for request in requests.values()
    )


def _restored(stored: _StoredRequest) -> _Request:
    receipt = stored.receipt
    request = _Request(receipt.command_id, receipt.fingerprint, receipt.version, stored.unrecorded)
    request.works, request.reason = receipt.works, receipt.reason
    return request
