"""What every call of the client is made of: a request that is sent once, recorded, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from share_actors.actors.messaging.coalescer import Coalescer
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, ask, unpack_error
from share_actors.actors.runtime import lifecycle
from share_actors.actors.runtime.calls import call, patiently
from share_actors.audit.explanation import Tried, progress
from share_actors.errors import (
    Ambiguous,
    Busy,
    NotFound,
    OperationFailed,
    ShareActorsError,
    TimedOut,
    Unavailable,
)
from share_actors.events.decider import Command
from share_actors.events.envelope import Recorded
from share_actors.values import RequestContext, Share

TIMEOUT_S = 300.0
"""How long a call waits for its outcome unless told otherwise."""
POLL_S = 10.0
TOGETHER = 256


class Receipt(NamedTuple):
    """A request that is recorded and durable. `status`: accepted (in progress), done, or failed."""

    share_id: str
    command_id: str
    status: str
    version: int = 0
    reason: str | None = None
    view: bytes | None = None
    part: bool = False
    attempt: Tried | None = None
    """Of what is in progress, the last attempt, when its receipt was asked for; None: it waits its turn."""

    @property
    def share(self) -> Share | None:
        """The share as it was when the work ended; None while in progress.

        Of a request about one rule or snapshot it has that one only (and `part` is true).
        """
        return None if self.view is None else Share.model_validate_json(self.view)


class Page(NamedTuple):
    """Some of what was asked for; `next_marker` asks for what follows, None at the end."""

    items: tuple[Any, ...]
    next_marker: str | None


class Sent(NamedTuple):
    """A request on its way, and its future answer."""

    asked: CommandMessage
    answer: asyncio.Future[CommandReply]


class Requests:
    """Requests to the system on behalf of one user; those that are made together travel together."""

    def __init__(self, manager: Any, namespace: str, context: RequestContext) -> None:
        self.catalog = lifecycle.find_catalog(namespace)
        self.manager = manager
        self._context = context.model_dump_json().encode()
        self._lanes: dict[bool, Coalescer[CommandMessage, CommandReply]] = {
            wait: Coalescer(self._submit, lanes=3)  # a receipt shall not wait for others' outcomes
            for wait in (True, False)
        }
        self._outcomes: Coalescer[tuple[str, str], CommandReply | None] = Coalescer(
            self._wait_some, max_batch=TOGETHER, lanes=64
        )

    # -- commands --------------------------------------------------------------------------------
    async def ask(
        self, share_id: str, command: Command, wait: bool, timeout: float, command_id: str | None
    ) -> Receipt:
        """Have *command* recorded, and its work done if *wait*; the same id asks only once."""
        sent = self.send(share_id, command, wait, command_id)
        return await self.ended(sent, time.monotonic() + timeout)

    def send(self, share_id: str, command: Command, wait: bool, command_id: str | None) -> Sent:
        """Send *command*, not waiting for anything."""
        new = command_id or uuid4().hex
        given = command_id is not None
        asked = ask(share_id, command, self._context, new, wait=wait, repeated=given)
        return Sent(asked, self._lanes[wait].put(asked))

    async def ended(self, sent: Sent, until: float) -> Receipt:
        """The receipt of what was sent: of work that ended, if that was to be waited for."""
        receipt = await self._recorded(sent, until)
        return await self.outcome(receipt, until) if sent.asked.wait else receipt

    async def _recorded(self, sent: Sent, until: float) -> Receipt:
        """The receipt of what was sent, sent again while the system is busy or being restarted."""
        while True:
            try:
                return await _receipt(sent, until)
            except (Busy, Unavailable) as error:
                pause = _pause(error)
                if time.monotonic() + pause > until or not _worth_another(error):
                    raise
                await asyncio.sleep(pause)
                again = sent.asked._replace(repeated=True)
                sent = Sent(again, self._lanes[again.wait].put(again))

    async def _submit(self, asks: list[CommandMessage]) -> Sequence[CommandReply]:
        answers: Sequence[CommandReply] = await call(self.manager.submit.remote(asks))
        return answers

    # -- outcomes --------------------------------------------------------------------------------
    async def outcome(self, receipt: Receipt, until: float) -> Receipt:
        """The receipt once its work has ended; raises `TimedOut` if that is after *until*."""
        pair, began = receipt[:2], time.monotonic()
        while receipt.status == "accepted":
            try:
                async with asyncio.timeout_at(until):
                    answer = await self._outcomes.put(pair)
            except TimeoutError:
                said = f"still in progress after {until - began:.3g} s; the request is recorded and goes on"
                raise _timed_out(*pair, said, until - began) from None
            except (Busy, Unavailable) as error:
                if not _worth_another(error):
                    raise
                await asyncio.sleep(_pause(error))
            else:
                receipt = receipt if answer is None else _told(answer)
        return receipt

    async def look_up(self, command_id: str, share_id: str | None) -> Receipt:
        """What came of a request so far, and of one in progress the last attempt; raises `NotFound`."""
        share_id = share_id or await self._share_of(command_id)
        answers = await self.manage("wait", [(share_id, command_id)], 0.0)
        if answers:
            return _told(answers[0])
        history = await self.history(share_id)
        return Receipt(
            share_id,
            command_id,
            "accepted",
            attempt=await asyncio.to_thread(progress, history, command_id),
        )

    async def _share_of(self, command_id: str) -> str:
        """The share that the request was made of."""
        shares = await self.catalog.call("ask", "command_shares", command_id=command_id)
        if not shares:
            said = f"no request {command_id!r} is recorded: it was refused, or asked for what was so already"
            raise NotFound(said, field="command_id", value=command_id)
        if len(shares) > 1:
            said = f"{command_id!r} was used for several shares, such as {' and '.join(shares)}: say which"
            raise Ambiguous(said, field="command_id", value=command_id, ids=shares)
        return str(shares[0])

    async def _wait_some(self, pairs: list[tuple[str, str]]) -> Sequence[CommandReply | None]:
        answers = await call(self.manager.wait.remote(pairs, POLL_S))
        ended = {(a.share_id, a.command_id): a for a in answers}
        return [ended.get(pair) for pair in pairs]

    # -- questions -------------------------------------------------------------------------------
    async def manage(self, method: str, *args: Any) -> Any:
        """A call to the manager that changes nothing: made again while it is being restarted."""
        asked = getattr(self.manager, method)
        return await patiently(lambda: asked.remote(*args))

    async def view(self, share_id: str) -> Share:
        """A share as its own actor knows it; raises `NotFound`."""
        found: Share = await self.manage("view", share_id)
        return found

    async def history(self, share_id: str) -> list[Recorded]:
        """All that ever happened to a share; raises `NotFound`."""
        recorded: list[Recorded] = await self.catalog.call("history", share_id)
        return recorded


async def _receipt(sent: Sent, until: float) -> Receipt:
    began = time.monotonic()
    try:
        async with asyncio.timeout_at(until):
            return _told(await sent.answer)
    except TimeoutError:
        said = (
            f"no answer after {until - began:.3g} s; whether the request is recorded is not known yet:"
            " ask for its receipt, or again with the same command id"
        )
        raise _timed_out(sent.asked.share_id, sent.asked.command_id, said, until - began) from None


def _timed_out(share_id: str, command_id: str, said: str, seconds: float) -> TimedOut:
    return TimedOut(
        f"share {share_id}: {said}", field="timeout", value=round(seconds, 3),
        share_id=share_id, command_id=command_id,
    )  # fmt: skip


def _told(answer: CommandReply) -> Receipt:
    if answer.error is not None:
        raise unpack_error(answer.error)
    return Receipt(*answer[:7])


def _worth_another(error: ShareActorsError) -> bool:
    """Whether *error* is of a system that is busy or being restarted, and not one that is down."""
    return isinstance(error, Busy) or bool(error.details.get("passing"))


def _pause(error: ShareActorsError) -> float:
    return error.retry_after if isinstance(error, Busy) else 0.2


def raise_for_status(receipt: Receipt) -> Receipt:
    """*receipt*; raises `OperationFailed` if its work failed."""
    if receipt.status == "failed":
        raise OperationFailed(
            f"share {receipt.share_id}: {receipt.reason}", field="id", value=receipt.share_id,
            share_id=receipt.share_id, command_id=receipt.command_id,
        )  # fmt: skip
    return receipt


def new_id(command_id: str | None) -> str:
    """A new id; the same one for the same command id, so that asking again asks the same."""
    return str(_uuid7() if command_id is None else uuid5(NAMESPACE_OID, command_id))


def _uuid7() -> UUID:
    """RFC 9562: milliseconds, then random bits. Shares made together lie together in every index."""
    made_at = time.time_ns() // 1_000_000
    version_and_variant, random_bits = 0x7000_8000_0000_0000_0000, 0x0FFF_3FFF_FFFF_FFFF_FFFF
    return UUID(int=made_at << 80 | version_and_variant | uuid4().int & random_bits)
