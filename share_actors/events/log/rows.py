"""All rows of a log in order, archived ones included, as verification and checkpoints read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.log import Notification

Row = Notification | ArchivedRow
ReadRows = Callable[[int, int], Sequence[Row]]
"""At most so many rows after a position, in the order in which they were recorded; also archived ones."""


def rows_in_order(read: ReadRows, batch_size: int = 2_000) -> Iterator[Row]:
    """All rows, read in batches."""
    position = -(2**62)
    while rows := read(position, batch_size):
        yield from rows
        position = rows[-1].position
