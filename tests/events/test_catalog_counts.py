"""The running numbers of the catalog equal what is counted anew, after any history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from share_actors.events import share
from share_actors.events.catalog import Catalog, projection, sql
from share_actors.events.share.messages import ShareDeleted
from share_actors.events.share.resize import ShareResized, ShareResizeRequested
from share_actors.events.share.room import Room, room_of
from tests.events.catalog_fixtures import (
    Fixtures,
    LoggedShares,
    OnPostgres,
    OnSQLite,
    allowed,
    deleting,
    poison,
)

FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"project_id": "demo"},
    {"backend": "b1"},
    {"status": "deleted"},
    {"project_id": "other", "backend": "b2", "is_public": False},
)
STEPS = (
    (allowed(),),
    (deleting,),
    (deleting, ShareDeleted()),
    (ShareResizeRequested(doing="extend", size=5),),
    (ShareResizeRequested(doing="extend", size=7), ShareResized(doing="extend", size=7)),
    (poison,),
)


def counted(catalog: Catalog, filters: dict[str, Any]) -> dict[str, int]:
    """The shares of each status, from their rows."""
    columns = {key: int(v) if isinstance(v, bool) else v for key, v in filters.items()}
    query = sql.count(sql.SHARES, columns)
    return {row["kind"]: row["n"] for row in catalog._store.rows(query)}


def lasting(rooms: Mapping[str, Room]) -> dict[str, Room]:
    """The rooms that are taken without the parts that only grow; nothing where none is."""
    present = {host: room._replace(returned=0, unsettled=0) for host, room in rooms.items()}
    return {host: room for host, room in present.items() if any(room)}


def summed(catalog: Catalog) -> dict[str, Room]:
    """The room that is taken on each host, from the states of the shares."""
    rooms: dict[str, Room] = {}
    for row in catalog._store.rows(sql.Query("SELECT id FROM {s}catalog_shares", [])):
        state = catalog._current(row["id"])
        assert isinstance(state, share.ShareState)
        host = state.share.host
        rooms[host] = rooms.get(host, Room()).plus(room_of(state))
    return lasting(rooms)


class RunningNumbers(Fixtures):
    @pytest.mark.parametrize("seed", range(3))
    def test_running_numbers_are_those_of_the_rows(
        self, logged: LoggedShares, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, seed: int
    ) -> None:
        def unpark() -> object:
            return catalog.unpark("share-s0")

        chance = Random(seed)
        monkeypatch.setattr(projection, "MAX_STATES", 3)
        monkeypatch.setattr(projection, "BATCH_SIZE", chance.randint(1, 6))
        for n in range(12):
            host, project = chance.choice(["b1#p", "b2#q"]), chance.choice(["demo", "other"])
            logged.available_share(f"s{n}", host=host, project=project, size=chance.randint(1, 4))
            logged.append(f"s{chance.randint(0, n)}", *chance.choice(STEPS))
            repair: tuple[Callable[[], object], ...] = catalog.rebuild, unpark, catalog.catch_up
            chance.choice(repair)()

            catalog.catch_up()
            for filters in FILTERS:
                assert catalog.count_shares(**filters) == counted(catalog, filters)
            assert lasting(catalog.room().hosts) == summed(catalog)

    def test_a_count_looks_at_no_share(self, logged: LoggedShares, catalog: Catalog) -> None:
        for n in range(3):
            logged.available_share(f"s{n}")
        catalog.catch_up()

        with catalog._store.cursor(commit=True) as cursor:
            cursor.execute(catalog._store.dialect("DELETE FROM {s}catalog_shares"))

        assert Counter(catalog.count_shares()) == Counter(available=3)
        assert catalog.count_shares(name="home") == {}


class TestRunningNumbersOnSQLite(OnSQLite, RunningNumbers):
    pass


class TestRunningNumbersOnPostgres(OnPostgres, RunningNumbers):
    pass
