"""The whole system on Ray with a PostgreSQL log in four partitions."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from share_actors.audit.proofs import verify
from share_actors.audit.reading.reader_source import open_rows
from share_actors.client import ShareSystem
from share_actors.config import LogSettings
from share_actors.events.log.rows import rows_in_order
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, kill, made
from tests.events import postgres

_schemas = count(1)


@pytest.fixture(scope="module")
def settings(postgres_server: LogSettings) -> LogSettings:
    """A schema that no other test uses."""
    name = f"partitioned_site_{next(_schemas)}"
    return postgres_server.model_copy(update={"schema_name": name, "partitions": 4})


@pytest.fixture(scope="module")
def site(new_sites: NewSite, settings: LogSettings) -> Site:
    return new_sites(log=settings)


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def rows_by_table(settings: LogSettings) -> list[int]:
    """How many events are in the table of each partition."""
    with postgres.admin(settings) as connection:
        counts = (
            connection.execute(
                f"SELECT count(*) FROM {settings.schema_name}.stored_events_{number}".encode()
            ).fetchall()
            for number in range(settings.partitions)
        )
        return [found[0][0] for found in counts]


def test_shares_of_all_partitions_are_made_listed_and_deleted(
    system: ShareSystem, settings: LogSettings
) -> None:
    name = uuid4().hex
    shares = [made(share) for share in system.create_shares([{"size": 1, "name": name}] * 20)]

    assert system.count_shares(name=name) == {"available": 20}
    assert {s.id for s in system.shares(name=name).items} == {share.id for share in shares}
    assert all(rows_by_table(settings))
    shares[0].delete()
    assert system.count_shares(name=name, status="available") == {"available": 19}


def test_a_kill_of_all_processes_loses_and_duplicates_no_share(
    system: ShareSystem, site: Site, settings: LogSettings
) -> None:
    name = uuid4().hex
    asked = [{"size": 1, "name": name, "command_id": f"{name}-{i}"} for i in range(40)]
    shares = [made(share) for share in system.create_shares(asked, wait=False)]

    for pid in [*site.share_actor_pids(), site.manager_pid(), site.catalog_pid()]:
        kill(pid)

    again = [made(share) for share in system.create_shares(asked)]
    assert [share.id for share in again] == [share.id for share in shares]
    assert system.count_shares(name=name) == {"available": 40}
    assert {len(site.backend.calls("create_share", share.id)) for share in shares} <= {1, 2}
    with open_rows(settings, site.home) as read:
        assert verify(rows_in_order(read)).findings == ()


def test_events_are_followed_in_one_order_from_any_position(system: ShareSystem) -> None:
    start = system.create_share(size=1).history()[-1].position
    for _ in range(3):
        system.create_share(size=1)

    feed = system.events(since=start)
    followed = [next(feed).position for _ in range(9)]

    assert followed == sorted(set(followed))
    assert followed[0] > start
