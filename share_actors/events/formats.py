"""The format in which a log is written: new events are held back until every process can read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from share_actors.errors import LogTooNew, Refused
from share_actors.events.decider import Event
from share_actors.versions import FORMAT, VERSION

STREAM = "log-format"
"""The stream of the records of formats. It belongs to no entity, so no command leads to an event of it."""
Lowering = Callable[[dict[str, Any]], dict[str, Any]]


class FormatRaised(Event, topic="log.format_raised"):
    """From here on the log is written in another *format*, which *program* and later versions can read."""

    format: int
    program: str


def sentence(event: FormatRaised, who: str) -> str:
    """Describe *event*; *who* ran the command."""
    return (
        f"{who} finished an upgrade: the log is written in format {event.format}, which share_actors"
        f" {event.program} and later versions can read"
    )


def format_of(recorded: Sequence[Event]) -> int:
    """The format of a log whose last record of a format is in *recorded*; 1 without any.

    Raises `LogTooNew` if it is newer than this version can read.
    """
    written = 1
    for event in recorded:
        assert isinstance(event, FormatRaised)
        if event.format > FORMAT:
            raise _too_new(event)
        written = event.format
    return written


def _too_new(event: FormatRaised) -> LogTooNew:
    return LogTooNew(
        f"the log is written in format {event.format}, which share_actors {event.program} and later versions"
        f" can read; this is share_actors {VERSION}, which reads up to format {FORMAT}: upgrade share_actors"
        " here",
        field="format",
        value=event.format,
        program=event.program,
    )


class Formats(NamedTuple):
    """What a version of the program can write.

    *newest* is its newest format. *since* says of an event, by topic and schema version, with which format it
    came; the others are of format 1. *lower* converts an event's fields to the schema version before: of each
    schema version in *since*, except those of new topics, which are not written at all in an older format.
    """

    newest: int
    since: Mapping[tuple[str, int], int]
    lower: Mapping[tuple[str, int], Lowering]

    def lowered(self, topic: str, version: int, fields: bytes, written: int) -> tuple[int, bytes]:
        """The schema version and the fields (JSON) in which an event is recorded in the format *written*."""
        if self.since.get((topic, version), 1) <= written:
            return version, fields
        document = from_json(fields)
        while self.since.get((topic, version), 1) > written and (topic, version) in self.lower:
            document = self.lower[topic, version](document)
            version -= 1
        return version, to_json(document)

    def check(self, event: Event, written: int) -> None:
        """Raise `Refused` if *event* cannot be recorded in the format *written*."""
        topic, version = event.topic, event.schema_version
        while self.since.get((topic, version), 1) > written:
            if (topic, version) not in self.lower:
                raise _held_back(topic, self.since[topic, version], written)
            version -= 1


def _held_back(topic: str, needed: int, written: int) -> Refused:
    return Refused(
        f"{topic} is recorded from log format {needed} on, and this log is written in format {written}, so"
        " that processes of an earlier version can read it",
        field="format",
        value=written,
        next_step="Once every process runs this version (`share-actors upgrade show`), run"
        " `share-actors upgrade finish`.",
    )


FORMATS = Formats(FORMAT, since=MappingProxyType({}), lower=MappingProxyType({}))
"""What this version can write; a test requires an entry for each event that a later format brings."""
