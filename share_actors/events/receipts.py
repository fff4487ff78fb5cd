"""Receipts: the status of each request of a stream, so that a repeated request gets the same reply.

A mutable fold beside an entity's state; it gets the same events in the same order, live and on replay.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field

from share_actors.events.decider import Settled
from share_actors.events.envelope import Envelope, Recorded
from share_actors.values import Frozen

MAX_SETTLED = 128
"""How many receipts of ended requests a stream keeps in memory; those in progress are all kept."""


Key = tuple[str, str]
"""What identifies a request: the project that sent it, and the command id, which is the project's own."""


class RecordedRequest(NamedTuple):
    """The status of one request; *version* is that of its first event, *works* are those it requested."""

    command_id: str
    fingerprint: str | None
    version: int
    status: Literal["accepted", "done", "failed"]
    reason: str | None = None
    works: tuple[str, ...] = ()
    project_id: str = ""

    @property
    def key(self) -> Key:
        """The key of the request."""
        return self.project_id, self.command_id


class _Request:
    """A request in memory; *open_works* are those of its works that have not ended.

    *unrecorded*: the requested state held already, so the stream has no event of the request.
    """

    __slots__ = (
        "fingerprint",
        "key",
        "open_works",
        "reason",
        "unrecorded",
        "version",
        "works",
    )

    def __init__(self, key: Key, fingerprint: str | None, version: int, unrecorded: bool) -> None:
        self.key, self.fingerprint, self.version = key, fingerprint, version
        self.unrecorded = unrecorded
        self.works: tuple[str, ...] = ()
        self.open_works: set[str] = set()
        self.reason: str | None = None

    def receipt(self) -> RecordedRequest:
        result: Literal["done", "failed"] = "done" if self.reason is None else "failed"
        status = "accepted" if self.open_works else result
        project_id, command_id = self.key
        return RecordedRequest(
            command_id, self.fingerprint, self.version, status, self.reason, self.works, project_id
        )


class _Work:
    """An open work: the envelope of the last event that opened it, and the requests that wait for it."""

    __slots__ = ("cause", "waiters")

    def __init__(self, cause: Envelope) -> None:
        self.cause = cause
        self.waiters: dict[Key, _Request] = {}


class _StoredRequest(Frozen):
    model_config = ConfigDict(populate_by_name=True)

    receipt: RecordedRequest
    unrecorded: Annotated[bool, Field(alias="joined")]
    """`joined` is its name in state snapshots."""


class _StoredWork(Frozen):
    cause: Envelope
    waiters: tuple[Key, ...]


class _StoredReceipts(Frozen):
    """The whole fold, as it is stored in a state snapshot.

    *identified_by* is missing in those of earlier versions, which have no projects: they cannot be loaded.
    """

    identified_by: Literal["project and command id"]
    under_way: tuple[_StoredRequest, ...]
    settled: tuple[_StoredRequest, ...]
    open: dict[str, _StoredWork]
    forgotten_upto: int


class Receipts:
    """The receipts of one stream: all in progress, and the last *keep* that ended (None: all)."""

    def __init__(self, keep: int | None = MAX_SETTLED) -> None:
        self._max_settled = keep
        self._under_way: dict[Key, _Request] = {}
        self._settled: dict[Key, _Request] = {}
        self._open: dict[str, _Work] = {}
        self._forgotten_upto = 0
        self._just_settled: dict[Key, _Request] = {}

    # -- recording ---------------------------------------------------------------------------------
    def record(self, recorded: Recorded) -> None:
        """Add the next event of the stream."""
        event, envelope = recorded.event, recorded.envelope
        for settled in event.settles():
            self._settle(settled)
        opened = event.opens()
        if envelope.command_id is not None:
            key = (envelope.project_id, envelope.command_id)
            self._record_request(key, recorded, opened, event.awaits())
            return
        for work in opened:
            self._open_work(work, envelope)

    def record_without_events(
        self,
        command_id: str,
        fingerprint: str | None,
        work: str | None,
        version: int,
        project_id: str = "",
    ) -> RecordedRequest:
        """Add a request without events, since its *work* was done before, and return its receipt."""
        existing = self.get(command_id, project_id)
        if existing is not None:
            return existing
        request = _Request((project_id, command_id), fingerprint, version, unrecorded=True)
        if work is not None:
            request.works = (work,)
        self._keep(request)
        return request.receipt()

    def take_settled(self) -> dict[Key, RecordedRequest]:
        """The receipts of the requests that ended since the last call, however many there are."""
        settled, self._just_settled = self._just_settled, {}
        return {key: request.receipt() for key, request in settled.items()}

    # -- queries -----------------------------------------------------------------------------------
    def get(self, command_id: str, project_id: str | None = None) -> RecordedRequest | None:
        """Return the receipt of a request; None if there is none in memory (see `forgotten`).

        Without *project_id*, of any project: the first that used this id.
        """
        if project_id is None:
            return self._of_any_project(command_id)
        key = (project_id, command_id)
        request = self._under_way.get(key) or self._settled.get(key)
        return None if request is None else request.receipt()

    def _of_any_project(self, command_id: str) -> RecordedRequest | None:
        for requests in (self._under_way, self._settled):
            for key, request in requests.items():
                if key[1] == command_id:
                    return request.receipt()
        return None

    def cause(self, work: str) -> Envelope | None:
        """Return the envelope of the last event that opened *work*; None if it is not open."""
        open_work = self._open.get(work)
        return None if open_work is None else open_work.cause

    def open_works(self) -> tuple[str, ...]:
        """Return the open works, in the order in which they were opened."""
        return tuple(self._open)

    @property
    def is_pending(self) -> bool:
        """Whether any work is open."""
        return bool(self._open)

    @property
    def pending_since(self) -> datetime | None:
        """When the oldest of the open works was requested; None if there is none."""
        return min((work.cause.at for work in self._open.values()), default=None)

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
            identified_by="project and command id",
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
        receipts._under_way = {s.receipt.key: _restored(s) for s in stored.under_way}
        receipts._settled = {s.receipt.key: _restored(s) for s in stored.settled}
        receipts._forgotten_upto = stored.forgotten_upto
        for name, work in stored.open.items():
            receipts._open_work(name, work.cause)
            for key in work.waiters:
                receipts._wait(receipts._under_way[key], name)
        return receipts

    # -- inside ------------------------------------------------------------------------------------
    def _record_request(
        self, key: Key, recorded: Recorded, opened: tuple[str, ...], joined: tuple[str, ...]
    ) -> None:
        request = self._take(key, recorded)
        for work in opened:
            self._open_work(work, recorded.envelope)
        for work in (*opened, *joined):
            if work in self._open:
                self._wait(request, work)
        request.works += opened + joined
        self._keep(request)

    def _take(self, key: Key, recorded: Recorded) -> _Request:
        """Remove and return the request of *recorded*; create it with its first event."""
        existing = self._under_way.pop(key, None) or self._settled.pop(key, None)
        if existing is not None:
            return existing
        fingerprint = recorded.envelope.fingerprint
        return _Request(key, fingerprint, recorded.version, unrecorded=False)

    def _open_work(self, work: str, cause: Envelope) -> None:
        open_work = self._open.get(work)
        if open_work is None:
            self._open[work] = _Work(cause)
        else:
            open_work.cause = cause

    def _wait(self, request: _Request, work: str) -> None:
        request.open_works.add(work)
        self._open[work].waiters[request.key] = request

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
                del self._under_way[request.key]
                self._keep(request)

    def _keep(self, request: _Request) -> None:
        if request.open_works:
            self._under_way[request.key] = request
            return
        self._settled[request.key] = self._just_settled[request.key] = request
        if self._max_settled is not None and len(self._settled) > self._max_settled:
            oldest = self._settled.pop(next(iter(self._settled)))
            if not oldest.unrecorded:  # a scan of the stream would find it
                self._forgotten_upto = max(self._forgotten_upto, oldest.version)


def _stored(requests: dict[Key, _Request]) -> tuple[_StoredRequest, ...]:
    return tuple(
        _StoredRequest(receipt=request.receipt(), unrecorded=request.unrecorded)
        for request in requests.values()
    )


def _restored(stored: _StoredRequest) -> _Request:
    receipt = stored.receipt
    request = _Request(receipt.key, receipt.fingerprint, receipt.version, stored.unrecorded)
    request.works, request.reason = receipt.works, receipt.reason
    return request
