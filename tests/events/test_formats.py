"""The format of the log: what a newer version brings is held back until an upgrade is finished."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic_core import from_json

from share_actors.audit.reading.reader import open_reader
from share_actors.config import LogSettings
from share_actors.errors import LogTooNew, Refused
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope
from share_actors.events.formats import FORMATS, STREAM, FormatRaised, Formats, format_of
from share_actors.events.log import Log
from share_actors.events.log.codec import Codec
from share_actors.events.log.format_record import raise_format
from share_actors.events.topics import EVENTS
from share_actors.testing import InMemoryLog
from share_actors.versions import FORMAT, OWN

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENVELOPE = Envelope(
    command_id="c",
    fingerprint="f",
    correlation_id="c",
    request_id=None,
    user_id="alice",
    project_id="p",
    roles=(),
    at=AT,
    writer="w",
)


class Painted(Event, topic="share.painted"):
    schema_version: ClassVar[int] = 3
    shade: str
    depth: int


class Frozen(Event, topic="share.frozen"):
    pass


FUTURE = Formats(
    newest=3,
    since={("share.painted", 2): 2, ("share.painted", 3): 3, ("share.frozen", 1): 2},
    lower={
        ("share.painted", 3): lambda fields: {"shade": fields["shade"]},
        ("share.painted", 2): lambda fields: {"colour": fields["shade"]},
    },
)
"""The formats of a version with two more than this: the event was changed twice, another one is new."""


def stored(event: Event, written: int) -> tuple[int, object]:
    """The schema version and the fields of *event* as they are recorded in a format."""
    codec = Codec(formats=FUTURE)
    codec.written_format = written
    record = from_json(codec.encode("share-1", 1, "e", ENVELOPE, event).state)
    return record["schema_version"], record["event"]


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        (1, (1, {"colour": "red"})),
        (2, (2, {"shade": "red"})),
        (3, (3, {"shade": "red", "depth": 2})),
    ],
)
def test_an_event_is_recorded_as_the_format_of_the_log_has_it(
    written: int, recorded: tuple[int, object]
) -> None:
    assert stored(Painted(shade="red", depth=2), written) == recorded


def test_a_new_kind_of_event_is_refused_in_an_older_format_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"share.frozen is recorded from log format 2 on") as refused:
        FUTURE.check(Frozen(), 1)

    assert "upgrade finish" in refused.value.details["next_step"]
    FUTURE.check(Frozen(), 2)
    FUTURE.check(Painted(shade="red", depth=2), 1)


def test_each_event_that_a_later_format_brings_can_be_written_in_an_older_one_or_is_new() -> None:
    for (topic, version), since in FORMATS.since.items():
        assert 1 < since <= FORMAT
        assert version <= EVENTS[topic].schema_version
        assert version == 1 or (topic, version) in FORMATS.lower
    assert FORMATS.newest == FORMAT == OWN.log_format


def raised(to: int) -> FormatRaised:
    return FormatRaised(format=to, program="9.9.9")


def record(log: Log, event: FormatRaised) -> None:
    asyncio.run(log.append(STREAM, log.version(STREAM), [(ENVELOPE, event)]))


def test_a_log_in_a_newer_format_is_not_opened_and_the_error_names_the_versions(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    with closing(Log.open(LogSettings(), path)) as log:
        record(log, raised(FORMAT + 1))

    wanted = f"format {FORMAT + 1}, which share_actors 9.9.9 .* this is share_actors {OWN.program}"
    with pytest.raises(LogTooNew, match=wanted):
        Log.open(LogSettings(), path)
    with pytest.raises(LogTooNew, match=f"{path}: .*{wanted}"):
        open_reader(path)


def test_a_log_without_a_record_is_of_the_first_format() -> None:
    assert format_of([]) == 1
    assert format_of([raised(1)]) == 1


def test_the_format_is_raised_once_and_other_processes_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("formats", "log.format_record"):
        monkeypatch.setattr(f"share_actors.events.{module}.FORMAT", 2)
    with closing(InMemoryLog()) as log, closing(log.reopen()) as other:
        for opened in (log, other):
            opened._codec.formats = FUTURE._replace(newest=2)
        with pytest.raises(Refused):
            other.format.check(Frozen())

        assert asyncio.run(raise_format(log, ENVELOPE)) is True
        assert asyncio.run(raise_format(log, ENVELOPE)) is False

        other.format.check(Frozen())
        assert (log.format.written, other.format.written) == (2, 2)
        [entry] = log.read(STREAM)
        assert entry.event == FormatRaised(format=2, program=OWN.program)
