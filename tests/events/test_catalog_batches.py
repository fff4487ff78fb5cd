"""A catalog that is filled in batches equals one that is filled event by event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from share_actors.config import LogSettings
from share_actors.events.catalog import Catalog, sql
from share_actors.events.catalog.rows import time_key
from share_actors.events.log import Log
from share_actors.testing import InMemoryLog
from share_actors.values import Share
from tests.events.catalog_fixtures import poison
from tests.events.share_events import envelope
from tests.events.share_walks import Walk, walks

SUMS = {"catalog_room": 6, "catalog_counts": 1}
"""Tables of running numbers: a row may be missing or have zeros only, which is the same."""
Tables = dict[str, list[tuple[object, ...]]]


async def record(log: Log, lives: list[Walk], chance: Random, poisoned: bool) -> None:
    """Record the events of several shares, each time the next one or several of any of them."""
    waiting = {f"share-s{n}": list(walk.events) for n, walk in enumerate(lives)}
    versions = dict.fromkeys(waiting, 0)
    if poisoned:
        waiting["share-s0"].insert(chance.randint(0, len(lives[0].events)), poison)
    while waiting := {stream: events for stream, events in waiting.items() if events}:
        stream = chance.choice([*waiting])
        n = chance.randint(1, 3)
        told, waiting[stream] = waiting[stream][:n], waiting[stream][n:]
        command = chance.choice([None, f"c{chance.randint(0, 9)}"])
        await log.append(stream, versions[stream], [(envelope(command), e) for e in told])
        versions[stream] += len(told)


def filled(log: Log, path: Path, sizes: Iterator[int]) -> Tables:
    """The tables of a new catalog after batches of these *sizes*."""
    with closing(Catalog.open(log, LogSettings(), path)) as catalog:
        while catalog.catch_up(next(sizes)):
            pass
        return {table: rows(catalog, table) for table in sql.TABLES}


def rows(catalog: Catalog, table: str) -> list[tuple[object, ...]]:
    if table == "catalog_rules":  # the numbers differ, and only their order in a share matters
        columns, order = "share_id, id, state, value, sets", "share_id, n"
    else:
        columns, order = "*", "1, 2, 3"
    query = sql.Query(f"SELECT {columns} FROM {{s}}{table} ORDER BY {order}", [])
    found = [tuple(row) for row in catalog._store.rows(query)]
    return [row for row in found if table not in SUMS or any(row[-SUMS[table] :])]


@settings(max_examples=40, deadline=None)
@given(st.lists(walks, min_size=1, max_size=3), st.randoms(use_true_random=False), st.booleans())
def test_a_catalog_filled_in_batches_equals_one_filled_event_by_event(
    lives: list[Walk], chance: Random, poisoned: bool
) -> None:
    with TemporaryDirectory() as directory, closing(InMemoryLog()) as log:
        asyncio.run(record(log, lives, chance, poisoned))
        home = Path(directory)

        one_by_one = filled(log, home / "one.db", iter(lambda: 1, 0))
        in_batches = filled(log, home / "some.db", iter(lambda: chance.randint(1, 9), 0))
        at_once = filled(log, home / "all.db", iter(lambda: 10_000, 0))

    assert in_batches == one_by_one
    assert at_once == one_by_one


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))])))
def test_times_in_the_catalog_are_those_of_iso_8601_in_utc(at: datetime) -> None:
    assume(datetime(1, 1, 3) < at.replace(tzinfo=None) < datetime(9999, 12, 30))
    read = Share.model_validate_json(Share(created_at=at).json_bytes()).created_at

    assert time_key(read) == at.astimezone(UTC).isoformat(timespec="microseconds")
