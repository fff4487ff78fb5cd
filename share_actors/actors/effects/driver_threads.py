"""Blocking driver calls in threads: bounded, with a deadline; results return to the loop in batches."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger(__name__)
Done = Callable[[Any], None]
"""Called on the loop with the call's result or exception, or with a `TimeoutError`."""

RAMP_S = 0.003
"""How long a call may wait for a thread before another thread is started, up to the limit."""


@dataclass(slots=True, eq=False)
class _Job:
    call: Callable[[], Any]
    done: Done
    timeout_s: float
    started: float = 0.0
    expired: bool = False


@dataclass(slots=True, eq=False)
class _Worker:
    job: _Job | None = None
    abandoned: bool = False


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

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int, name: str) -> None:
        self._loop, self._limit, self._name = loop, limit, name
        self._queues = _Queues()
        self._workers: set[_Worker] = set()
        self._outstanding = 0
        self._watching = self._ramping = False
        self.hung = 0

    @property
    def outstanding(self) -> int:
        """Calls that were submitted and have no result yet."""
        return self._outstanding

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread: as many as the limit run."""
        return self._queues.jobs.qsize()

    def submit(self, call: Callable[[], Any], timeout_s: float, done: Done) -> None:
        """Run *call* in a thread; *done* gets its result or exception, on the loop."""
        self._outstanding += 1
        self._queues.jobs.put(_Job(call, done, timeout_s))
        if not self._workers:
            self._start()
        elif not self._ramping and len(self._workers) < self._limit:
            self._ramping = True
            self._loop.call_later(RAMP_S, self._ramp)
        if not self._watching:
            self._watching = True
            self._loop.call_later(min(1.0, timeout_s / 4), self._watch)

    def _ramp(self) -> None:
        """Start threads for the calls that still wait: a fast driver needs only one thread."""
        self._ramping = False
        room = self._limit - len(self._workers)
        for _ in range(min(self._queues.jobs.qsize(), room)):
            self._start()

    def close(self) -> None:
        """Let idle threads end; one stuck in a driver is a daemon thread and ends with the process."""
        for _ in self._workers:
            self._queues.jobs.put(None)
        self._workers.clear()

    def _start(self) -> None:
        worker = _Worker()
        self._workers.add(worker)
        name = f"{self._name}-{len(self._workers)}"
        threading.Thread(target=self._work, args=(worker,), name=name, daemon=True).start()

    def _work(self, worker: _Worker) -> None:
        while not worker.abandoned and (job := self._queues.jobs.get()) is not None:
            job.started = time.monotonic()
            worker.job = job
            try:
                result: Any = job.call()
            except BaseException as error:
                result = error
            worker.job = None
            self._finish(job, result)

    def _finish(self, job: _Job, result: Any) -> None:
        self._queues.finished.append((job, result))
        if not self._queues.drain_posted:
            self._queues.drain_posted = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                return  # the loop is closed: nothing waits for the result

    def _drain(self) -> None:
        self._queues.drain_posted = (
            False  # before draining: a call that ends from now on posts again
        )
        while self._queues.finished:
            job, result = self._queues.finished.popleft()
            if job.expired:
                self.hung -= 1
                continue
            self._outstanding -= 1
            _deliver(job, result)

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
        worker.abandoned, job.expired = True, True
        self._workers.discard(worker)
        self.hung += 1
        self._outstanding -= 1
        if self._outstanding > 0:
            self._start()  # a replacement
        _deliver(job, TimeoutError(f"no answer within {job.timeout_s:g} s"))


def _deliver(job: _Job, result: Any) -> None:
    try:
        job.done(result)
    except Exception:  # the results of other calls must not be lost with it
        logger.exception("could not process a driver call's result")
