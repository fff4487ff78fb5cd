"""The messages between clients, the manager and hosts: small tuples of plain values, cheap to send."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from share_actors.actors.messaging.parameters import command_id as checked_command_id
from share_actors.actors.messaging.texts import check_texts
from share_actors.errors import (
    ERRORS,
    Busy,
    InvalidRequest,
    LogError,
    LogInDoubt,
    LogTooNew,
    ShareActorsError,
    Unavailable,
    shorten,
    showable,
    shown,
)
from share_actors.events.aggregates import kind_of
from share_actors.events.decider import Command
from share_actors.events.share.creation import CreateShare
from share_actors.events.share.manage import ManageShare
from share_actors.events.topics import COMMANDS, ENTITY_KINDS, topic_of
from share_actors.policy import Caller, Role, caller_of
from share_actors.redaction import MASK
from share_actors.values import Assignment, PlacementRequest, RequestContext
from share_actors.values.checks.text import PartError
from share_actors.wire import sent_as_order, sent_as_report

ReplyStatus = Literal["accepted", "done", "failed", "error"]


@sent_as_order
class CommandMessage(NamedTuple):
    """One command for one entity: a header for manager and router, and a body that only the host parses.

    *share_id* is the address of the entity: the id of a share; `kind:id` of any other entity. *wait* asks
    for the outcome rather than the receipt. *repeated* says that the command id may have been used before,
    so that the entity has to look further back than its memory reaches. *project_id* and *role* are the
    sender's;
    *backend* is the one that a new entity goes to, empty if the command does not name one. A message that
    creates a share has a *placement_request*; the manager answers it with an *assignment*. *body* and
    *context* are JSON. *trace* is the span that it was sent from (W3C Trace Context); empty if the sender
    knows of none.
    """

    share_id: str
    command_id: str
    topic: str
    body: bytes
    context: bytes
    wait: bool = False
    repeated: bool = False
    project_id: str = ""
    backend: str = ""
    placement_request: PlacementRequest | None = None
    assignment: Assignment | None = None
    role: Role = Role.MEMBER
    trace: str = ""

    @property
    def caller(self) -> Caller:
        """On whose behalf it is sent."""
        return Caller(self.project_id, self.role)


_TEXT, _BYTES, _FLAG = (str, "a text"), (bytes, "bytes"), (bool, "True or False")
_HEADER: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(("share_id", "command_id", "topic", "project_id", "backend", "trace"), _TEXT),
    **dict.fromkeys(("body", "context"), _BYTES),
    **dict.fromkeys(("wait", "repeated"), _FLAG),
}
_KINDS = tuple(_HEADER.get(field, (object, ""))[0] for field in CommandMessage._fields)
"""The types of the fields, in their order."""


@sent_as_report
class CommandReply(NamedTuple):
    """The reply to a command: *accepted* is recorded and durable, *done* and *failed* are outcomes.

    With an outcome, *view* is the entity as JSON; if *part*, it has only those rules and snapshots that the
    command concerns. *error* is JSON; nothing was recorded, unless it is `LogInDoubt`. *home* is the host of
    the share, in the manager's replies to clients. *trace_id* is that of the command's trace, if known.
    """

    share_id: str
    command_id: str
    status: ReplyStatus
    version: int = 0
    reason: str | None = None
    view: bytes | None = None
    part: bool = False
    error: bytes | None = None
    home: str = ""
    trace_id: str = ""


class Sender(NamedTuple):
    """On whose behalf commands are sent: the request context as JSON, its project, and its role."""

    context: bytes
    project_id: str
    role: Role = Role.MEMBER

    @classmethod
    def of(cls, context: RequestContext) -> Sender:
        """The sender with this request context."""
        caller = caller_of(context)
        return cls(
            context.model_dump_json(exclude_defaults=True).encode(), caller.project_id, caller.role
        )


# -- commands ------------------------------------------------------------------------------------
def command_message(
    address: str,
    command: Command,
    sender: Sender,
    command_id: str,
    *,
    wait: bool = False,
    repeated: bool = False,
    trace: str = "",
) -> CommandMessage:
    """The message that carries *command* to the entity at *address*."""
    return CommandMessage(
        address,
        command_id,
        topic_of(type(command)),
        _body(command),
        sender.context,
        wait,
        repeated,
        sender.project_id,
        command.destination().partition("#")[0],
        command.placement_request(),
        role=sender.role,
        trace=trace,
    )


def _body(command: Command) -> bytes:
    """The fields of *command* but those with their default, which an earlier version may not know."""
    try:
        return command.model_dump_json(exclude_defaults=True).encode()
    except ValueError as error:  # a text with a lone surrogate, or a value that has no JSON form
        raise InvalidRequest(
            f"{command.topic}: has no JSON form: {error}", field="command"
        ) from None


def command_in(message: CommandMessage) -> Command:
    """The command in *message*, placed if it was assigned; raises `InvalidRequest` naming the field."""
    kind = COMMANDS.get(message.topic)
    if kind is None:
        raise InvalidRequest(f"no command {message.topic!r}", field="topic", value=message.topic)
    try:
        command = kind.model_validate_json(message.body)
    except ValidationError as error:
        raise invalid_request(error, kind) from None
    check_texts(kind, message.body)
    if message.assignment is not None and isinstance(command, CreateShare | ManageShare):
        return command.placed(message.assignment)
    return command


def header_error(message: CommandMessage) -> InvalidRequest | None:
    """The error of a message with a field of another type than it must have, or None."""
    if not all(map(isinstance, message, _KINDS)):
        return _type_error(message)
    try:
        checked_command_id(message.command_id)
    except InvalidRequest as error:
        return error
    return None


def _type_error(message: CommandMessage) -> InvalidRequest:
    """The error that names the first field of another type than it must have."""
    field = next(f for f, (kind, _) in _HEADER.items() if not isinstance(getattr(message, f), kind))
    name, value = "id" if field == "share_id" else field, getattr(message, field)
    text = f"{name}: is not {_HEADER[field][1]}: {shown(value)}"
    return InvalidRequest(text, field=name, value=showable(value))


def check_addressee(message: CommandMessage) -> None:
    """Raise `InvalidRequest` for a command to an entity of another kind than it is for."""
    kind = ENTITY_KINDS.get(message.topic)
    if kind not in (None, kind_of(message.share_id)):
        name = str(kind).replace("_", " ")
        text = f"id: {shorten(repr(message.share_id))} is not the address of a {name}"
        raise InvalidRequest(text, field="id", value=message.share_id)


def context_in(context: bytes) -> RequestContext:
    """The request context in a message; raises `InvalidRequest` naming the field."""
    try:
        return RequestContext.model_validate_json(context)
    except ValidationError as error:
        raise invalid_request(error) from None


def context_with(fields: Mapping[str, Any]) -> RequestContext:
    """A request context with *fields*; raises `InvalidRequest` naming the field."""
    try:
        return RequestContext.model_validate(dict(fields))
    except ValidationError as error:
        raise invalid_request(error) from None


def kind_of_command(topic: object) -> str:
    """The topic of a command, for counting: `unknown` for any other text, of which there is no end."""
    return topic if isinstance(topic, str) and topic in COMMANDS else "unknown"


def fingerprint(topic: str, body: bytes) -> str:
    """A short hash by which two commands with one id are compared."""
    return hashlib.blake2b(body, key=topic.encode(), digest_size=8).hexdigest()


def whole_fingerprint(message: CommandMessage) -> str:
    """The fingerprint of the command with all of its fields, as version 0.2.0 and earlier sent it."""
    kind = COMMANDS[message.topic]
    return fingerprint(
        message.topic, kind.model_validate_json(message.body).model_dump_json().encode()
    )


def build(kind: type[Command], fields: Mapping[str, Any]) -> Command:
    """A validated command of *kind*; raises `InvalidRequest` naming the field and the value."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise invalid_request(error, kind) from None


# -- errors --------------------------------------------------------------------------------------
def invalid_request(error: ValidationError, kind: type[Command] = Command) -> InvalidRequest:
    """The first of the errors, as one sentence that names the field and the value, unless it is secret."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    field = ".".join(location[1:] if location[:1] == ["spec"] else location)
    value = first.get("input")
    text = str(first["msg"]).removeprefix("Value error, ")
    cause = first.get("ctx", {}).get("error")
    if named := isinstance(cause, PartError):  # a validator of a whole value names the part itself
        field, value = cause.part, cause.value
    elif not field and first["type"] == "value_error" and ": " in text:
        field, text = text.split(": ", 1)  # a validator of the whole command names the field itself
        value = value.get(field) if isinstance(value, dict) else value
    if kind.holds_secret(field) if named else _may_be_secret(kind, ".".join(location), first):
        return InvalidRequest(f"{field}: {text}: {MASK}", field=field, value=MASK)
    return InvalidRequest(f"{field}: {text}: {shown(value)}", field=field, value=showable(value))


def _may_be_secret(kind: type[Command], field: str, error: ErrorDetails) -> bool:
    """Whether the value that an *error* is about is, or may hold, a secret of a command."""
    if not kind.secrets:
        return False
    unknown = error["type"] == "extra_forbidden"  # it may be a misspelt secret
    whole = not isinstance(error["input"], str | int | float | None)
    return unknown or whole or kind.holds_secret(field)


def error_reply(message: CommandMessage, error: ShareActorsError) -> CommandReply:
    """The reply to a command of which nothing was recorded, unless *error* is `LogInDoubt`."""
    return CommandReply(message.share_id, message.command_id, "error", error=pack_error(error))


def doubtful_reply(message: CommandMessage, reply: CommandReply) -> CommandReply:
    """*reply* to a repetition of *message*, whose first try may have been recorded by a host that is lost.

    An error that says that nothing was recorded is true of the last try only, so the client must ask again.
    """
    error = None if reply.error is None else unpack_error(reply.error)
    if isinstance(error, Busy):
        return error_reply(message, Unavailable(error.message, passing=True))
    if isinstance(error, Unavailable) and error.field != "backend" and "needs" not in error.details:
        return error_reply(message, in_passing(error))  # of a manager that stops or has no host
    if isinstance(error, LogError) and not isinstance(error, LogInDoubt | LogTooNew):
        return error_reply(message, LogInDoubt.after(error))
    return reply


def in_passing(error: ShareActorsError) -> Unavailable:
    """*error* as one after which the request is sent again, without its claim that nothing was recorded."""
    details = error.details | {"passing": True}
    return Unavailable(error.reason, field=error.field, value=error.value, **details)


def pack_error(error: ShareActorsError) -> bytes:
    """*error* as JSON; see `unpack_error`."""
    packed = {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "value": error.value,
        "details": error.details,
    }
    return json.dumps(packed, default=repr).encode()


def unpack_error(packed: bytes) -> ShareActorsError:
    """The error that `pack_error` wrote, of its original type."""
    fields = json.loads(packed)
    kind = ERRORS.get(fields["code"], ShareActorsError)
    return kind(
        fields["message"], field=fields["field"], value=fields["value"], **fields["details"]
    )
