"""Requests of one user: each is sent, recorded once, and waited for. All methods of the client use them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from share_actors.actors.messaging.batch import Answers, Rest, in_parts
from share_actors.actors.messaging.coalescer import Coalescer, Part, at_once
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    Sender,
    command_message,
)
from share_actors.actors.messaging.parameters import flag, not_found, seconds, word
from share_actors.actors.messaging.retries import with_retries
from share_actors.audit.explanation import progress
from share_actors.client.connection import CallerCatalog, Connection
from share_actors.client.direct_route import (
    OUTCOME_BATCH,
    OUTCOME_LANES,
    POLL_S,
    DirectRoute,
    Outcomes,
)
from share_actors.client.doubt import (
    UNKNOWN,
    in_doubt,
    is_temporary,
    leaves_doubt,
    look_up,
    pause_s,
    recorded_unseen,
    timed_out,
)
from share_actors.client.ids import FreshId, command_id_of
from share_actors.client.keywords import DEFAULT_TIMEOUT_S
from share_actors.client.receipt import Receipt, receipt_of
from share_actors.errors import Ambiguous, Busy, LogError, NotFound, Unavailable
from share_actors.events.aggregates import is_address
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.observability.log_context import fields_of
from share_actors.observability.tracing import Span, Tracing, ended, error_text
from share_actors.values import RequestContext, Share


class SentCommand(NamedTuple):
    """A command on its way, its future reply, and when it was sent first (as of `time.monotonic`).

    *span*: the time until its caller has the answer, if that is traced.
    """

    message: CommandMessage
    reply: asyncio.Future[CommandReply]
    began: float
    span: Span | None = None


class _Manager:
    """The manager, as `in_parts` sends batches to it; raises `Unavailable` while it is being restarted."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """See `ManagerActor.begin`."""
        answers: Answers = await self._connection.call_manager("begin", messages)
        return answers

    async def more(self, rest: Rest, /) -> Answers:
        """See `ManagerActor.more`."""
        answers: Answers = await self._connection.call_manager("more", rest)
        return answers


class Requests:
    """Requests to the system on behalf of one user; concurrent ones are sent in batches."""

    def __init__(
        self, connection: Connection, context: RequestContext, tracing: Tracing | None = None
    ) -> None:
        self.catalog = CallerCatalog(connection.catalog, context)
        self._connection, self._tracing = connection, tracing
        self.context = context
        self._sender = Sender.of(context)
        self._lanes: dict[bool, Coalescer[CommandMessage, CommandReply]] = {
            wait: Coalescer(self._submit, lanes=3)  # a receipt must not wait for others' outcomes
            for wait in (True, False)
        }
        self._direct_route = DirectRoute(
            connection, lambda message: self._lanes[message.wait].put(message), context
        )
        self._outcomes: Outcomes = Coalescer(
            at_once(self._wait_for_outcomes), max_batch=OUTCOME_BATCH, lanes=OUTCOME_LANES
        )

    def __reduce__(self) -> tuple[type[Requests], tuple[Connection, RequestContext]]:
        """Pickled as the connection and the user: a handle goes on in another process."""
        return Requests, (self._connection, self.context)

    # -- commands --------------------------------------------------------------------------------
    async def ask(
        self,
        address: str,
        command: Command,
        wait: bool = True,
        timeout: float = DEFAULT_TIMEOUT_S,
        command_id: str | None = None,
    ) -> Receipt:
        """Record *command*, and if *wait* wait for its work; the same id is executed once."""
        timeout_s = seconds("timeout", timeout)
        sent = self.send(address, command, wait, command_id)
        return await self.reply_to(sent, time.monotonic() + timeout_s)

    def send(
        self, address: str, command: Command, wait: bool, command_id: str | None
    ) -> SentCommand:
        """Send *command* without waiting for anything."""
        wait, known = flag("wait", wait), command_id_of(command_id)
        message = command_message(
            address,
            command,
            self._sender,
            str(known),
            wait=wait,
            repeated=not isinstance(known, FreshId),
        )
        span = None if self._tracing is None else self._begun(self._tracing, message)
        if span is not None:
            message = message._replace(trace=span.traceparent)
        sent = SentCommand(message, self._direct_route.put(message), time.monotonic(), span)
        if span is not None:
            sent.reply.add_done_callback(lambda _: _end_if_answered(span, sent))
        return sent

    def _begun(self, tracing: Tracing, message: CommandMessage) -> Span | None:
        if not tracing.records_request(message.command_id):
            return None
        attributes = fields_of(message.share_id, message.command_id, self.context.request_id)
        return tracing.begin_request(message.topic, message.project_id, attributes)

    async def reply_to(self, sent: SentCommand, until: float) -> Receipt:
        """The receipt of a command once it is recorded, and its work ended if it is to wait for that.

        Raises `TimedOut` at *until* (as of `time.monotonic`).
        """
        if (receipt := receipt_in(sent)) is not None:
            return receipt
        try:
            receipt = await self._recorded(sent, until)
            if sent.message.wait:
                receipt = await self.outcome(receipt, until, sent.began)
        except BaseException as error:
            ended(sent.span, error_text(error))
            raise
        ended(sent.span, receipt.reason)
        return receipt

    async def _recorded(self, sent: SentCommand, until: float) -> Receipt:
        """The receipt of a command, which is sent again while the system is busy or being restarted.

        It is also sent again, by the same id, if an earlier try may have been recorded; if that is still
        unknown after *until*, the error says so.
        """
        doubtful = False
        while True:
            try:
                return await _receipt(sent, until)
            except (Busy, LogError, Unavailable) as error:
                doubtful = doubtful or leaves_doubt(error, repeated=sent.message.repeated)
                pause = pause_s(error)
                over = time.monotonic() + pause > until
                if over or not is_temporary(error, doubtful=doubtful):
                    if not doubtful:
                        raise
                    raise in_doubt(error, sent.message, time.monotonic() - sent.began) from None
                await asyncio.sleep(pause)
                message = sent.message._replace(repeated=True)
                sent = SentCommand(message, self._direct_route.put(message), sent.began)

    async def _submit(self, messages: list[CommandMessage]) -> AsyncIterator[Part[CommandReply]]:
        async for part in in_parts(_Manager(self._connection), messages):
            self._direct_route.learn(part.results.values())
            yield part

    # -- outcomes --------------------------------------------------------------------------------
    async def outcome(self, receipt: Receipt, until: float, began: float | None = None) -> Receipt:
        """The receipt once its work has ended; raises `TimedOut` if that is after *until*.

        The error says how long the caller has waited since *began* (default: now).
        """
        request, began = receipt[:2], time.monotonic() if began is None else began
        while receipt.status == "accepted":
            try:
                async with asyncio.timeout_at(until):
                    reply = await self._outcomes_of(receipt.share_id).put(request)
                receipt = receipt if reply is None else receipt_of(reply)
            except TimeoutError:
                waited = time.monotonic() - began  # a program that blocks its loop waits longer
                text = (
                    f"still in progress after {waited:.3g} s; the request is recorded and goes on"
                )
                raise timed_out(*request, text, waited) from None
            except (
                Busy,
                LogError,
                Unavailable,
            ) as error:  # about the question: the request is recorded
                if not is_temporary(error, doubtful=True):
                    raise
                await asyncio.sleep(pause_s(error))
        return receipt

    def _outcomes_of(self, share_id: str) -> Outcomes:
        """Where to wait for outcomes of a share's commands: at its host if that is known."""
        direct = self._direct_route.outcomes_of(share_id)
        return self._outcomes if direct is None else direct

    async def look_up(self, command_id: str, share_id: str | None) -> Receipt:
        """The receipt of an earlier request, with the last attempt if in progress; raises `NotFound`."""
        word("command_id", command_id)
        if share_id is None:
            share_id = await self._share_of(command_id)
        elif not is_address(word("share_id", share_id)):
            raise not_found("share", share_id, "share_id")
        replies = await self.ask_manager("wait", [(share_id, command_id)], 0.0)
        if replies:
            return receipt_of(replies[0])
        history = await self.history(share_id)
        attempt = await asyncio.to_thread(progress, history, command_id)
        return Receipt(share_id, command_id, "accepted", attempt=attempt)

    async def _share_of(self, command_id: str) -> str:
        """The id of the share that the request was about."""
        ids = await self.catalog.ask("command_shares", command_id=command_id)
        if not ids:
            text = f"no request {command_id!r} is recorded: it was refused, or there was nothing to change"
            raise NotFound(text, field="command_id", value=command_id)
        if len(ids) > 1:
            text = f"{command_id!r} was used for several shares, such as {' and '.join(ids)}: add share_id"
            raise Ambiguous(text, field="command_id", value=command_id, ids=ids)
        return str(ids[0])

    async def _wait_for_outcomes(
        self, requests: list[tuple[str, str]]
    ) -> list[CommandReply | None]:
        replies: Sequence[CommandReply] = await self.call_manager_once(
            "wait", requests, POLL_S, context=self.context
        )
        ended = {(reply.share_id, reply.command_id): reply for reply in replies}
        return [ended.get(request) for request in requests]

    # -- calls -----------------------------------------------------------------------------------
    async def call_manager(self, method: str, *args: object) -> Any:
        """The result of an idempotent call, which is repeated while the manager is being restarted."""
        return await with_retries(lambda: self._connection.call_manager(method, *args))

    async def ask_manager(self, method: str, *args: object) -> Any:
        """The answer to a question on behalf of the user, which is asked again like `call_manager`."""
        context = self.context
        return await with_retries(
            lambda: self._connection.call_manager(method, *args, context=context)
        )

    async def call_manager_once(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of a call; raises `Unavailable` while the manager is being restarted."""
        return await self._connection.call_manager(method, *args, **kwargs)

    async def view(self, share_id: str) -> Share:
        """A share's present state, from its entity; raises `NotFound`."""
        share: Share | None = await self._direct_route.view(share_id, self.context)
        if share is None:
            share = await self.ask_manager("view", share_id)
        assert share is not None
        return share

    async def view_recorded(self, receipt: Receipt, until: float) -> Any:
        """The entity of a recorded request, which is read again while the log or the manager fails.

        Raises `NotFound`, or `Unavailable` at *until* (as of `time.monotonic`).
        """
        while True:
            try:
                async with asyncio.timeout_at(until):
                    return await self.call_manager_once("view", receipt.share_id)
            except TimeoutError:
                silent = Unavailable("the manager has not replied in time")
                raise recorded_unseen(silent, *receipt[:2]) from None
            except NotFound as error:
                raise NotFound(
                    f"the request is recorded, but {error.message}", field="id", value=error.value
                ) from None
            except (Busy, LogError, Unavailable) as error:
                over = time.monotonic() + pause_s(error) > until
                if over or not is_temporary(error, doubtful=True):
                    raise recorded_unseen(error, *receipt[:2]) from None
                await asyncio.sleep(pause_s(error))

    async def history(self, address: str) -> list[Recorded]:
        """All events of a share or another entity; raises `NotFound`."""
        recorded: list[Recorded] = await self.catalog.call("history", address)
        return recorded


def _end_if_answered(span: Span, sent: SentCommand) -> None:
    """End *span* if the reply that *sent* has got leaves nothing to do; else `reply_to` ends it."""
    if (receipt := receipt_in(sent)) is not None:
        span.end(receipt.reason)


def receipt_in(sent: SentCommand) -> Receipt | None:
    """The receipt of *sent*, if its reply has come, is no error, and leaves nothing to wait for."""
    if not sent.reply.done() or sent.reply.cancelled() or sent.reply.exception() is not None:
        return None
    reply = sent.reply.result()
    under_way = sent.message.wait and reply.status == "accepted"
    return None if reply.error is not None or under_way else receipt_of(reply)


async def _receipt(sent: SentCommand, until: float) -> Receipt:
    try:
        async with asyncio.timeout_at(until):
            return receipt_of(await sent.reply)
    except TimeoutError:
        message, waited = sent.message, time.monotonic() - sent.began
        ids = message.share_id, message.command_id
        text = f"no reply within {waited:.3g} s; {UNKNOWN}"
        raise timed_out(*ids, text, waited, next_step=look_up(message.command_id)) from None
