"""Promises: outcomes that somebody waits for, by the command that they are of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from share_actors.actors.messages import Answer, Ask, refusal
from share_actors.errors import ShareActorsError
from share_actors.events.receipts import Receipt, Receipts


class Promises:
    """The futures of one entity's commands; *view* is the entity as clients see it, as JSON."""

    def __init__(self, entity_id: str, view: Callable[[], bytes]) -> None:
        self._id, self._view = entity_id, view
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def answer(self, receipt: Receipt, view: bytes | None = None) -> Answer:
        """*receipt* as it travels."""
        told = receipt.command_id, receipt.status, receipt.version, receipt.reason
        return Answer(self._id, *told, view)

    def promise(self, receipt: Receipt, outcome: asyncio.Future[Answer]) -> None:
        """Answer *outcome* once the work of *receipt* is done, which may be now."""
        if receipt.status == "accepted":
            others = self._waiting.setdefault(receipt.command_id, [])
            others[:] = [other for other in others if not other.done()]
            others.append(outcome)
        elif not outcome.done():
            outcome.set_result(self.answer(receipt, self._view()))

    def keep(self, receipts: Receipts) -> None:
        """Answer those whose work is done by now."""
        for command_id in list(self._waiting):
            receipt = receipts.get(command_id)
            if receipt is not None and receipt.status != "accepted":
                for outcome in self._waiting.pop(command_id):
                    self.promise(receipt, outcome)

    def break_all(self, error: ShareActorsError) -> None:
        """Nobody here will answer: say so."""
        for command_id, outcomes in self._waiting.items():
            nothing = Ask(self._id, command_id, "", b"", b"")
            for outcome in outcomes:
                if not outcome.done():
                    outcome.set_result(refusal(nothing, error))
        self._waiting.clear()
