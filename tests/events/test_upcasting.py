"""Upcasting: events of old schema versions are read as current ones."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from eventsourcing.persistence import StoredEvent

from share_actors.errors import LogError, LogTooNew
from share_actors.events.decider import Event
from share_actors.events.log.codec import Codec
from share_actors.events.log.upcasting import UPCASTERS, upcast
from share_actors.events.topics import EVENTS
from tests.golden.examples import ENVELOPE


class Moved(Event):
    """Schema version 3: version 1 had a `target`, version 2 a `host`, and this one has a `pool` too."""

    schema_version: ClassVar[int] = 3

    host: str
    pool: str


STEPS = {
    ("share.moved", 1): lambda old: {"host": old["target"]},
    ("share.moved", 2): lambda old: {**old, "pool": "default"},
}
CODEC = Codec(events={"share.moved": Moved}, upcasters=STEPS)


def written(schema: int, **fields: Any) -> StoredEvent:
    envelope = json.loads(ENVELOPE.model_dump_json())
    state = {"event_id": "e", "schema_version": schema, "envelope": envelope, "event": fields}
    return StoredEvent("s", 4, "share.moved", json.dumps(state).encode())


def test_the_first_schema_version_passes_through_every_upcaster() -> None:
    assert CODEC.decode(written(1, target="h")).event == Moved(host="h", pool="default")


def test_a_later_schema_version_passes_through_the_remaining_upcasters() -> None:
    assert CODEC.decode(written(2, host="h")).event == Moved(host="h", pool="default")


def test_the_current_schema_version_passes_through_no_upcaster() -> None:
    assert CODEC.decode(written(3, host="h", pool="p")).event == Moved(host="h", pool="p")


def test_an_old_schema_version_is_upcast_even_if_its_fields_fit_the_current_one() -> None:
    assert CODEC.decode(written(2, host="h", pool="p")).event == Moved(host="h", pool="default")


def test_a_newer_schema_version_is_refused() -> None:
    with pytest.raises(LogTooNew, match=r"s version 4: share\.moved, schema version 4: .*upgrade"):
        CODEC.decode(written(4, host="h", pool="p"))


def test_a_missing_upcaster_is_an_error() -> None:
    with pytest.raises(LogError, match=r"no upcaster for share\.moved from schema version 2"):
        upcast(
            "share.moved", {"target": "h"}, version=1, current=3, table=dict([*STEPS.items()][:1])
        )


@pytest.mark.parametrize("schema", [0, -1, "1", 1.5, None, True])
def test_an_invalid_schema_version_is_refused(schema: Any) -> None:
    with pytest.raises(LogError, match=r"s version 4: share\.moved"):
        CODEC.decode(written(schema, host="h"))


def test_every_old_schema_version_of_every_event_has_an_upcaster() -> None:
    needed = {(t, v) for t, cls in EVENTS.items() for v in range(1, cls.schema_version)}

    assert set(UPCASTERS) == needed
