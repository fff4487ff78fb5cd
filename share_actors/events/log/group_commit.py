"""Group commit: one transaction writes all appends that were submitted during the previous commit."""

from __future__ import annotations

import asyncio
import contextlib
import time
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

from share_actors.errors import NOT_RECORDED, LogError, LogInDoubt
from share_actors.events.log.append_order import Append, AppendOrder, Conflict, Settled
from share_actors.observability.counts import Timer

_PAGE_SIZE = 1_000


class GroupCommit:
    """One writer thread, from the first append on, for the appends of any number of event loops.

    `explain` turns a storage error into a message for the operator.
    """

    def __init__(self, recorder: ApplicationRecorder, explain: Callable[[Exception], str]) -> None:
        self._recorder, self._explain = recorder, explain
        self._order = AppendOrder(recorder)
        self.before_commit: Callable[[], None] = lambda: None
        """Called by the writer thread before each commit; raises `LogError` if it may not write."""
        self._last_position = recorder.max_notification_id() or 0
        self._lock, self._closed = Lock(), False
        self._gathered: list[Append] = []
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._queue: SimpleQueue[list[Append] | None] = SimpleQueue()
        self._delivered = 0
        self._thread: Thread | None = None
        self.times = Timer()
        """How long each transaction took."""

    # -- on the event loop -------------------------------------------------------------------------
    def submit(
        self, stream: str, expected: int, rows: Sequence[StoredEvent], settled: Settled
    ) -> None:
        """Queue *rows*; *settled* gets their positions, or a `Conflict` or `LogError`, on this loop.

        All that one commit settles is delivered in one callback of the loop.
        """
        loop = asyncio.get_running_loop()
        append = Append(stream, expected, rows, settled, loop, self._delivered)
        with self._lock:
            if self._closed:
                raise LogError(f"the log is closed{NOT_RECORDED}")
            first = not self._gathered or self._gathering is not loop
            self._gathered.append(append)
            self._gathering = loop
        if first:  # all appends of this turn of the loop form one batch and wake the writer once
            loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, []
            if gathered and self._thread is None:
                self._thread = Thread(target=self._run, name="log-writer", daemon=True)
                self._thread.start()
        if gathered:
            self._queue.put(gathered)

    def _settle(self, appends: Sequence[Append], batch: int) -> None:
        self._delivered = max(self._delivered, batch)
        for append in appends:
            append.settled(() if append.outcome is None else append.outcome)

    def close(self) -> None:
        """Write all submitted appends, then stop."""
        with self._lock:
            self._closed = True
        self._hand_over()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    # -- on the writer's thread --------------------------------------------------------------------
    def _run(self) -> None:
        is_open = True
        while is_open:
            batch: list[Append] = []
            is_open = self._take(batch)
            if batch:
                self._write(batch)

    def _take(self, batch: list[Append]) -> bool:
        """Wait for appends and move all of them to *batch*; return False once the queue is closed."""
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
        except Exception as error:  # the thread must survive, and the callers must get an error
            self._fail_in_doubt([append for append in batch if append.outcome is None], error)
        by_loop: dict[asyncio.AbstractEventLoop, list[Append]] = {}
        for append in batch:
            by_loop.setdefault(append.loop, []).append(append)
        for loop, appends in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: no caller is waiting
                loop.call_soon_threadsafe(self._settle, appends, number)

    def _commit(self, batch: Sequence[Append], *, repeated: bool = False) -> None:
        """Write *batch* in one transaction; on conflict halve it until the conflicting append is alone."""
        admitted = self._order.admit(batch)
        if not admitted:
            return
        try:
            self.before_commit()
            began = time.perf_counter()
            ids = self._recorder.insert_events([row for append in admitted for row in append.rows])
            self.times.add(time.perf_counter() - began)
        except (IntegrityError, DataError) as error:
            if len(admitted) == 1:
                self._resolve_conflict(admitted[0], error)
                return
            self._commit(admitted[: len(admitted) // 2])
            self._commit(admitted[len(admitted) // 2 :])
        except LogError as error:
            self._refuse(admitted, error)
        except Exception as error:
            final = repeated or not _is_connection_lost(error)
            self._resolve_failure(admitted, error, final=final)
        else:
            self._record(admitted, ids or ())

    def _record(self, appends: Sequence[Append], ids: Sequence[int]) -> None:
        start = 0
        for append in appends:
            end = start + len(append.rows)
            self._order.recorded(append, ids[start:end])
            start = end
        self._last_position = max((self._last_position, *ids))

    # -- when a commit fails -----------------------------------------------------------------------
    def _resolve_conflict(self, append: Append, error: Exception) -> None:
        """Fail *append*, unless its rows are already there from a commit whose reply was lost."""
        if isinstance(error, DataError):
            self._fail([append], error)
        elif self._is_recorded(append):
            self._record([append], self._positions([append]))
        else:
            self._conflict(append)

    def _conflict(self, append: Append) -> None:
        reason = f"{append.stream}: version {append.expected + 1} was written by another activation"
        self._order.failed(append, Conflict(reason))

    def _resolve_failure(self, appends: Sequence[Append], error: Exception, *, final: bool) -> None:
        """Handle a storage error: a success if the transaction was committed nevertheless.

        Otherwise the commit is repeated, unless this attempt is *final*. What is read is final as well:
        the recorder first ends a session whose commit may still take effect. If nothing can be read, the
        outcome is unknown.
        """
        try:
            recorded = self._is_recorded(appends[0])
        except Exception as unreadable:
            self._fail_in_doubt(appends, unreadable)
            return
        if recorded:
            self._record(appends, self._positions(appends))
        elif final:
            for append in appends:
                self._fail_or_conflict(append, error)
        else:
            self._commit(appends, repeated=True)

    def _fail_or_conflict(self, append: Append, error: Exception) -> None:
        """Fail *append*, whose sender would not know of events that another activation has written."""
        if self._recorder.select_events(append.stream, gt=append.expected, limit=1):
            self._conflict(append)
        else:
            self._fail([append], error)

    def _fail(self, appends: Sequence[Append], error: Exception) -> None:
        for append in appends:
            self._order.failed(append, LogError(f"{self._explain(error)}{NOT_RECORDED}"))

    def _refuse(self, appends: Sequence[Append], error: LogError) -> None:
        refusal = LogError(error.message, field=error.field, value=error.value, **error.details)
        for append in appends:
            self._order.failed(append, refusal)

    def _fail_in_doubt(self, appends: Sequence[Append], error: Exception) -> None:
        reason = f"{self._explain(error)}; it is unknown whether the events were recorded"
        for append in appends:
            self._order.failed(append, LogInDoubt(reason))

    def _is_recorded(self, append: Append) -> bool:
        """Return whether the stream has exactly these rows (each contains its event's id)."""
        stored = self._recorder.select_events(append.stream, gt=append.expected, lte=append.last)
        return list(stored) == list(append.rows)

    def _positions(self, appends: Sequence[Append]) -> list[int]:
        """Return the positions of the rows of *appends*, which follow this writer's last recorded row."""
        keys = [(row.originator_id, row.originator_version) for a in appends for row in a.rows]
        positions: dict[tuple[object, int], int] = {}
        start, missing = self._last_position, set(keys)
        while missing - positions.keys():
            page = self._recorder.select_notifications(start, _PAGE_SIZE, inclusive_of_start=False)
            positions |= {(n.originator_id, n.originator_version): n.id for n in page}
            start = page[-1].id
        return [positions[key] for key in keys]


def _is_connection_lost(error: Exception) -> bool:
    """Return whether the connection to the server was lost, so that a new one may succeed."""
    return isinstance(error, InterfaceError | OperationalError) and "connection" in str(error)
