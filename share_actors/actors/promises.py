"""Promises: outcomes that somebody waits for, by the command that they are of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from share_actors.actors.messages import Answer, Ask, refusal
from share_actors.errors import ShareActorsError
from share_actors.events.receipts import Receipt, Receipts

View = Callable[[tuple[str, ...]], tuple[bytes, bool]]


class Promises:
    """The futures of one entity's commands; *view* tells the entity as JSON, as far as works concern it."""

    def __init__(self, entity_id: str, view: View) -> None:
        self._id, self._view = entity_id, view
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def answer(self, receipt: Receipt) -> Answer:
        """*receipt* as it travels."""
        return Answer(self._id, receipt.command_id, receipt.status, receipt.version, receipt.reason)

    def promise(self, receipt: Receipt, outcome: asyncio.Future[Answer]) -> None:
        """Answer *outcome* once the work of *receipt* is done, which may be now."""
        if receipt.status == "accepted":
            others = self._waiting.setdefault(receipt.command_id, [])
            others[:] = [other for other in others if not other.done()]
            others.append(outcome)
        elif not outcome.done():
            view, part = self._view(receipt.works)
            outcome.set_result(self.answer(receipt)._replace(view=view, part=part))

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
