"""The last versions of streams, read for many entities at once: each confirms that it is the current one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from eventsourcing.persistence import ApplicationRecorder

_Request = tuple[str, asyncio.Future[int]]


@runtime_checkable
class ReadsVersions(Protocol):
    """A recorder that reads the last versions of many streams with one query."""

    def last_versions(self, streams: Sequence[str], /) -> Mapping[str, int]:
        """The version of the last event of each of *streams* that has one."""


def last_versions(recorder: ApplicationRecorder, streams: Sequence[str]) -> Mapping[str, int]:
    """The version of the last event of each of *streams* that has one."""
    if isinstance(recorder, ReadsVersions):
        return recorder.last_versions(streams)
    rows = (recorder.select_events(stream, desc=True, limit=1) for stream in streams)
    return {str(row.originator_id): row.originator_version for found in rows for row in found}


class VersionReads:
    """Reads all versions that are asked for in one turn of an event loop together, in a thread."""

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        self._read = read
        self._waiting: dict[asyncio.AbstractEventLoop, list[_Request]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def version(self, stream: str) -> int:
        """The version of the last event of *stream*, 0 if it has none; raises what the read raises.

        The read begins after this call.
        """
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(loop)
        if waiting is None:
            self._forget_closed_loops()
            waiting = self._waiting[loop] = []
            loop.call_soon(self._begin, loop)
        version: asyncio.Future[int] = loop.create_future()
        waiting.append((stream, version))
        return await version

    def _forget_closed_loops(self) -> None:
        """One that was stopped between a request and its read takes its requests with it."""
        for loop in [loop for loop in self._waiting if loop.is_closed()]:
            del self._waiting[loop]

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        requests = self._waiting.pop(loop)
        reading = loop.create_task(self._settle(requests))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        reading.add_done_callback(lambda _: _cancel(requests))  # those that it left: the loop ends

    async def _settle(self, requests: Sequence[_Request]) -> None:
        streams = list(dict.fromkeys(stream for stream, _ in requests))
        try:
            versions = await asyncio.to_thread(self._read, streams)
        except Exception as error:
            for _, version in requests:
                if not version.done():
                    version.set_exception(error)
        else:
            for stream, version in requests:
                if not version.done():  # its caller may have been cancelled
                    version.set_result(versions.get(stream, 0))


def _cancel(requests: Sequence[_Request]) -> None:
    for _, version in requests:
        version.cancel()
