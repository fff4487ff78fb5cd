"""The asynchronous client's requests in bulk: any number of items, with bounded memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, Unpack

from share_actors.actors.messaging.parameters import (
    flag,
    mapping,
    number,
    own_id,
    refuse,
    seconds,
    word,
)
from share_actors.actors.messaging.parameters import items as iterable
from share_actors.client.bulk.ids import BatchIds
from share_actors.client.bulk.operations import (
    Allowances,
    Creations,
    Deletions,
    FindShare,
    Operation,
)
from share_actors.client.bulk.results import BulkResult
from share_actors.client.bulk.window import AsyncSource, Window
from share_actors.client.ids import fresh_id
from share_actors.client.keywords import DEFAULT_TIMEOUT_S, IN_FLIGHT, BulkOptions
from share_actors.client.receipt import Receipt, raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.share.creator import ShareCreator
from share_actors.client.showing import Shown, caller_text
from share_actors.errors import InvalidRequest, OperationFailed, ShareActorsError, shown

MAX_IN_FLIGHT = 100_000
OperationName = Literal["create_shares", "allow_access", "delete_shares"]
"""The operations, by the names of their methods."""
BulkItems = Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]


class Batch:
    """One operation on many items, of which each gets a result."""

    def __init__(self, requests: Requests, operation: Operation, options: BulkOptions) -> None:
        self._requests, self._operation = requests, operation
        project_id = requests.context.project_id
        self._ids = BatchIds(options.get("batch_id"), operation.name, project_id)
        self._wait = flag("wait", options.get("wait", True))
        self._timeout_s = seconds("timeout", options.get("timeout", DEFAULT_TIMEOUT_S))
        size = number("in_flight", options.get("in_flight", IN_FLIGHT))
        if not 1 <= size <= MAX_IN_FLIGHT:
            refuse("in_flight", size, f"is not from 1 to {MAX_IN_FLIGHT}")
        self.window = Window(self._send, size)

    async def _send(self, index: int, item: object) -> BulkResult:
        result = BulkResult(index, str(index), "")
        try:
            fields = mapping("item", item)
            key = own_id("key", fields.pop("key", None))
            name = f"index {index}" if key is None else f"key {key}"
            result = replace(result, key=key or str(index), command_id=self._ids.command_id(name))
            return await self._request(result, fields)
        except ShareActorsError as error:
            return replace(result, error=self._named(error, result))

    async def _request(self, result: BulkResult, fields: dict[str, Any]) -> BulkResult:
        until = time.monotonic() + self._timeout_s
        command_id = result.command_id
        address, command = await self._operation.prepare(fields, command_id)
        sent = self._requests.send(address, command, self._wait, command_id)
        receipt = await self._requests.reply_to(sent, until)
        rule = self._operation.rule(command, receipt)
        return replace(result, receipt=receipt, error=_failure(receipt), rule=rule)

    def _named(self, error: ShareActorsError, result: BulkResult) -> ShareActorsError:
        """*error*; if the item is another one than in an earlier run, an error that names it."""
        if not isinstance(error, InvalidRequest) or error.field != "command_id":
            return error
        text = f"key: item {shown(result.key)} of batch {shown(self._ids.batch_id)} was another request"
        text += " before: it has changed since; nothing was recorded"
        return InvalidRequest(text, field="key", value=result.key)


def _failure(receipt: Receipt) -> OperationFailed | None:
    try:
        raise_for_status(receipt)
    except OperationFailed as error:
        return error
    return None


class AsyncBulk(Shown):
    """Requests in bulk: items go in, their results come out as they end, in any order.

    Memory is bounded by the items in flight. An item that is refused or fails does not affect the others.
    If the system itself cannot be reached or its log cannot be written, no more items are sent; the results
    of those in flight come, then the error is raised. An error of *items* is raised likewise. The iterator
    may be left at any time: what was sent goes on.
    """

    def __init__(self, requests: Requests, creator: ShareCreator, find_share: FindShare) -> None:
        self._requests = requests
        operations: tuple[Operation, ...] = (
            Creations(requests, creator),
            Allowances(requests, find_share),
            Deletions(requests, find_share),
        )
        self._operations = {operation.name: operation for operation in operations}

    def __repr__(self) -> str:
        return f"<requests in bulk, as {caller_text(self._requests.context)}>"

    def create_shares(
        self, items: BulkItems, **options: Unpack[BulkOptions]
    ) -> AsyncIterator[BulkResult]:
        """Create a share of each item, a mapping of arguments of `create_share` (`size`, `name`, ...).

        An item may have a `key`, which identifies it in its batch in place of its index.
        """
        return self._results("create_shares", items, options)

    def allow_access(
        self, items: BulkItems, **options: Unpack[BulkOptions]
    ) -> AsyncIterator[BulkResult]:
        """Allow access by each item: `share` (id or name), `to`, `type` and `level`, or `key` too."""
        return self._results("allow_access", items, options)

    def delete_shares(
        self, items: BulkItems, **options: Unpack[BulkOptions]
    ) -> AsyncIterator[BulkResult]:
        """Delete the share of each item: `share` (id or name), with its snapshots if `cascade`."""
        return self._results("delete_shares", items, options)

    async def check(
        self, operation: OperationName, items: Iterable[Mapping[str, object]]
    ) -> dict[int, ShareActorsError]:
        """The errors of the *items* that *operation* can never do, by index; nothing is recorded.

        Whether a share exists, or fits on a backend, is checked only when the item is done.
        """
        checked, errors = self._operation(operation), dict[int, ShareActorsError]()
        for index, item in enumerate(checked_items(items)):
            try:
                fields = mapping("item", item)
                own_id("key", fields.pop("key", None))
                await checked.check(fields, fresh_id())
            except ShareActorsError as error:
                errors[index] = error
        return errors

    def batch(self, operation: str, options: BulkOptions) -> Batch:
        """A batch of *operation*; raises `InvalidRequest` for invalid *options*."""
        return Batch(self._requests, self._operation(operation), options)

    def _operation(self, name: object) -> Operation:
        found = self._operations.get(word("operation", name))
        if found is None:
            refuse("operation", name, f"is not one of {', '.join(self._operations)}")
        return found

    def _results(
        self, operation: str, items: BulkItems, options: BulkOptions
    ) -> AsyncIterator[BulkResult]:
        batch = self.batch(operation, options)
        if isinstance(items, AsyncIterable):
            return _results(batch.window, AsyncSource(items))
        return _results(batch.window, AsyncSource(_one_by_one(checked_items(items))))


def checked_items(items: object) -> Iterable[Any]:
    """*items*; raises `InvalidRequest` unless they can be iterated over."""
    return iterable("items", items)


async def _one_by_one(items: Iterable[object]) -> AsyncIterator[object]:
    for item in items:
        yield item


async def _results(window: Window, source: AsyncSource) -> AsyncIterator[BulkResult]:
    try:
        while not (window.is_empty and (source.has_ended or window.failure)):
            for result in await window.step(await source.draw(window.room)):
                yield result
    finally:
        window.cancel()
    if error := window.failure or source.error:
        raise error
