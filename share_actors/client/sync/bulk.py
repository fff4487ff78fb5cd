"""The synchronous form of `client/bulk/batch.py`, method for method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Unpack

from share_actors.client.bulk.batch import AsyncBulk, OperationName, checked_items
from share_actors.client.bulk.results import BulkResult
from share_actors.client.bulk.window import SyncSource, Window
from share_actors.client.keywords import BulkOptions
from share_actors.client.showing import Shown
from share_actors.client.sync.background_loop import call_soon, run
from share_actors.errors import ShareActorsError

Items = Iterable[Mapping[str, object]]


class Bulk(Shown):
    """Requests in bulk: items go in, their results come out as they end, in any order. See `AsyncBulk`.

    Items are drawn in the caller's thread, so that they may come from the system itself.
    """

    def __init__(self, bulk: AsyncBulk) -> None:
        self._bulk = bulk

    def __repr__(self) -> str:
        return repr(self._bulk)

    def create_shares(self, items: Items, **options: Unpack[BulkOptions]) -> Iterator[BulkResult]:
        """Create a share of each item, a mapping of arguments of `create_share` (`size`, `name`, ...).

        An item may have a `key`, which identifies it in its batch in place of its index.

        >>> results = system.bulk.create_shares({"size": 1, "name": f"home{n}"} for n in range(100))
        >>> sum(result.ok for result in results)
        100
        """
        return self._results("create_shares", items, options)

    def allow_access(self, items: Items, **options: Unpack[BulkOptions]) -> Iterator[BulkResult]:
        """Allow access by each item: `share` (id or name), `to`, `type` and `level`, or `key` too."""
        return self._results("allow_access", items, options)

    def delete_shares(self, items: Items, **options: Unpack[BulkOptions]) -> Iterator[BulkResult]:
        """Delete the share of each item: `share` (id or name), with its snapshots if `cascade`."""
        return self._results("delete_shares", items, options)

    def check(self, operation: OperationName, items: Items) -> dict[int, ShareActorsError]:
        """The errors of the *items* that *operation* can never do, by index; nothing is recorded."""
        return run(self._bulk.check(operation, list(checked_items(items))))

    def _results(
        self, operation: OperationName, items: Items, options: BulkOptions
    ) -> Iterator[BulkResult]:
        batch = self._bulk.batch(operation, options)
        return _results(batch.window, SyncSource(checked_items(items)))


def _results(window: Window, source: SyncSource) -> Iterator[BulkResult]:
    try:
        while not (window.is_empty and (source.has_ended or window.failure)):
            yield from run(window.step(source.draw(window.room)))
    finally:
        call_soon(window.cancel)
    if error := window.failure or source.error:
        raise error
