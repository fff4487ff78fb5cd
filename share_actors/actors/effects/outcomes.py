"""The outcome of a driver's call: its result, or its exception, as a command that the aggregate records."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from share_actors.actors.effects.driver_threads import NotBegun
from share_actors.config import BackendSettings
from share_actors.drivers.abilities import NotStarted
from share_actors.drivers.base import DriverError, NotSupported, RefusedByBackend, TransientError
from share_actors.errors import (
    Busy,
    LogError,
    Moved,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from share_actors.events.attempts import ReportFailure, not_begun
from share_actors.events.decider import Command
from share_actors.redaction import scrubbed
from share_actors.values import RequestContext
from share_actors.values.secret import Secret

logger = logging.getLogger(__name__)
UNTIL_STARTED = 10**9
"""The limit of attempts while the backend is not started: there is none in practice."""
_TRANSIENT_ERRORS = (Busy, LogError, Moved, TimedOut, Unavailable)


class DeadlinePassed(Exception):
    """A driver's call, or a whole effect, has no result by its deadline."""


class EffectTasks:
    """Effects that are coroutines, as tasks on the loop, each with a time limit."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Command]] = set()

    def start(
        self, effect: Callable[[], Awaitable[Command]], limit_s: float, ended: Callable[[Any], None]
    ) -> None:
        """Run *effect*; *ended* gets its result or exception: `DeadlinePassed` after *limit_s*."""
        task = asyncio.get_running_loop().create_task(_limited(effect, limit_s))
        self._tasks.add(task)

        def finished(task: asyncio.Task[Command]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                ended(task.exception() or task.result())

        task.add_done_callback(finished)

    def cancel(self) -> None:
        """Cancel every task; none of them has an outcome."""
        for task in self._tasks:
            task.cancel()


async def _limited(effect: Callable[[], Awaitable[Command]], limit_s: float) -> Command:
    try:
        async with asyncio.timeout(limit_s):
            return await effect()
    except TimeoutError:
        raise DeadlinePassed(f"no outcome within {limit_s:g} s") from None


def outcome(
    result: Any, backend: str, settings: BackendSettings, context: RequestContext, now: datetime
) -> Command:
    """The *result* of a call if that is a command, or the failure that an exception amounts to."""
    match result:
        case NotStarted():
            reason = driver_message(result)
            return until_started(reason, settings, context, now, _details(result))
        case RefusedByBackend():
            return _failure("refused", result)
        case TransientError():
            reason, details = driver_message(result), _details(result)
            return retryable("transient", reason, settings, context, now, details)
        case DriverError():
            return _failure("failed", result)
        case ShareActorsError() if isinstance(result, _TRANSIENT_ERRORS):
            return retryable("transient", result.message, settings, context, now)
        case ShareActorsError():
            return ReportFailure(kind="failed", reason=result.message)
        case NotBegun():
            return not_begun(now)
        case DeadlinePassed():
            return retryable("unknown", str(result), settings, context, now)
        case TimeoutError() if result.__traceback__ is None:  # the deadline's, not the driver's own
            return retryable("unknown", str(result), settings, context, now)
        case BaseException():
            text = scrubbed("".join(traceback.format_exception(result)))
            logger.error("backend %s: the driver raised\n%s", backend, text)
            reason, details = writable(text.strip()), _details(result)
            return retryable("bug", reason, settings, context, now, details)
        case _:
            command: Command = result
            return command


def until_started(
    reason: str,
    settings: BackendSettings,
    context: RequestContext,
    now: datetime,
    details: dict[str, str] | None = None,
) -> ReportFailure:
    """The failure of an attempt on a backend that is not started: attempts follow until it is."""
    failure = retryable("transient", reason, settings, context, now, details)
    return failure.replace(max_attempts=UNTIL_STARTED)


def _failure(kind: Literal["refused", "failed"], error: DriverError) -> ReportFailure:
    return ReportFailure(kind=kind, reason=driver_message(error), details=_details(error))


def cut_off(n: int, settings: BackendSettings, now: datetime) -> ReportFailure:
    """The failure of attempt *n*, whose process ended during it: retried at once after the first."""
    seconds = 0.0 if n == 1 else pause_s(n - 1, settings)
    return ReportFailure(
        kind="unknown",
        reason="the process that made it ended before the outcome was known",
        retry_at=now + timedelta(seconds=seconds),
        max_attempts=settings.max_cut_off,
    )


def retryable(
    kind: Literal["transient", "bug", "unknown"],
    reason: str,
    settings: BackendSettings,
    context: RequestContext,
    now: datetime,
    details: dict[str, str] | None = None,
) -> ReportFailure:
    """A failure after which the next attempt follows, after a pause."""
    return ReportFailure(
        kind=kind,
        reason=reason,
        retry_at=now + timedelta(seconds=pause_s(context.attempt, settings)),
        max_attempts=settings.max_attempts,
        details=details or {},
    )


def pause_s(attempt: int, settings: BackendSettings) -> float:
    """Seconds between *attempt* and the next: doubled with each attempt, up to a limit."""
    doublings = min(max(attempt, 1) - 1, 60)
    return min(settings.backoff_s * 2.0**doublings, settings.max_backoff_s)


def driver_message(error: DriverError) -> str:
    """The message of a driver's error, in a form that can be recorded."""
    if isinstance(error, NotSupported):
        return writable(f"not supported: {error}")
    return writable(str(error) or type(error).__name__)


def writable(text: str) -> str:
    """*text* in a form that can be recorded: without secrets, and in UTF-8, which file names may not be."""
    return scrubbed(text).encode("utf-8", "backslashreplace").decode("utf-8")


def texts(details: Mapping[Any, Any]) -> dict[str, str]:
    """The *details* of a driver as texts; a `Secret` stays one."""
    return {str(k): v if isinstance(v, Secret) else str(v) for k, v in details.items()}


def _details(error: BaseException) -> dict[str, str]:
    """The details of a half-made share server: Manila's `detail_data["server_details"]`."""
    data = getattr(error, "detail_data", None)
    details = data.get("server_details", data) if isinstance(data, dict) else {}
    return texts(details) if isinstance(details, dict) else {}
