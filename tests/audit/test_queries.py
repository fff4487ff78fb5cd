"""Events by filter, one event, the entity that a text means, and following a log."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from share_actors.audit import queries
from share_actors.audit.reading.reader import LogReader, open_reader
from share_actors.config import LogSettings
from share_actors.errors import Ambiguous, InvalidRequest, LogError, NotFound
from share_actors.events import share_type
from share_actors.events.event_filter import EventFilter, event_filter
from share_actors.events.log import Log
from share_actors.events.topics import EVENTS
from tests.audit.conftest import HOME, NOON, SCRATCH, write


def positions(reader: LogReader, **filters: object) -> list[int]:
    return [found.position for found in queries.matching(reader, event_filter(**filters))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, list(range(1, 16))),
        ({"entity": "s2"}, list(range(10, 16))),
        ({"project": "web"}, list(range(10, 16))),
        ({"user": "alice"}, list(range(1, 10))),
        ({"kind": "access.denied"}, [8]),
        ({"kind": "access"}, [4, 5, 8, 9, 12, 13]),
        ({"command": "c-create"}, [1, 2]),
        ({"since": "2026-03-01T12:00:50Z"}, [14, 15]),
        ({"until": "2026-03-01T13:00:01+01:00"}, [1, 2, 10]),
        ({"entity": "s1", "user": "bob"}, []),
        ({"kind": "share.created", "user": "bob"}, [11]),
    ],
    ids=str,
)
def test_events_are_chosen_by_what_they_say(
    where: str, filters: dict[str, object], expected: list[int]
) -> None:
    with open_reader(where) as reader:
        assert positions(reader, **filters) == expected


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"since": "2026-03-01T12:00:00"}, "since: '2026-03-01T12:00:00' has no time zone"),
        ({"until": "noon"}, "until: 'noon' is not a time"),
        ({"since": NOON.replace(tzinfo=None)}, "since: .* has no time zone"),
        ({"kind": "share.made"}, "kind: 'share.made' is not a topic"),
        ({"kind": "shar"}, "kind: 'shar' is not a topic"),
        ({"entity": "share:s1"}, "entity: 'share:s1' is neither"),
        ({"user": ""}, "user: '' is not a text"),
        ({"project": 7}, "project: 7 is not a text"),
        ({"owner": "alice"}, "owner: not a filter of events"),
    ],
    ids=str,
)
def test_a_bad_filter_is_refused_with_its_field_and_value(
    filters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem) as error:
        event_filter(**filters)

    assert (error.value.field, error.value.value) == next(iter(filters.items()))


def test_the_last_events_are_found_also_with_a_filter(reader: LogReader) -> None:
    web = event_filter(project="web")

    assert [e.position for e in queries.last(reader, EventFilter(), 2, 15)] == [14, 15]
    assert [e.position for e in queries.last(reader, web, 2, 12)] == [11, 12]
    assert queries.last(reader, web, 0, 15) == []


def test_an_event_is_found_by_its_position_and_by_its_id(reader: LogReader) -> None:
    by_position = queries.find_event(reader, "7")

    assert queries.find_event(reader, by_position.event_id) == by_position


@pytest.mark.parametrize("text", ["0", "16", "9" * 40, "nothing", ""])
def test_an_event_that_is_not_there_is_not_found(reader: LogReader, text: str) -> None:
    with pytest.raises(NotFound, match="there is no event"):
        queries.find_event(reader, text)


def test_another_kind_of_id_is_recognized(reader: LogReader) -> None:
    with pytest.raises(NotFound, match="another kind of id"):
        queries.find_event(reader, "c-create")


def test_an_entity_is_found_by_its_id_its_name_and_its_stream(reader: LogReader) -> None:
    texts = ("s2", "scratch", "share-s2")

    assert [queries.find_stream(reader, text) for text in texts] == ["share-s2"] * 3


def test_a_text_that_means_two_entities_is_ambiguous(log_path: Path) -> None:
    created: Any = EVENTS["type.created"]
    event = created.model_construct(name="s1", description=None, is_public=True, extra_specs={})
    assert isinstance(event, created)
    with closing(Log.open(LogSettings(), log_path)) as log:
        write(log, f"{share_type.KIND}-s1", [(70, event)])

    with open_reader(log_path) as reader, pytest.raises(Ambiguous, match="share-s1, share_type-s1"):
        queries.find_stream(reader, "s1")


def test_following_yields_what_is_there_and_then_what_comes(log_path: Path) -> None:
    with closing(Log.open(LogSettings(), log_path)) as log, open_reader(log_path) as reader:

        def wait(_seconds: float) -> None:
            write(log, "share-s3", [HOME[0]])
            write(log, "share-s4", [SCRATCH[0]])

        events = queries.follow(reader, event_filter(user="alice"), 8, wait)

        assert [e.position for e in islice(events, 5)] == [9, 16, 17, 18, 19]


def test_following_ends_when_another_log_has_replaced_the_one_that_was_read(
    reader: LogReader,
) -> None:
    with pytest.raises(LogError, match="another log has replaced it"):
        next(queries.follow(reader, EventFilter(), 16))
