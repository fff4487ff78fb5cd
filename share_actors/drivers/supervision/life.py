"""One life of a unit: its parts started in order, and watched until the first of them ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

from share_actors.drivers.supervision import processes
from share_actors.drivers.supervision.files import UnitFiles
from share_actors.drivers.supervision.plan import Heartbeat, Plan
from share_actors.drivers.supervision.probes import OfferHeartbeat, listens_at, require_free
from share_actors.drivers.supervision.specs import PartSpec
from share_actors.drivers.supervision.status import log_end, shorten_log

_POLL_S = 0.005
_TICK_S = 1.0
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


class StopAsked(Exception):
    """The supervisor was asked to stop."""


class Ended(Exception):
    """The unit serves no more, or cannot start."""


class Stops:
    """The signals that ask this process to stop; they interrupt its waiting."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._asked = False
        for number in _STOPS:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait(self, seconds: float, others: Sequence[int] = ()) -> None:
        """Wait for a signal, for one of the descriptors *others*, at most for *seconds*.

        Raises `StopAsked` after a signal, however long ago.
        """
        poll = select.poll()
        for fd in (self._reading, *others):
            poll.register(fd, select.POLLIN)
        if not self._asked:
            poll.poll(seconds * 1000)
        if self._asked:
            raise StopAsked

    def _note(self, *_: object) -> None:
        self._asked = True


class Part:
    """A daemon that was started, or taken over from an earlier supervisor."""

    def __init__(self, spec: PartSpec, pid: int, popen: subprocess.Popen[bytes] | None) -> None:
        self.spec, self._popen = spec, popen
        self.fd = os.pidfd_open(pid)
        """Becomes readable at the exit of the process."""

    @property
    def how_it_ended(self) -> str | None:
        """How the process ended; None if it runs."""
        if not select.select([self.fd], [], [], 0)[0]:
            return None
        if self._popen is None:
            return f"{self.spec.name} ended"
        return f"{self.spec.name} ended with status {self._popen.wait()}"

    def release(self) -> None:
        """Forget the process, which has ended."""
        os.close(self.fd)
        if self._popen is not None:
            self._popen.wait()


class Life:
    """One life of the unit of *plan*; *serving* is called when it serves."""

    def __init__(self, plan: Plan, stops: Stops, serving: Callable[[], None]) -> None:
        self._plan, self._spec, self._files = plan, plan.spec, UnitFiles(plan.directory)
        self._stops, self._serving = stops, serving
        self._parts: list[Part] = []
        self._log_starts: dict[Path, int] = {}
        self._hangs = False
        self.served = False

    def run(self, *, may_take_over: bool) -> None:
        """Start the parts, or go on with those of an earlier supervisor, and watch them.

        Raises `StopAsked` after a signal, `Ended` or `OSError` once a part cannot start or has ended.
        """
        if not (may_take_over and self._spec.outlives_supervisor and self._take_over()):
            end_parts(self._files, self._spec.parts)
            self._start()
        self.served = True
        self._serving()
        self._watch()

    def end(self) -> None:
        """End all parts, the last first, and wait for their exits. Raises `OSError`."""
        for part in reversed(self._parts):
            earlier = self._parts[: self._parts.index(part)]
            is_lost = self._hangs or any(each.how_it_ended for each in earlier)
            patience_s = part.spec.patience_s if self.served and not is_lost else 0.0
            processes.end(self._files.pid(part.spec.name), part.spec.marker, patience_s)
            part.release()
        self._parts.clear()

    def _take_over(self) -> bool:
        """Go on with the parts of an earlier supervisor; returns False if one has ended or none answers."""
        for spec in self._spec.parts:
            process = processes.recorded(self._files.pid(spec.name))
            try:
                if process is not None:
                    self._parts.append(Part(spec, process.pid, None))
            except ProcessLookupError:
                break
        if len(self._parts) == len(self._spec.parts) and self._answers():
            return True
        for part in self._parts:
            os.close(part.fd)
        self._parts.clear()
        return False

    def _answers(self) -> bool:
        """Whether the parts, which this supervisor did not start, answer an offer: they may hang."""
        spec = self._spec
        limit = min(spec.heartbeat_limit_s, spec.start_s / 2)  # the rest is for a new start
        heartbeat = OfferHeartbeat(*spec.listen, spec.protocol, pause=limit, limit=limit)
        end = time.monotonic() + limit
        with suppress(Ended), closing(heartbeat):
            while time.monotonic() < end:
                heartbeat.is_late()
                if heartbeat.has_answered:
                    return True
                self._wait(_POLL_S)
        return False

    def _start(self) -> None:
        logs = (self._files.outputs, *map(Path, self._spec.logs))
        self._log_starts = {path: shorten_log(path) for path in logs}
        require_free(*self._spec.listen)
        self._plan.prepare()
        for spec in self._spec.parts:
            self._start_part(spec)

    def _start_part(self, spec: PartSpec) -> None:
        created = None if spec.creates is None else Path(spec.creates)
        if created is not None:
            created.unlink(missing_ok=True)
        path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
        popen = processes.spawn(
            spec.command,
            self._files.pid(spec.name),
            self._files.outputs,
            {"PATH": path, **spec.environment},
            ends_with_parent=not self._spec.outlives_supervisor,
        )
        self._parts.append(Part(spec, popen.pid, popen))
        if created is not None:
            self._until(partial(listens_at, created), spec)
        if spec is self._spec.main:
            self._until(self._plan.serves, spec)

    def _watch(self) -> None:
        with ExitStack() as stack:
            beats: list[Heartbeat] = [
                stack.enter_context(closing(each)) for each in self._plan.heartbeats()
            ]
            while True:
                self._wait(min(_TICK_S, self._spec.heartbeat_limit_s / 4))
                self._plan.look_ahead()
                if any(beat.is_late() for beat in beats):
                    self._hangs = True
                    limit = self._spec.heartbeat_limit_s
                    raise Ended(f"{self._spec.main.name} did not answer for {limit:g} s")

    def _until(self, condition: Callable[[], bool], spec: PartSpec) -> None:
        """Wait until *condition* holds; raises `Ended` if a part ends before, or it takes too long."""
        end = time.monotonic() + spec.start_s
        while not condition():
            if time.monotonic() > end:
                text = f"{spec.name} did not start within {spec.start_s:.0f} s"
                raise Ended(f"{text}: {self._told()}")
            self._wait(_POLL_S)

    def _wait(self, seconds: float) -> None:
        """Wait at most for *seconds*; raises once the unit shall stop or a part has ended."""
        self._stops.wait(seconds, [part.fd for part in self._parts])
        for part in self._parts:
            if (how := part.how_it_ended) is not None:
                raise Ended(f"{how}: {self._told()}")

    def _told(self) -> str:
        """The ends of the logs of this life."""
        texts = (log_end(path, start) for path, start in self._log_starts.items())
        return "\n".join(filter(None, texts)) or "its log is empty"


def end_parts(files: UnitFiles, parts: Sequence[PartSpec]) -> None:
    """End all processes of *parts*, and wait for their exits. Raises `OSError`."""
    for spec in reversed(parts):
        processes.end(files.pid(spec.name), spec.marker)
