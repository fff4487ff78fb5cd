"""The connection that holds the locks of keys is lost: amid a write, and amid the forgetting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from share_actors.errors import LogError
from share_actors.events.log.postgres.store import login
from tests.audit.conftest import write
from tests.erasure.conftest import Site
from tests.erasure.test_races import CLIENT, RULE, held_up, planned, ring_of


def lose_connections(site: Site) -> None:
    """End the sessions that hold the locks, as a failure of the network does."""
    with closing(psycopg.connect(**login(site.config.log), autocommit=True)) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE application_name = 'share-actors subjects'"
        ).fetchone()
    assert ended is not None
    assert ended[0]
    ring_of(site.log).ring.store.ping()


def test_a_write_whose_key_was_destroyed_meanwhile_is_refused(postgres_site: Site) -> None:
    plan, other = planned(postgres_site)
    is_sealed, may_be_written = held_up(other)
    with ThreadPoolExecutor() as threads:
        writing = threads.submit(write, other, "share-s1", RULE)
        assert is_sealed.wait(60)
        lose_connections(postgres_site)
        postgres_site.eraser().destroy(plan)
        head = postgres_site.log.head()
        may_be_written.set()
        with pytest.raises(LogError, match="in use was lost; nothing was recorded"):
            writing.result()
    assert postgres_site.log.head() == head


def test_the_next_write_is_sealed_again_and_recorded(postgres_site: Site) -> None:
    _, other = planned(postgres_site)
    _, held = ring_of(other).holds.sealed(lambda keys: keys.add("0" * 32))
    lose_connections(postgres_site)
    ring_of(other).ring.store.ping()
    with pytest.raises(LogError, match="in use was lost; nothing was recorded"):
        write(other, "share-s1", RULE)
    ring_of(other).holds.release(held)

    write(other, "share-s1", RULE)

    assert postgres_site.log.read("share-s1")[-1].event.access_to == "10.0.0.0/8"  # type: ignore[attr-defined]


def test_a_forgetting_that_loses_its_lock_is_completed_by_the_next(postgres_site: Site) -> None:
    plan, _ = planned(postgres_site)
    ring = ring_of(postgres_site.log)
    closed = ring.holds.closed(plan.present[0], "{}")
    closed.__enter__()
    lose_connections(postgres_site)
    closed.__exit__(LogError, LogError("lost"), None)
    assert not ring.ring.is_forgotten(plan.present[0])

    (subject_id,) = postgres_site.forget(CLIENT).report.ids

    assert ring.ring.is_forgotten(subject_id)
