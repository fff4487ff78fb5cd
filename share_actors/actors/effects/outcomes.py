"""What a driver's answer, or its exception, comes to: a command that the aggregate records."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, NotSupported, RefusedByBackend, TransientError
from share_actors.errors import (
    Busy,
    LogError,
    Moved,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)
_IN_PASSING = (Busy, LogError, Moved, TimedOut, Unavailable)


class DeadlinePassed(Exception):
    """A driver's call has not answered by its deadline."""


async def within(limit_s: float, job: Callable[[], Awaitable[Command]]) -> Command:
    """What *job* comes to; raises `DeadlinePassed` when it takes longer."""
    try:
        async with asyncio.timeout(limit_s):
            return await job()
    except TimeoutError:
        raise DeadlinePassed(f"no outcome within {limit_s:g} s") from None


def outcome(
    result: Any, backend: str, settings: BackendSettings, context: RequestContext, now: datetime
) -> Command:
    """What the call returned, or the failure that its exception comes to."""
    match result:
        case RefusedByBackend():
            return ReportFailure(kind="refused", reason=said(result), details=_details(result))
        case TransientError():
            return again("transient", said(result), settings, context, now, _details(result))
        case DriverError():
            return ReportFailure(kind="failed", reason=said(result), details=_details(result))
        case ShareActorsError() if isinstance(result, _IN_PASSING):
            return again("transient", result.message, settings, context, now)
        case ShareActorsError():
            return ReportFailure(kind="failed", reason=result.message)
        case DeadlinePassed():
            return again("unknown", str(result), settings, context, now)
        case TimeoutError() if result.__traceback__ is None:  # the deadline's, not the driver's own
            return again("unknown", str(result), settings, context, now)
        case BaseException():
            told = "".join(traceback.format_exception(result))
            logger.error("backend %s: the driver raised\n%s", backend, told)
            return again("bug", writable(told.strip()), settings, context, now, _details(result))
        case _:
            good: Command = result
            return good


def cut_off(n: int, settings: BackendSettings, now: datetime) -> ReportFailure:
    """The process of attempt *n* ended in the middle: made again, at once after the first."""
    left = 0.0 if n == 1 else pause(n - 1, settings)
    why = "the process that made it ended before the outcome was known"
    at, most = now + timedelta(seconds=left), settings.max_cut_off
    return ReportFailure(kind="unknown", reason=why, retry_at=at, max_attempts=most)


def again(
    kind: Literal["transient", "bug", "unknown"],
    reason: str,
    settings: BackendSettings,
    context: RequestContext,
    now: datetime,
    details: dict[str, str] | None = None,
) -> ReportFailure:
    """Another attempt is worth making, after a pause."""
    at = now + timedelta(seconds=pause(context.attempt, settings))
    return ReportFailure(
        kind=kind, reason=reason, retry_at=at, max_attempts=settings.max_attempts,
        details=details or {},
    )  # fmt: skip


def pause(attempt: int, settings: BackendSettings) -> float:
    """Seconds between *attempt* and the next: twice as many each time, up to a limit."""
    doublings = min(max(attempt, 1) - 1, 60)
    return min(settings.backoff_s * 2.0**doublings, settings.max_backoff_s)


def said(error: DriverError) -> str:
    """What the driver said, as it can be recorded."""
    if isinstance(error, NotSupported):
        return writable(f"not supported: {error}")
    return writable(str(error) or type(error).__name__)


def writable(text: str) -> str:
    """*text* as it can be recorded: names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _details(error: BaseException) -> dict[str, str]:
    """What there is of a share server nonetheless: Manila's `detail_data["server_details"]`."""
    told = getattr(error, "detail_data", None)
    found = told.get("server_details", told) if isinstance(told, dict) else {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
