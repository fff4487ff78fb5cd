"""A process that has a log open while it is divided anew reads nothing more of it, instead of too little."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from share_actors.audit.reading.reader_postgres import PostgresSource
from share_actors.errors import LogError
from share_actors.events.log import Log
from share_actors.events.log.lease.guarded import LeaseGuard
from share_actors.events.log.lease.lease import QUIET_S, Owner
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from share_actors.events.log.postgres.layout import Layout
from tests.events.appending import append
from tests.partitions.test_repartition import NewSite, with_story

OWNER = Owner("s1/n", "n", "/home", "here", 1)
READS: dict[str, Callable[[Log], object]] = {
    "a stream": lambda log: list(log.read("stream-3")),
    "all events": lambda log: log.notifications(0, 1000),
    "the last position": Log.head,
    "a version": lambda log: log.version("stream-3"),
}


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (4, 3)])
def test_a_process_that_was_suspended_while_the_log_was_divided_is_told_to_start_again(
    new_site: NewSite, before: int, after: int
) -> None:
    site = with_story(new_site(before))
    with site.log() as suspended:
        for read in READS.values():
            read(suspended)
        site.json("log", "repartition", "--partitions", str(after))

        for read in READS.values():
            with pytest.raises(LogError, match="was divided anew while this process had it open"):
                read(suspended)
    with new_site(after).log() as started:
        append(started, "stream-3", started.version("stream-3"), "z")
        for read in READS.values():
            read(started)


def test_a_process_of_a_system_asks_for_the_tables_only_if_its_lease_is_not_fresh(
    new_site: NewSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()
    monkeypatch.setattr(Layout, "check", lambda *_: asked.append(1))
    site, fresh = with_story(new_site(1)), [True, False]
    with site.log() as log:
        asked.clear()
        log.require_lease(LeaseGuard("s", 1, lambda: LogError(""), lambda: fresh[0]))
        log.head()
        assert asked == []

        fresh.reverse()
        log.head()
        assert asked == [1]


def test_a_log_that_was_divided_before_its_opening_had_the_lease_is_not_used(
    new_site: NewSite,
) -> None:
    site = with_story(new_site(1))
    with site.log() as log:
        site.json("log", "repartition", "--partitions", "2")
        store = lease_store(site.config.log, site.config.log_path)

        with pytest.raises(LogError, match="was divided anew while this process had it open"):
            LeaseKeeper(store, OWNER).keep(log)


def test_a_lease_is_fresh_until_it_was_not_renewed_for_long_or_was_another_ones(
    new_site: NewSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = new_site(1)
    with site.log() as log:
        keeper = LeaseKeeper(lease_store(site.config.log, site.config.log_path), OWNER)
        assert not keeper._is_fresh()
        keeper.keep(log)
        assert keeper._is_fresh()
        monkeypatch.setattr(keeper, "_verified_at", keeper._verified_at - QUIET_S)
        assert not keeper._is_fresh()
        keeper.renew()
        assert keeper._is_fresh()

        other = lease_store(site.config.log, site.config.log_path)
        assert other.take(OWNER, keeper.lease.epoch + 1)  # as after a lease of another system
        keeper.renew()
        assert not keeper._is_fresh()
        other.close()
        keeper.close()


def test_a_reader_of_the_audit_is_told_too(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    source = PostgresSource(site.config.log)
    rows = source.batch(0, 1000)
    assert rows
    site.json("log", "repartition", "--partitions", "2")

    with pytest.raises(LogError, match="was divided anew while this process had it open"):
        source.batch(0, 1000)
    source.close()
