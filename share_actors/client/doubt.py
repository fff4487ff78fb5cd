"""Errors of requests that may have been recorded: which are tried again, and what the last one says."""

from __future__ import annotations

from typing import Any

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.errors import (
    Busy,
    LogError,
    LogInDoubt,
    LogTooNew,
    ShareActorsError,
    TimedOut,
    Unavailable,
)

RETRY_PAUSE_S = 0.2
"""The pause before a request is repeated to a manager that is being restarted."""
LOG_RETRY_PAUSE_S = 0.5
"""The pause before a request is repeated to a log that could not be used."""
UNKNOWN = (
    "it is unknown whether the request is recorded: look up its receipt, or repeat the request with the"
    " same command id"
)


def is_temporary(error: ShareActorsError, *, doubtful: bool) -> bool:
    """Whether a request is to be sent again: the system is busy or being restarted, rather than stopped.

    If an earlier try may have been recorded (*doubtful*), also while the log cannot be used.
    """
    if isinstance(error, LogError):
        return doubtful and not isinstance(error, LogTooNew)
    return isinstance(error, Busy) or bool(error.details.get("passing"))


def leaves_doubt(error: ShareActorsError, *, repeated: bool) -> bool:
    """Whether the request may be recorded although this try ended with *error*.

    If it is *repeated*, an earlier try may have been recorded, or may still be on its way.
    """
    unknown = isinstance(error, LogInDoubt) or bool(error.details.get("passing"))
    return unknown or repeated


def pause_s(error: ShareActorsError) -> float:
    """The seconds before a request that got *error* is sent again."""
    if isinstance(error, LogError):
        return LOG_RETRY_PAUSE_S
    return error.retry_after if isinstance(error, Busy) else RETRY_PAUSE_S


def in_doubt(error: ShareActorsError, message: CommandMessage, seconds: float) -> ShareActorsError:
    """The error of a request that was tried for so many *seconds*, last with *error*; one may be recorded."""
    text = f"{error.reason}; tried for {seconds:.3g} s; {UNKNOWN}"
    ids = (message.share_id, message.command_id)
    if isinstance(error, Busy):
        return timed_out(*ids, text, seconds, next_step=look_up(message.command_id))
    kind = LogInDoubt if isinstance(error, LogError) else Unavailable
    details = error.details | {"share_id": ids[0], "command_id": ids[1]}
    details.setdefault("next_step", look_up(message.command_id))
    return kind(f"share {ids[0]}: {text}", field=error.field, value=error.value, **details)


def recorded_unseen(error: ShareActorsError, address: str, command_id: str) -> Unavailable:
    """The error of a request that is recorded, if its entity cannot be read because of *error*."""
    return Unavailable(
        f"the request is recorded and goes on, but {address} cannot be read: {error.reason}",
        field=error.field,
        value=error.value,
        share_id=address,
        command_id=command_id,
        next_step=look_up(command_id),
    )


def timed_out(
    share_id: str, command_id: str, text: str, seconds: float, **details: Any
) -> TimedOut:
    """The error of a request for which so many *seconds* were waited."""
    return TimedOut(
        f"share {share_id}: {text}",
        field="timeout",
        value=round(seconds, 3),
        share_id=share_id,
        command_id=command_id,
        **details,
    )


def look_up(command_id: str) -> str:
    """What to do next if it is unknown whether the request is recorded."""
    return (
        f"`share-actors receipt {command_id}` shows whether it is recorded, and what became of it."
    )
