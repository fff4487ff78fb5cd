"""Failures of the contract as sentences: what was expected, what was seen, and which promise that breaks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from share_actors.drivers.base import DriverError
from share_actors.testing.contracts.promises import PROMISES, Promise

MAX_SHOWN = 800
_HERE = str(Path(__file__).parent)
_P = ParamSpec("_P")


class Unexpected(AssertionError):
    """Something was seen that was not expected: the sentence in parts, before its promise is known."""

    def __init__(self, what: str, expected: str, seen: str) -> None:
        super().__init__(f"{what}: expected {expected}, but saw {seen}")
        self.what, self.expected, self.seen = what, expected, seen


class BrokenPromise(AssertionError):
    """A driver breaks a promise of the contract. The message says all of it, one line each."""

    def __init__(self, driver: str, promise: Promise, unexpected: Unexpected) -> None:
        self.promise, self.unexpected = promise, unexpected
        lines = [
            f"{driver} breaks the promise {promise.name!r} of the driver contract.",
            f"Promise:  {promise.text}",
            f"Tried:    {unexpected.what}",
            f"Expected: {unexpected.expected}",
            f"Seen:     {unexpected.seen}",
            f"See:      {promise.anchor}",
        ]
        super().__init__("\n".join(lines))


def keeps(name: str) -> Callable[[Callable[_P, None]], Callable[_P, None]]:
    """Make a test one of the promise *name*: whatever fails in it is a `BrokenPromise`."""
    promise = PROMISES[name]

    def decorate(test: Callable[_P, None]) -> Callable[_P, None]:
        @wraps(test)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
            __tracebackhide__ = True
            try:
                test(*args, **kwargs)
            except Exception as error:  # pytest's own outcomes are no `Exception`
                driver = type(kwargs["driver"]).__name__ if "driver" in kwargs else "The driver"
                cause = None if isinstance(error, Unexpected) else error
                raise BrokenPromise(driver, promise, _unexpected(error)) from cause

        run.promise = name  # type: ignore[attr-defined]
        return run

    return decorate


def promise_of(test: object) -> Promise | None:
    """The promise that a test of the contract is of."""
    name = getattr(test, "promise", None)
    return PROMISES.get(name) if isinstance(name, str) else None


# -- what tests say ------------------------------------------------------------------------------
def same(seen: object, expected: object, what: str) -> None:
    """*seen*, which *what* describes, is equal to *expected*."""
    if seen != expected:
        raise Unexpected(what, shown(expected), shown(seen))


def one_of(seen: object, expected: Collection[object], what: str) -> None:
    """*seen* is one of *expected*."""
    if seen not in expected:
        raise Unexpected(what, " or ".join(dict.fromkeys(map(shown, expected))), shown(seen))


def nothing(seen: object, what: str) -> None:
    """*seen* is empty or None."""
    if seen:
        raise Unexpected(what, "nothing", shown(seen))


def holds(condition: object, what: str, expected: str, seen: object) -> None:
    """*condition* is true; *expected* says it in words, and *seen* is what there is instead."""
    if not condition:
        raise Unexpected(what, expected, seen if isinstance(seen, str) else shown(seen))


@contextmanager
def refused(what: str, kind: type[DriverError] = DriverError) -> Iterator[None]:
    """The call in the block raises a *kind* of `DriverError`."""
    try:
        yield
    except kind:
        return
    except DriverError as error:
        raise Unexpected(what, kind.__name__, _exception(error)) from error
    raise Unexpected(what, kind.__name__, "that it succeeded")


def shown(value: object) -> str:
    """*value* as text of bounded length; sets are sorted, so that two of them can be compared by eye."""
    if isinstance(value, set | frozenset) and value:
        text = "{" + ", ".join(sorted(map(repr, value))) + "}"
    else:
        text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


# -- other exceptions ----------------------------------------------------------------------------
def _unexpected(error: Exception) -> Unexpected:
    """What *error*, raised in a test, says."""
    if isinstance(error, Unexpected):
        return error
    what, line = _call_of(error)
    if isinstance(error, AssertionError):
        return Unexpected(what, line, str(error) or "that it is not so")
    return Unexpected(what, "no exception", _exception(error))


def _call_of(error: Exception) -> tuple[str, str]:
    """The method of the driver that the contract called when *error* was raised, and the contract's line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [n for n, frame in enumerate(frames) if frame.filename.startswith(_HERE)]
    line = frames[ours[-1]].line or "" if ours else ""
    called = frames[ours[-1] + 1 :] if ours else []
    return (called[0].name if called else line), line


def _exception(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
