"""Visits in processes of their own: a client may have another user or network than the tests."""

from __future__ import annotations

import ctypes
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any

from share_actors.testing.visits import OpenFile, VisitError

ANSWER_S = 90.0
"""How long a client may take for one call: it may write more than a gigabyte."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


Start = Callable[[Connection, Callable[[], object]], Callable[[], None]]
"""Starts the process of a visit; returns what ends it."""


class ProcessVisit:
    """A `Visit` whose calls are made by another process, *forked* unless *start* says otherwise.

    *mount* is called in that process, before anything else; it may change its user or its network. What it
    raises is raised here.
    """

    def __init__(self, mount: Callable[[], object], start: Start | None = None) -> None:
        self._connection, theirs = Pipe()
        self._end: Callable[[], None] | None = (start or forked)(theirs, mount)
        theirs.close()
        try:
            self._answer("mount")
        except BaseException:
            self.unmount()
            raise

    def write(self, name: str, data: bytes) -> None:
        """See `Visit`, as for the methods below."""
        self.ask(0, "write", name, data)

    def read(self, name: str) -> bytes:
        """Read the file."""
        content: bytes = self.ask(0, "read", name)
        return content

    def names(self) -> list[str]:
        """List the files."""
        names: list[str] = self.ask(0, "names")
        return names

    def hold(self, name: str) -> OpenFile:
        """Open the file in the other process."""
        return _HeldFile(self, self.ask(0, "hold", name))

    def unmount(self) -> None:
        """End the process, which closes all that it holds."""
        if self._end is not None:
            self._end()
            self._connection.close()
        self._end = None

    def ask(self, target: int, method: str, *arguments: Any) -> Any:
        """Call a *method* of the visit (*target* 0) or of an open file; AssertionError if no answer comes."""
        self._connection.send((target, method, arguments))
        return self._answer(method)

    def _answer(self, method: str) -> Any:
        assert self._connection.poll(ANSWER_S), f"no answer to {method} in {ANSWER_S} s"
        try:
            result, error = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise AssertionError(f"the client ended during {method}") from None
        if error is not None:
            raise error
        return result


def forked(connection: Connection, mount: Callable[[], object]) -> Callable[[], None]:
    """Serve in a fork of this process; returns what ends it."""
    child = _fork()
    if child == 0:
        _serve(connection, mount)

    def end() -> None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    return end


def spawned(connection: Connection, mount: Callable[[], object]) -> Callable[[], None]:
    """Serve in a new Python process, for callers with threads; *mount* can be pickled."""
    process = get_context("spawn").Process(target=_serve, args=(connection, mount), daemon=True)
    process.start()

    def end() -> None:
        process.kill()
        process.join()

    return end


class _HeldFile:
    """An open file of the other process."""

    def __init__(self, visit: ProcessVisit, number: int) -> None:
        self._visit, self._number = visit, number

    def write(self, data: bytes) -> None:
        self._visit.ask(self._number, "write", data)

    def fill(self, size: int) -> None:
        self._visit.ask(self._number, "fill", size)

    def close(self) -> None:
        self._visit.ask(self._number, "close")


class Visits:
    """The visits of one test."""

    def __init__(self) -> None:
        self._open: list[ProcessVisit] = []

    def add(self, mount: Callable[[], object]) -> ProcessVisit:
        """A visit that is ended with the test."""
        visit = ProcessVisit(mount)
        self._open.append(visit)
        return visit

    def end(self) -> None:
        """End all visits."""
        for visit in self._open:
            visit.unmount()


@contextmanager
def visits() -> Iterator[Visits]:
    """Visits that end with the block."""
    made = Visits()
    try:
        yield made
    finally:
        made.end()


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests may linger
        return os.fork()


def _serve(connection: Connection, mount: Callable[[], object]) -> None:
    """Mount, then answer the calls that come, until this process is killed or its parent ends."""
    try:
        visit, error = _tried(mount)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user would have reset it
        connection.send((None, error))
        targets: list[Any] = [visit]
        while error is None:
            target, method, arguments = connection.recv()
            result, failure = _tried(partial(getattr(targets[target], method), *arguments))
            if method == "hold" and failure is None:
                targets.append(result)
                result = len(targets) - 1
            connection.send((result, failure))
    finally:
        with suppress(BaseException):
            connection.close()
        os._exit(0)


def _tried(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except VisitError as error:
        return None, error
    except Exception:
        return None, RuntimeError(f"the client failed:\n{traceback.format_exc()}")
