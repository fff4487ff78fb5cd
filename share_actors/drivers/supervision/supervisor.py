"""The program that keeps one unit running: `python -m share_actors.drivers.supervision.supervisor DIRECTORY`.

Further arguments are the numbers of open files: the locks of the caller, kept until the supervisor is
recorded, so that a later call finds what a killed one has started.

It reads DIRECTORY/unit.json (`specs.UnitSpec`) and writes DIRECTORY/status.json. It outlives the process that
starts it. One runs for each directory: it holds a lock of DIRECTORY/supervisor.lock. When one part ends, or
the unit answers no more, all parts are started anew. SIGTERM ends them all, then the supervisor.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from share_actors.drivers.supervision import processes
from share_actors.drivers.supervision.files import UnitFiles
from share_actors.drivers.supervision.life import Ended, Life, StopAsked, Stops, end_parts
from share_actors.drivers.supervision.plan import Plan, plan_of
from share_actors.drivers.supervision.specs import UnitSpec
from share_actors.drivers.supervision.status import PAUSING, SERVING, STARTING, Status, write_status

logger = logging.getLogger(__name__)
HEALTHY_S = 10.0
"""A unit that served this long, in seconds, is started again without a pause."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_IF_SERVED_S, _LONGEST_PAUSE_S = 0.1, 0.4, 5.0
LOCK_S = 10.0
"""How long an earlier supervisor of the directory has to end."""
LOCKED = 3
"""The exit status if it does not."""
_POLL_S = 0.01


def pause_after(short_lives: int, *, served: bool) -> float:
    """The pause before the next start, in seconds, after so many short lives in succession.

    *served*: whether the last life served; then a start is likely to help, and the pause stays short.
    """
    if short_lives < 2:
        return 0.0
    longest = _LONGEST_PAUSE_IF_SERVED_S if served else _LONGEST_PAUSE_S
    return float(min(_FIRST_PAUSE_S * 2 ** (min(short_lives, 20) - 2), longest))


class Supervisor:
    """Starts the unit of *plan* again and again until it is asked to stop."""

    def __init__(self, plan: Plan, stops: Stops) -> None:
        self._plan, self._stops = plan, stops
        self._files = UnitFiles(plan.directory)
        self._status = Status(STARTING)
        self._short_lives = 0

    def run(self) -> None:
        """Run the unit until a signal asks to stop."""
        is_first = True
        while True:
            self._tell(replace(self._status, state=STARTING))
            served = self._live(may_take_over=is_first)
            is_first = False
            self._stops.wait(pause_after(self._short_lives, served=served))

    def _live(self, *, may_take_over: bool) -> bool:
        """Run one life to its end; returns whether it served."""
        began = time.monotonic()
        life = Life(self._plan, self._stops, self._serving)
        try:
            life.run(may_take_over=may_take_over)
        except StopAsked:
            raise
        except Exception as error:
            is_known = isinstance(error, OSError | Ended)
            text = "the unit %s ended: %s"
            logger.warning(text, self._files.directory, error, exc_info=not is_known)
            self._ended(str(error) or repr(error), life.served, time.monotonic() - began)
        finally:
            life.end()
        return life.served

    def _serving(self) -> None:
        self._tell(replace(self._status, state=SERVING, failures=0))

    def _ended(self, reason: str, served: bool, seconds: float) -> None:
        self._short_lives = 1 if served and seconds > HEALTHY_S else self._short_lives + 1
        failures = 0 if served else self._status.failures + 1
        self._tell(Status(PAUSING, failures, self._status.restarts + 1, reason))

    def _tell(self, status: Status) -> None:
        self._status = status
        write_status(self._files.status, status)


def supervise(directory: Path, recorded: Callable[[], None] = lambda: None) -> None:
    """Supervise the unit in *directory* until a signal asks to stop; the caller has its lock.

    *recorded* is called once this process is recorded.
    """
    files, stops = UnitFiles(directory), Stops()
    processes.record_self(files.supervisor)
    recorded()
    spec = UnitSpec.from_json(files.spec.read_bytes())
    try:
        if spec.network_namespace is not None:
            processes.enter_network(spec.network_namespace)
        plan = plan_of(directory, spec)
        plan.enter()
        Supervisor(plan, stops).run()
    except StopAsked:
        end_parts(files, spec.parts)
    except Exception as error:
        logger.exception("the supervisor ends")
        write_status(files.status, Status(PAUSING, failures=1, reason=str(error)))
        end_parts(files, spec.parts)


def lock(path: Path) -> bool:
    """Lock the file *path* until this process ends; returns whether that was possible within `LOCK_S`."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def main() -> int:
    """Go on in the background as the supervisor of the directory; returns once that is recorded."""
    logging.basicConfig(format="%(asctime)s supervisor: %(message)s")
    directory, callers_locks = Path(sys.argv[1]), [int(fd) for fd in sys.argv[2:]]
    if not lock(UnitFiles(directory).lock):
        return LOCKED
    waiting, held = os.pipe()
    if os.fork() == 0:
        os.chdir("/")
        supervise(directory, lambda: _close(*callers_locks, held))
        return 0
    os.close(held)
    os.read(waiting, 1)  # until the supervisor has closed its end
    return 0


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
