"""Group commit: the appends of many entities, gathered while the last commit ran, in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from eventsourcing.persistence import (
    ApplicationRecorder,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StoredEvent,
)

from share_actors.errors import LogError
from share_actors.events.log.append_order import Append, AppendOrder, Conflict

_PAGE = 1_000


class GroupCommit:
    """One thread that writes, for any number of event loops that wait.

    `explain` says in words an operator can act on what a storage error means.
    """

    def __init__(self, recorder: ApplicationRecorder, explain: Callable[[Exception], str]) -> None:
        self._recorder, self._explain = recorder, explain
        self._order = AppendOrder(recorder)
        self._seen = recorder.max_notification_id() or 0
        self._lock, self._closed = Lock(), False
        self._gathered: list[Append] = []
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._queue: SimpleQueue[list[Append] | None] = SimpleQueue()
        self._delivered = 0
        self._thread = Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    # -- on the event loop -------------------------------------------------------------------------
    def submit(
        self, stream: str, expected: int, rows: Sequence[StoredEvent]
    ) -> asyncio.Future[Sequence[int]]:
        """Queue *rows*; the future gives their positions, or raises `Conflict` or `LogError`."""
        loop = asyncio.get_running_loop()
        append = Append(stream, expected, rows, loop.create_future(), self._delivered)
        with self._lock:
            if self._closed:
                raise LogError("the log is closed; nothing was recorded")
            first = not self._gathered or self._gathering is not loop
            self._gathered.append(append)
            self._gathering = loop
        if first:  # what else this turn of the loop appends goes along, and wakes the writer once
            loop.call_soon(self._hand_over)
        return append.future

    def _hand_over(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _settle(self, appends: Sequence[Append], batch: int) -> None:
        self._delivered = max(self._delivered, batch)
        for append in appends:
            if append.future.done():
                continue  # its caller was cancelled; what is recorded stays
            if isinstance(append.outcome, Exception):
                append.future.set_exception(append.outcome)
            else:
                append.future.set_result(append.outcome or ())

    def close(self) -> None:
        """Write what was submitted, then stop."""
        with self._lock:
            self._closed = True
        self._hand_over()
        self._queue.put(None)
        self._thread.join()

    # -- on the writer's thread --------------------------------------------------------------------
    def _run(self) -> None:
        more = True
        while more:
            batch: list[Append] = []
            more = self._take(batch)
            if batch:
                self._write(batch)

    def _take(self, batch: list[Append]) -> bool:
        """Wait for appends and put all that wait into *batch*; False when there will be no more."""
        taken = self._queue.get()
        while taken is not None:
            batch += taken
            try:
                taken = self._queue.get_nowait()
            except Empty:
                return True
        return False

    def _write(self, batch: Sequence[Append]) -> None:
        number = self._order.next_batch(batch[0].informed)
        try:
            self._commit(batch)
        except Exception as error:  # whatever this is, the thread and those who wait must go on
            self._in_doubt([append for append in batch if append.outcome is None], error)
        by_loop: dict[asyncio.AbstractEventLoop, list[Append]] = {}
        for append in batch:
            by_loop.setdefault(append.future.get_loop(), []).append(append)
        for loop, appends in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._settle, appends, number)

    def _commit(self, batch: Sequence[Append], *, again: bool = False) -> None:
        """Record *batch* in one transaction; halve it on conflict until the guilty stands alone."""
        fit = self._order.admit(batch)
        if not fit:
            return
        try:
            ids = self._recorder.insert_events([row for append in fit for row in append.rows])
        except (IntegrityError, DataError) as error:
            if len(fit) == 1:
                self._conflict(fit[0], error)
                return
            self._commit(fit[: len(fit) // 2])
            self._commit(fit[len(fit) // 2 :])
        except Exception as error:
            self._broken(fit, error, last=again or not _cut_off(error))
        else:
            self._recorded(fit, ids or ())

    def _recorded(self, appends: Sequence[Append], ids: Sequence[int]) -> None:
        start = 0
        for append in appends:
            end = start + len(append.rows)
            self._order.recorded(append, ids[start:end])
            start = end
        self._seen = max((self._seen, *ids))

    # -- when a commit fails -----------------------------------------------------------------------
    def _conflict(self, append: Append, error: Exception) -> None:
        """A commit whose answer was lost and that was made again finds its own rows: a success."""
        if isinstance(error, DataError):
            self._refuse([append], error)
        elif self._landed(append):
            self._recorded([append], self._positions([append]))
        else:
            reason = f"{append.stream}: version {append.expected + 1} was written by another"
            self._order.failed(append, Conflict(reason))

    def _broken(self, appends: Sequence[Append], error: Exception, *, last: bool) -> None:
        """The storage failed. One transaction: if one is there, all are; only then is it a success.

        Else it is made once more unless this was the *last*: should the first have landed after all by
        then, the second meets its own rows.
        """
        try:
            landed = self._landed(appends[0])
        except Exception as unreadable:
            self._in_doubt(appends, unreadable)
            return
        if landed:
            self._recorded(appends, self._positions(appends))
        elif last:
            self._refuse(appends, error)
        else:
            self._commit(appends, again=True)

    def _refuse(self, appends: Sequence[Append], error: Exception) -> None:
        for append in appends:
            self._order.failed(append, LogError(f"{self._explain(error)}; nothing was recorded"))

    def _in_doubt(self, appends: Sequence[Append], error: Exception) -> None:
        reason = (
            f"{self._explain(error)}; whether the events were recorded cannot be told now:"
            " ask again with the same command id"
        )
        for append in appends:
            self._order.failed(append, LogError(reason))

    def _landed(self, append: Append) -> bool:
        """Whether the stream holds these very rows (each has its event's id in it)."""
        found = self._recorder.select_events(append.stream, gt=append.expected, lte=append.last)
        return list(found) == list(append.rows)

    def _positions(self, appends: Sequence[Append]) -> list[int]:
        """Where the rows of *appends* are; they came after what this writer last recorded."""
        keys = [(row.originator_id, row.originator_version) for a in appends for row in a.rows]
        found: dict[tuple[object, int], int] = {}
        start, wanted = self._seen, set(keys)
        while wanted - found.keys():
            page = self._recorder.select_notifications(start, _PAGE, inclusive_of_start=False)
            found |= {(n.originator_id, n.originator_version): n.id for n in page}
            start = page[-1].id
        return [found[key] for key in keys]


def _cut_off(error: Exception) -> bool:
    """Whether the connection to the server was lost: the next one is made anew, and may be well."""
    return isinstance(error, InterfaceError | OperationalError) and "connection" in str(error)
