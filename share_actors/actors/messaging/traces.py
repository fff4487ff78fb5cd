"""The spans of commands, as manager and hosts begin them."""

from __future__ import annotations

from collections.abc import Callable

from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    header_error,
    kind_of_command,
    unpack_error,
)
from share_actors.observability.log_context import fields_of
from share_actors.observability.tracing import Span, Tracing, error_text

Answer = Callable[[CommandReply], None]


def span_of(tracing: Tracing, work: str, message: CommandMessage) -> Span | None:
    """The span of what a process does for *message*; None if the command is not traced, or malformed."""
    is_traced = tracing.records(str(message.trace), str(message.command_id))
    if not is_traced or header_error(message) is not None:
        return None
    name = f"{work} {kind_of_command(message.topic)}"
    attributes = fields_of(message.share_id, message.command_id, backend=message.backend)
    return tracing.begin(name, message.trace, attributes, message.project_id, "SERVER")


def routed(
    tracing: Tracing, message: CommandMessage, answer: Answer
) -> tuple[CommandMessage, Answer]:
    """*message* as a part of the manager's span, and *answer*, which ends that; unchanged if not traced."""
    span = span_of(tracing, "route", message)
    if span is None:
        return message, answer

    def end_and_answer(reply: CommandReply) -> None:
        span.end(error_in(reply))
        answer(reply)

    return message._replace(trace=span.traceparent), end_and_answer


def error_in(reply: CommandReply) -> str | None:
    """Why a command was refused, or its work failed; None if neither."""
    if reply.error is not None:
        return error_text(unpack_error(reply.error))
    return reply.reason if reply.status == "failed" else None
