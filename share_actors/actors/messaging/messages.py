"""What travels between client, manager and share actors: small tuples of plain values, cheap to send."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from share_actors.errors import ERRORS, InvalidRequest, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.topics import COMMANDS, topic_of
from share_actors.values import RequestContext

ReplyStatus = Literal["accepted", "done", "failed", "error"]


class CommandMessage(NamedTuple):
    """One command for one share, as it travels; *body* and *context* are JSON.

    *share_id* is an address: any other entity than a share is asked by its kind and id, with a colon.
    *content* stands for what the client sent, when the manager filled in something since.

    *wait* asks for the outcome rather than the receipt; *repeated* says that the command id may have
    been used before, so that the share must look further back than it remembers.
    """

    share_id: str
    command_id: str
    topic: str
    body: bytes
    context: bytes
    wait: bool = False
    repeated: bool = False
    content: str = ""


class CommandReply(NamedTuple):
    """What came of an `CommandMessage`: *accepted* is recorded and durable, *done* and *failed* are outcomes.

    *view* is the share as JSON, with outcomes: a *part* has of its rules and snapshots only the one that
    the command is about. *error* is JSON when nothing was recorded.
    """

    share_id: str
    command_id: str
    status: ReplyStatus
    version: int = 0
    reason: str | None = None
    view: bytes | None = None
    part: bool = False
    error: bytes | None = None


def fingerprint(topic: str, body: bytes) -> str:
    """Tells whether two commands of one id have the same content."""
    return hashlib.blake2b(body, key=topic.encode(), digest_size=8).hexdigest()


def ask(
    share_id: str,
    command: Command,
    context: bytes,
    command_id: str,
    *,
    wait: bool = False,
    repeated: bool = False,
) -> CommandMessage:
    """*command* as it travels."""
    body = command.model_dump_json().encode()
    return CommandMessage(
        share_id, command_id, topic_of(type(command)), body, context, wait, repeated
    )


def command_in(asked: CommandMessage) -> Command:
    """The command that travelled; raises `InvalidRequest` naming the field and the value."""
    kind = COMMANDS.get(asked.topic)
    if kind is None:
        raise InvalidRequest(f"no command {asked.topic!r}", field="topic", value=asked.topic)
    try:
        return kind.model_validate_json(asked.body)
    except ValidationError as error:
        raise invalid(error) from None


def build(kind: type[Command], fields: Mapping[str, Any]) -> Command:
    """A checked command of *kind*; raises `InvalidRequest` naming the field and the value."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError) -> InvalidRequest:
    """The first thing wrong, as one sentence."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    value = first.get("input")
    said = str(first["msg"]).removeprefix("Value error, ")
    whole = not field and first["type"] == "value_error"
    if whole and ": " in said:  # a validator of the whole command names the field itself
        field, said = said.split(": ", 1)
        value = value.get(field) if isinstance(value, dict) else value
    return InvalidRequest(f"{field}: {said}: {_shown(value)}", field=field, value=_told(value))


def _told(value: Any) -> Any:
    """*value*, unless Python cannot write it down: an integer of thousands of digits."""
    try:
        repr(value)
    except ValueError:
        return f"(a very large {type(value).__name__})"
    return value


def _shown(value: object, limit: int = 120) -> str:
    told = _told(value)
    shown = repr(value) if told is value else str(told)
    return shown if len(shown) <= limit else f"{shown[:limit]}... ({len(shown)} characters)"


def context_in(asked: bytes) -> RequestContext:
    try:
        return RequestContext.model_validate_json(asked)
    except ValidationError as error:
        raise invalid(error) from None


def refusal(asked: CommandMessage, error: ShareActorsError) -> CommandReply:
    """The answer to a command of which nothing was recorded."""
    return CommandReply(asked.share_id, asked.command_id, "error", error=pack_error(error))


def pack_error(error: ShareActorsError) -> bytes:
    packed = {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "value": error.value,
        "details": error.details,
    }
    return json.dumps(packed, default=repr).encode()


def unpack_error(packed: bytes) -> ShareActorsError:
    """The error that *packed* travelled as, of its own type again."""
    told = json.loads(packed)
    kind = ERRORS.get(told["code"], ShareActorsError)
    return kind(told["message"], field=told["field"], value=told["value"], **told["details"])
