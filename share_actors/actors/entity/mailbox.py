"""What waits for the next turn of an entity."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from share_actors.actors.entity.turn import Outcome, QueuedCommand, Reading
from share_actors.errors import Busy, ShareActorsError

Item = QueuedCommand | Reading | Outcome


class Mailbox(deque[Item]):
    """Commands, reads and outcomes in the order in which they are decided; commands only up to *limit*."""

    def __init__(self, entity_id: str, limit: int) -> None:
        super().__init__()
        self._id, self._limit = entity_id, limit

    def accept(self, queued: QueuedCommand) -> bool:
        """Add a command, or refuse it (`Busy`) if the mailbox is full; whether it was added."""
        waiting = len(self)
        if waiting >= self._limit:
            queued.refuse(Busy(f"{waiting} commands wait for {self._id} already", retry_after=0.1))
            return False
        self.append(queued)
        return True

    def add_reading(self) -> asyncio.Future[None]:
        """Add a read; the result is done once the log has confirmed that the state is current."""
        reading = Reading(asyncio.get_running_loop().create_future())
        self.append(reading)
        return reading.confirmed

    def add_comparison(self) -> None:
        """Add a read whose result nobody waits for: the entity ends if its state is not current."""
        self.add_reading().add_done_callback(lambda done: done.exception())

    def take(self) -> list[Item]:
        """Remove and return everything."""
        batch = list(self)
        self.clear()
        return batch

    def put_back(self, batch: Sequence[Item]) -> None:
        """Put what was taken before everything that came since."""
        self.extendleft(reversed(batch))

    def refuse_all(self, error: ShareActorsError) -> None:
        """Answer every command and read with *error*, and drop the outcomes."""
        for item in self.take():
            if not isinstance(item, Outcome):
                item.refuse(error)
