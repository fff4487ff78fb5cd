"""The whole system on a real PostgreSQL server: the log and the catalog in one schema of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from share_actors.client import ShareHandle, ShareSystem
from share_actors.config import LogSettings
from share_actors.errors import LogError, Unavailable
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill, made
from tests.events import postgres

_schemas = count(1)


@pytest.fixture(scope="module")
def settings(postgres_server: LogSettings) -> LogSettings:
    """A schema that no other test uses."""
    return postgres_server.model_copy(update={"schema_name": f"site_{next(_schemas)}"})


@pytest.fixture(scope="module")
def site(new_sites: NewSite, settings: LogSettings) -> Site:
    return new_sites(log=settings)


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def rows(settings: LogSettings) -> int:
    """The number of events of shares, by a query on the server."""
    with postgres.admin(settings) as connection:
        asked = (
            f"SELECT count(*) FROM {settings.schema_name}.stored_events"
            " WHERE originator_id LIKE 'share-%'"
        )
        found = connection.execute(asked.encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_nothing_of_the_log_or_the_catalog_is_in_a_file(system: ShareSystem, site: Site) -> None:
    system.create_share(size=1)

    assert list(site.home.rglob("*.db*")) == []


def test_a_share_from_its_creation_to_its_deletion_on_postgresql(
    system: ShareSystem, site: Site, settings: LogSettings
) -> None:
    share = system.create_share(size=1, name=uuid4().hex)
    rule = share.allow_access("bob", type="user")
    share.create_snapshot("now")
    twin = system.create_share(size=1, snapshot_id=share.snapshots[0].id)

    assert system.share(str(share.name)).seen == share.refresh().seen
    assert [r.access_to for r in system.share(share.id).access_rules] == ["bob"]
    share.deny_access(rule)
    share.extend(2)
    share.delete(cascade=True)
    assert site.replayed()[share.id].status == "deleted"
    assert [s.id for s in system.shares(name=share.name).items] == []
    assert len(share.history()) > 10
    assert twin.refresh().status == "available"
    assert rows(settings) == site.events()


def test_a_list_contains_the_shares_that_were_just_created(system: ShareSystem) -> None:
    name = uuid4().hex
    for n in range(1, 6):
        system.create_shares([{"size": 1, "name": name}] * 10)
        assert system.count_shares(name=name) == {"available": 10 * n}


def test_a_kill_of_all_processes_loses_no_share(system: ShareSystem, site: Site) -> None:
    name = uuid4().hex
    asked = [{"size": 1, "name": name, "command_id": f"{name}-{i}"} for i in range(20)]
    shares = [made(share) for share in system.create_shares(asked, wait=False)]

    for pid in [*site.share_actor_pids(), site.manager_pid(), site.catalog_pid()]:
        kill(pid)

    again = [made(share) for share in system.create_shares(asked)]
    assert [share.id for share in again] == [share.id for share in shares]
    assert system.count_shares(name=name) == {"available": 20}
    assert {len(site.backend.calls("create_share", share.id)) for share in shares} <= {1, 2}


def test_all_is_there_after_a_stop_and_a_start(system: ShareSystem, site: Site) -> None:
    system.create_share(size=1).create_snapshot()
    before = site.settled()

    site.stop()

    assert site.settled() == before
    assert {i: s for i, s in site.replayed().items() if s.status != "deleted"} == before


def test_connections_that_the_server_closes_are_opened_again(
    system: ShareSystem, settings: LogSettings
) -> None:
    share = system.create_share(size=1)
    with postgres.admin(settings) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )

    assert share.extend(2).size == 2
    assert system.share(share.id).seen == share.seen
    assert system.shares(limit=1).items


def test_a_crash_of_the_database_server_under_load_loses_and_duplicates_no_share(
    system: ShareSystem, site: Site, settings: LogSettings
) -> None:
    name = uuid4().hex
    asked = [{"size": 1, "name": name, "command_id": f"{name}-{n}"} for n in range(300)]
    with ThreadPoolExecutor(1) as beside:
        load = beside.submit(system.create_shares, asked)
        for _ in range(3):
            time.sleep(0.15)
            crash(settings)
        results = load.result()

    left = [ask for ask, r in zip(asked, results, strict=True) if not isinstance(r, ShareHandle)]
    again = [made(share) for share in eventually(lambda: answered(system, left))]
    shares = [r for r in results if isinstance(r, ShareHandle)] + again
    assert len({share.id for share in shares}) == 300
    assert system.count_shares(name=name) == {"available": 300}
    assert {share.id for share in shares} <= site.backend.shares().keys()


def crash(settings: LogSettings) -> None:
    """`kill -9` a process of the server, which closes all connections and recovers as after a crash."""
    with suppress(psycopg.Error), postgres.admin(settings) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' LIMIT 1"
        ).fetchone()
        if found is not None:
            kill(found[0])


def answered(system: ShareSystem, asked: list[dict[str, Any]]) -> list[object] | None:
    """The results of *asked*; None if the server was still recovering for one of them."""
    results = system.create_shares(asked)
    away = [r for r in results if isinstance(r, LogError | Unavailable)]
    return None if away else list(results)


def test_two_systems_on_one_database_server_share_no_data(
    new_site: NewSite, system: ShareSystem, settings: LogSettings
) -> None:
    other = new_site(log=settings.model_copy(update={"schema_name": f"site_{next(_schemas)}"}))
    share = other.system.create_share(size=1, name=uuid4().hex)

    assert [s.id for s in other.system.shares().items] == [share.id]
    assert system.shares(name=share.name).items == ()


@pytest.mark.parametrize(
    "wrong",
    [{"host": "/nowhere"}, {"database": "no_such_database"}, {"user": "no_such_user"}],
    ids=["host", "database", "user"],
)
def test_a_database_server_that_refuses_connections_is_named_and_no_actor_is_started(
    new_site: NewSite, settings: LogSettings, wrong: dict[str, Any]
) -> None:
    site = new_site(log=settings.model_copy(update={**wrong, "password": SecretStr("sesame")}))

    with pytest.raises(LogError) as caught:
        _ = site.system

    assert str(next(iter(wrong.values()))) in str(caught.value)
    assert str(caught.value.field).startswith("log.")
    assert "then repeat the request" in str(caught.value)
    assert "sesame" not in repr(caught.value)
    assert site.actors() == []
