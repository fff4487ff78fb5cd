"""Blocking driver calls in threads: bounded, with a deadline; results return to the loop in batches."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from share_actors.observability.tracing import in_a_span

logger = logging.getLogger(__name__)
Done = Callable[[Any], None]
"""Called on the loop with the call's result or exception, or with a `TimeoutError`."""

RAMP_S = 0.003
"""How long a call may wait for a thread before further threads are started, up to the limit."""
RAMP_STEP = 8
"""How many threads are started at a time: each takes the loop 0.2 ms, which answers others meanwhile."""
FAST_THREADS = 16
"""More threads than this are started only for slow calls: with fast ones, threads take turns at Python."""
SLOW_S = 0.02
"""A call that has run for so long is slow: its thread waits for the backend."""
RETRY_S = 1.0
"""How soon a thread that could not be started is tried again."""
IDLE_S = 30.0
"""Threads that were not needed for so long end."""


class NotBegun(Exception):
    """The process stops: the call waited for a thread and was never made."""


@dataclass(slots=True, eq=False)
class _Job:
    call: Callable[[], Any]
    done: Done
    timeout_s: float
    key: str
    number: int
    context: Context = field(default_factory=copy_context)
    """What the call is about: that of the code that submitted it."""
    started: float = 0.0
    expired: bool = False


@dataclass(slots=True, eq=False)
class _Worker:
    """A thread: it ends its call, or the loop gives the call up with it, whichever is first."""

    job: _Job | None = None
    abandoned: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def leave(self) -> None:
        """Note, in the thread, that its call has ended."""
        with self._lock:
            self.job = None

    def abandon(self, job: _Job) -> bool:
        """Give up *job* and the thread, on the loop; False if the call has ended meanwhile."""
        with self._lock:
            if self.job is not job:
                return False
            self.abandoned = job.expired = True
            return True


@dataclass(slots=True)
class _Queues:
    """What threads and loop share: two thread-safe queues, and whether a drain is due on the loop."""

    jobs: SimpleQueue[_Job | None] = field(default_factory=SimpleQueue)
    finished: deque[tuple[_Job, Any]] = field(default_factory=deque)
    drain_posted: bool = False


class DriverThreads:
    """At most *limit* calls at once; a call that outlives its deadline leaves its thread behind.

    The thread of such a call is abandoned (Python can't end it) and another takes its place; `hung`
    counts the abandoned threads that are still stuck, so that their host may be restarted.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit: int, name: str, idle_s: float = IDLE_S
    ) -> None:
        self._loop, self.limit, self._name, self._idle_s = loop, limit, name, idle_s
        self._queues = _Queues()
        self._workers: set[_Worker] = set()
        self._jobs: dict[str, _Job] = {}
        """The calls that have no result yet, by the keys they were submitted with."""
        self._outstanding = self._submitted = self._most = 0
        self.running = 0
        """Threads that run calls or wait for one; not those that were abandoned or told to end."""
        self._watching = self._ramping = self._trimming = self._withdrawn = False
        self.hung = 0

    @property
    def outstanding(self) -> int:
        """Calls that were submitted and have no result yet."""
        return self._outstanding

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread: as many as the limit run."""
        return self._queues.jobs.qsize()

    def place(self, key: str) -> int | None:
        """The place in line of the call with this *key*, from 1; None if it does not wait for a thread."""
        job = self._jobs.get(key)
        if job is None or job.started:
            return None
        return max(1, job.number - (self._submitted - self.waiting))

    def submit(self, call: Callable[[], Any], timeout_s: float, done: Done, key: str = "") -> None:
        """Run *call* in a thread; *done* gets its result or exception, on the loop."""
        self._outstanding += 1
        self._submitted += 1
        self._most = max(self._most, self._outstanding)
        job = self._jobs[key] = _Job(in_a_span(call), done, timeout_s, key, self._submitted)
        if self._withdrawn:
            self._loop.call_soon(self._settle, job, NotBegun())
            return
        self._queues.jobs.put(job)
        if not self.running:
            self._start()
        else:
            self._ramp_after(RAMP_S)
        if not self._watching:
            self._watching = True
            self._loop.call_later(min(1.0, timeout_s / 4), self._watch)

    def withdraw(self) -> None:
        """Begin no further call: those that wait, and those that are submitted later, get `NotBegun`."""
        self._withdrawn = True
        ends = 0
        with suppress(Empty):  # threads take from the queue meanwhile
            while True:
                job = self._queues.jobs.get_nowait()
                if job is None:
                    ends += 1
                else:
                    self._settle(job, NotBegun())
        for _ in range(ends):
            self._queues.jobs.put(None)

    def close(self) -> None:
        """Let idle threads end; one stuck in a driver is a daemon thread and ends with the process."""
        self._end(self.running)

    # -- the number of threads -------------------------------------------------------------------
    def _ramp_after(self, seconds: float) -> None:
        if not self._ramping and self.running < self.limit:
            self._ramping = True
            self._loop.call_later(seconds, self._ramp)

    def _ramp(self) -> None:
        """Start threads for the calls that still wait: a fast driver needs only a few."""
        self._ramping = False
        wanted = self._wanted()
        for _ in range(wanted):
            if not self._start():
                return
        if self.waiting:
            self._ramp_after(RAMP_S if wanted else SLOW_S)

    def _wanted(self) -> int:
        room = min(self.waiting, self.limit - self.running, RAMP_STEP)
        if self.running < FAST_THREADS:
            return min(room, FAST_THREADS - self.running)
        since = time.monotonic() - SLOW_S
        jobs = [worker.job for worker in list(self._workers)]
        return min(room, sum(job is not None and job.started < since for job in jobs))

    def _start(self) -> bool:
        """Start a thread; False if there are too many on this machine: that is tried again soon."""
        worker = _Worker()
        self._workers.add(worker)
        name = f"{self._name}-{self.running + 1}"
        try:
            threading.Thread(target=self._work, args=(worker,), name=name, daemon=True).start()
        except RuntimeError as error:
            self._workers.discard(worker)
            logger.warning("%s: %d driver calls wait: %s", self._name, self.waiting, error)
            self._ramp_after(RETRY_S)
            return False
        self.running += 1
        if not self._trimming:
            self._trimming = True
            self._loop.call_later(self._idle_s, self._trim)
        return True

    def _trim(self) -> None:
        """End the threads that were more than the most calls at once since the last time."""
        self._end(self.running - self._most)
        self._most = self._outstanding
        self._trimming = self.running > 0
        if self._trimming:
            self._loop.call_later(self._idle_s, self._trim)

    def _end(self, threads: int) -> None:
        for _ in range(threads):
            self.running -= 1
            self._queues.jobs.put(None)

    # -- in a thread -----------------------------------------------------------------------------
    def _work(self, worker: _Worker) -> None:
        while not worker.abandoned and (job := self._queues.jobs.get()) is not None:
            job.started = time.monotonic()
            worker.job = job
            try:
                result: Any = job.context.run(job.call)
            except BaseException as error:
                result = error
            worker.leave()
            self._finish(job, result)
            del job, result  # an idle thread keeps nothing of its last call
        self._workers.discard(worker)

    def _finish(self, job: _Job, result: Any) -> None:
        self._queues.finished.append((job, result))
        if not self._queues.drain_posted:
            self._queues.drain_posted = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                return  # the loop is closed: nothing waits for the result

    # -- results, on the loop --------------------------------------------------------------------
    def _drain(self) -> None:
        self._queues.drain_posted = (
            False  # before draining: a call that ends from now on posts again
        )
        while self._queues.finished:
            job, result = self._queues.finished.popleft()
            if job.expired:
                self.hung -= 1
            else:
                self._settle(job, result)

    def _settle(self, job: _Job, result: Any) -> None:
        self._outstanding -= 1
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
        try:
            job.context.copy().run(job.done, result)  # a call that hangs is still in its own
        except Exception:  # the results of other calls must not be lost with it
            logger.exception("could not process a driver call's result")

    # -- deadlines -------------------------------------------------------------------------------
    def _watch(self) -> None:
        now, shortest = time.monotonic(), 1.0
        for worker in list(self._workers):
            job = worker.job
            if job is not None and now - job.started > job.timeout_s:
                self._expire(worker, job)
            elif job is not None:
                shortest = min(shortest, job.timeout_s / 4)
        self._watching = self._outstanding > 0
        if self._watching:
            self._loop.call_later(shortest, self._watch)

    def _expire(self, worker: _Worker, job: _Job) -> None:
        if not worker.abandon(job):
            return  # its result comes with the next drain
        self._workers.discard(worker)
        self.running -= 1
        self.hung += 1
        if self.waiting and self.running < self.limit:
            self._start()  # a replacement
        self._settle(job, TimeoutError(f"no answer within {job.timeout_s:g} s"))
