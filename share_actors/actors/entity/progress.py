"""What is counted of one entity's requests: how long their work took, and since when work is pending."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from share_actors.actors.entity.stream import EntityStream
from share_actors.actors.entity.turn import QueuedCommand
from share_actors.events.aggregates import address_of, backend_of
from share_actors.events.receipts import Key, RecordedRequest
from share_actors.observability.counts import Counts
from share_actors.observability.log_context import about, fields_of
from share_actors.observability.tracing import trace_id_in

logger = logging.getLogger(__name__)


class RequestProgress:
    """The requests that this activation recorded and whose work has not ended."""

    def __init__(self, entity_id: str, stream: EntityStream[Any, Any, Any], counts: Counts) -> None:
        self._id, self._stream, self._counts = entity_id, stream, counts
        self._under_way: dict[Key, tuple[str, float]] = {}
        """By request: the topic of its command, and when it was recorded."""
        self._age, self._is_pending = self._oldest, False

    def note(self, recorded: Sequence[QueuedCommand], ended: Mapping[Key, RecordedRequest]) -> None:
        """Note the requests that were *recorded*, and count those that *ended*."""
        for queued in recorded:
            if trace := queued.trace:  # before anything is logged about it
                self._stream.keep_trace(queued.key, trace)
        if logger.isEnabledFor(logging.INFO):
            self._log(recorded, ended)
        if recorded or ended:
            now = time.perf_counter()
            for queued in recorded:
                self._under_way[queued.key] = queued.message.topic, now
            for key, request in ended.items():
                if (begun := self._under_way.pop(key, None)) is not None:
                    topic, began = begun
                    self._counts.outcomes[topic, request.status].add(now - began)
        is_pending = self._stream.receipts.is_pending
        if is_pending is not self._is_pending:
            self._note_pending(is_pending)

    def _note_pending(self, is_pending: bool) -> None:
        self._is_pending = is_pending
        if is_pending:
            self._counts.pending[self._id] = self._age
        else:
            self._counts.pending.pop(self._id, None)

    def _log(self, recorded: Sequence[QueuedCommand], ended: Mapping[Key, RecordedRequest]) -> None:
        address = address_of(self._stream.name) or self._id
        backend = backend_of(self._stream.state)
        for queued in recorded:
            message, request_id = queued.message, queued.context.request_id
            trace = self._trace_id(queued.key)
            with about(
                fields_of(address, message.command_id, request_id, backend=backend, trace_id=trace)
            ):
                logger.info("%s is recorded", message.topic)
        for key, request in ended.items():
            trace = self._trace_id(key)
            with about(fields_of(address, key[1], backend=backend, trace_id=trace)):
                reason = "" if request.reason is None else f": {request.reason}"
                logger.info("the request is %s%s", request.status, reason)

    def _trace_id(self, key: Key) -> str:
        return trace_id_in(self._stream.traces.get(key, ""))

    def forget(self) -> None:
        """Count nothing more of this activation, which has ended."""
        self._under_way.clear()
        if self._counts.pending.get(self._id) is self._age:
            del self._counts.pending[self._id]

    def _oldest(self) -> tuple[str, datetime] | None:
        since, state = self._stream.receipts.pending_since, self._stream.state
        return None if since is None else (backend_of(state), since)
