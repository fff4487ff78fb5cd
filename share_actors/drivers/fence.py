"""Fences: a driver call that is overtaken by a later attempt changes nothing more.

A call that passed its deadline may go on when its backend recovers, after later attempts have succeeded. For
each share, and for each share server, the greatest number of an attempt (`RequestContext.fence`) is stored in
a small file beside it. A call announces its number before it waits for the lock of its share; every earlier
call, also one that holds the lock, then finds at its next check that it was overtaken.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem.locks import kept_by_commands, open_locked
from share_actors.drivers.filesystem.own_files import own_names
from share_actors.values import RequestContext

SUFFIX = "@fence"
"""The end of a fence's file name; ids do not contain `@`."""
TOKEN = "attempt_token"
"""The key of the attempt's token in the details that `teardown_server` gets."""
KEEP_S = 30 * 24 * 3600.0
"""How long the fence of a deleted share is kept, in seconds: no process waits that long for a call."""
_LENGTH = 20  # digits; a write of this length never crosses a disk sector
_ATTEMPT: ContextVar[RequestContext] = ContextVar("attempt", default=RequestContext())  # noqa: B039 - it is frozen
_SUBJECT: ContextVar[str] = ContextVar("subject", default="")


@contextmanager
def within_attempt(context: RequestContext, subject: str = "") -> Iterator[None]:
    """Make *context* the `current_attempt` of the driver calls in the block, and *subject* theirs."""
    attempt, named = _ATTEMPT.set(context), _SUBJECT.set(subject)
    try:
        yield
    finally:
        _SUBJECT.reset(named)
        _ATTEMPT.reset(attempt)


def current_attempt() -> RequestContext:
    """The attempt of a call that has no context, as Manila's `manage_existing` and `unmanage` have none.

    A call that no attempt makes has a context without a token.
    """
    return _ATTEMPT.get()


def current_subject() -> str:
    """The id of the share or the share server whose state a driver call changes; empty if that is unknown."""
    return _SUBJECT.get()


def attempt_context(fields: Mapping[str, Any] | None, key: str = "token") -> RequestContext:
    """The attempt on a share server, from `setup_server`'s metadata or `teardown_server`'s details.

    *key* is that of the token: `token` in the metadata, `TOKEN` in the details, which are the backend's own.
    """
    fields = fields or {}
    return RequestContext(
        attempt=int(fields.get("attempt", 0)),
        token=fields.get(key, ""),
        deadline=float(fields.get("deadline", 0.0)),
    )


class Overtaken(DriverError):
    """A later attempt on the same share has begun: this call changes nothing more."""


def check_deadline(operation: str, context: RequestContext | None = None) -> None:
    """Raise `TransientError` if the attempt of *context* was given up: long work calls this now and then.

    Without *context* it is the `current_attempt`.
    """
    if (current_attempt() if context is None else context).remaining_s <= 0:
        raise TransientError(f"{operation}: stopped, since the time for this attempt is over")


class Fences:
    """The fences in one directory. Every process of the backend must see the same directory.

    *durable*: each new number is on disk before the call goes on, also if the machine loses power.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self._directory, self._durable = directory, durable

    def path(self, name: str) -> Path:
        """The file with the greatest number for *name*, the id of a share or a share server."""
        return self._directory / f"{name}{SUFFIX}"

    @contextmanager
    def enter(self, name: str, context: RequestContext) -> Iterator[Fence]:
        """Announce the attempt of *context* on *name*; yields the fence to check before each change.

        Raises `Overtaken` if a later attempt has begun, and `OSError`. A context without a token, as a call
        by hand has it, is never refused.
        """
        if not context.fence:
            yield Fence(name, self.path(name), None, 0, context)
            return
        fd = self._announce(name, context.fence)
        try:
            yield Fence(name, self.path(name), fd, context.fence, context)
        finally:
            os.close(fd)

    def greatest(self, name: str) -> int:
        """The greatest number that was announced for *name*; 0 if there is none."""
        try:
            return int(self.path(name).read_text(encoding="ascii") or 0)
        except FileNotFoundError:
            return 0

    def forget_old(self, exists: Path, suffix: str = "") -> None:
        """Remove the fences older than `KEEP_S` of names without an entry *exists*/NAME*suffix*."""
        for name in own_names(self._directory, SUFFIX):
            with suppress(OSError):  # it vanished, or cannot be removed: it costs only its space
                if _is_old(self.path(name)) and not (exists / f"{name}{suffix}").exists():
                    self.path(name).unlink()

    def _announce(self, name: str, number: int) -> int:
        """Store *number* as the greatest; returns the open file, without its lock."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fd = open_locked(directory, f"{name}{SUFFIX}", fcntl.LOCK_EX)
            try:
                Fence(name, self.path(name), fd, number).compare()
                self._store(fd, number, directory)
                fcntl.flock(fd, fcntl.LOCK_UN)
            except BaseException:
                os.close(fd)
                raise
            return fd
        finally:
            os.close(directory)

    def _store(self, fd: int, number: int, directory: int) -> None:
        is_new = not os.fstat(fd).st_size
        os.pwrite(fd, b"%0*d" % (_LENGTH, number), 0)
        if self._durable:
            os.fdatasync(fd)
            if is_new:
                os.fsync(directory)


class Fence:
    """The fence of one call that is under way, in the attempt of *context*."""

    def __init__(
        self,
        name: str,
        path: Path,
        fd: int | None,
        number: int,
        context: RequestContext | None = None,
    ) -> None:
        self._name, self._path, self._fd, self._number = name, path, fd, number
        self._context = context or RequestContext()

    def check(self) -> None:
        """Raise `Overtaken` if a later attempt has begun, and `TransientError` if this one was given up.

        Cheap enough for each file of a walk.
        """
        check_deadline(self._name, self._context)
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_SH)
            try:
                self.compare()
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Check, and let no later attempt begin until the block, a short change, has ended."""
        if self._fd is None:
            yield
            return
        with _flocked(self._fd, fcntl.LOCK_EX):
            self.compare()
            yield

    def compare(self) -> None:
        """Raise `Overtaken` unless the stored number is at most this call's; the caller has the lock."""
        assert self._fd is not None
        text = os.pread(self._fd, _LENGTH, 0)
        if text and not text.isdigit():
            raise DriverError(f"{self._path} has {text!r} instead of a number: remove the file")
        greatest = int(text or 0)
        if greatest > self._number:
            raise Overtaken(
                f"attempt {self._number} on {self._name} was overtaken by a later attempt, {greatest}: it"
                " changes nothing more. If the log was restored from a backup, its numbers are smaller than"
                f" before: remove {self._path}"
            )


def _is_old(path: Path) -> bool:
    """Whether *path* is a fence that was not written to for `KEEP_S`."""
    status = path.lstat()
    return is_fence(status) and time.time() - status.st_mtime > KEEP_S


def is_fence(status: os.stat_result) -> bool:
    """Whether a file with the *status* and a fence's name can be a fence; an interrupted one is empty."""
    return stat.S_ISREG(status.st_mode) and status.st_size in (0, _LENGTH)


@contextmanager
def _flocked(fd: int, operation: int) -> Iterator[None]:
    fcntl.flock(fd, operation)
    try:
        with kept_by_commands(fd):
            yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
