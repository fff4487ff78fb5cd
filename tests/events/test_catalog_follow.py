"""How the catalog follows the log: restarts, failing events, rebuilds, and concurrent processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from share_actors.errors import LogError
from share_actors.events.catalog import Catalog, projection, sql
from share_actors.events.share.access import AccessRulesApplied
from tests.events.catalog_fixtures import (
    Fixtures,
    LoggedShares,
    OnPartitions,
    OnPostgres,
    OnSQLite,
    allowed,
    ids,
    poison,
    snapped,
)
from tests.events.share_events import began


class CatalogFollowing(Fixtures):
    # -- following the log ---------------------------------------------------------------------------
    def test_catching_up_applies_at_most_the_given_number_of_events(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1")

        assert (catalog.lag(), catalog.catch_up(2), catalog.lag()) == (3, 2, 1)
        assert (catalog.catch_up(), catalog.catch_up(), catalog.lag()) == (1, 0, 0)

    def test_a_reopened_catalog_continues_from_its_checkpoint(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1")
        assert catalog.catch_up() == 3
        catalog.close()
        logged.append("s1", allowed())

        again = logged.open_catalog()

        assert again.catch_up() == 1
        assert again.share("s1") == logged.replay("s1")

    def test_the_catalog_is_independent_of_batch_size_and_cached_states(
        self, logged: LoggedShares, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(projection, "BATCH_SIZE", 3)
        monkeypatch.setattr(projection, "MAX_STATES", 2)
        for i in range(5):
            logged.available_share(f"s{i}", allowed("a"), snapped(f"n{i}"), second=i)
        for i in range(5):
            logged.append(f"s{i}", began("access"), AccessRulesApplied(applied=("a",)))

        catalog = logged.open_catalog()

        assert catalog.shares().items == tuple(logged.replay(f"s{i}") for i in range(5))
        assert catalog.count_rules() == {"active": 5}
        assert catalog.count_snapshots() == {"creating": 5}

    def test_streams_of_unknown_kinds_are_skipped(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.append_to("weather-local", poison)
        logged.available_share("s1")

        assert ids(catalog.shares().items) == ["s1"]
        assert catalog.parked() == ()

    # -- rebuilding ----------------------------------------------------------------------------------
    def test_a_rebuilt_catalog_equals_the_original(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", allowed(), snapped())
        logged.available_share("s2", poison)
        before = (catalog.shares(), catalog.rules(), catalog.snapshots(), catalog.parked())
        progress: list[tuple[int, int]] = []

        assert catalog.rebuild(lambda done, total: progress.append((done, total))) == 9

        assert progress == [(9, 9)]
        assert (catalog.shares(), catalog.rules(), catalog.snapshots(), catalog.parked()) == before

    def test_an_interrupted_rebuild_continues(
        self, logged: LoggedShares, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut(done: int, total: int) -> None:
            raise KeyboardInterrupt

        logged.available_share("s1")
        monkeypatch.setattr(projection, "BATCH_SIZE", 1)
        with pytest.raises(KeyboardInterrupt):
            catalog.rebuild(cut)

        again = logged.open_catalog()

        assert again.position() == 1
        assert again.share("s1") == logged.replay("s1")

    # -- parked streams ------------------------------------------------------------------------------
    def test_an_event_that_cannot_be_applied_parks_its_stream_only(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", poison, allowed())
        logged.available_share("s2")
        logged.append("s1", snapped())

        assert ids(catalog.shares().items) == ["s1", "s2"]
        (parked,) = catalog.parked()
        assert (parked.stream, parked.version, parked.position) == ("share-s1", 4, 4)
        assert (parked.skipped, parked.error) == (3, "KeyError: 'nobody'")
        assert catalog.rules().items == ()

    def test_a_parked_stream_is_still_parked_in_a_reopened_catalog(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", poison)
        assert len(catalog.parked()) == 0
        catalog.catch_up()
        logged.append("s1", allowed())

        again = logged.open_catalog()

        assert again.rules().items == ()
        assert [p.skipped for p in again.parked()] == [2]

    def test_an_event_of_a_newer_version_is_followed_after_the_upgrade(
        self, logged: LoggedShares
    ) -> None:
        logged.available_share("s1", snapped(), allowed())
        older = logged.open_catalog(logged.older_log("snapshot.requested"))
        assert older.snapshots().items == ()
        assert [p.error.partition(":")[0] for p in older.parked()] == ["LogTooNew"]

        catalog = logged.open_catalog()

        assert catalog.unpark("share-s1")
        assert catalog.share("s1") == logged.replay("s1")
        assert ids(catalog.snapshots().items) == ["n"]
        assert catalog.parked() == older.parked() == ()

    def test_an_unparked_stream_is_followed_by_every_open_catalog(
        self, logged: LoggedShares
    ) -> None:
        logged.available_share("s1", snapped())
        older = logged.open_catalog(logged.older_log("snapshot.requested"))
        older.catch_up()
        assert logged.open_catalog().unpark("share-s1")

        logged.append("s1", allowed())

        assert older.share("s1") == logged.replay("s1")
        assert older.parked() == ()

    def test_a_stream_that_still_fails_stays_parked(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", poison, allowed())
        catalog.catch_up()
        before = catalog.parked()

        assert not catalog.unpark("share-s1")
        assert catalog.parked() == before

    def test_unparking_a_stream_that_is_not_parked_changes_nothing(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1")

        assert catalog.unpark("share-s1")
        assert catalog.share("s1") == logged.replay("s1")

    # -- several processes -----------------------------------------------------------------------------
    def test_two_catalogs_that_catch_up_alternately_are_equal(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        other = logged.open_catalog()
        for i, follower in enumerate((catalog, other) * 3):
            logged.available_share(f"s{i}", allowed(), second=i)
            follower.catch_up(1)
            logged.append("s0", snapped(f"n{i}"))

        expected = tuple(logged.replay(f"s{i}") for i in range(6))
        assert catalog.shares().items == expected
        assert other.shares().items == expected
        assert ids(other.snapshots(share_id="s0").items) == [f"n{i}" for i in range(6)]

    def test_two_catalogs_that_catch_up_concurrently_are_equal(
        self, logged: LoggedShares, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(projection, "BATCH_SIZE", 7)
        for i in range(40):
            logged.available_share(f"s{i:02}", allowed(), snapped(f"n{i}"), second=i)

        together(
            catalog.catch_up,
            logged.open_catalog().catch_up,
            catalog.catch_up,
            logged.open_catalog().catch_up,
        )

        assert catalog.shares().items == tuple(logged.replay(f"s{i:02}") for i in range(40))
        assert (catalog.count_rules(), catalog.count_snapshots()) == (
            {"queued": 40},
            {"creating": 40},
        )

    def test_a_catalog_continues_correctly_during_a_rebuild_by_another(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1")
        logged.available_share("s2", second=1)
        catalog.catch_up()
        logged.open_catalog()._store.reset()  # a rebuild that has just started

        logged.append("s2", allowed())

        assert catalog.shares().items == (logged.replay("s1"), logged.replay("s2"))

    def test_rows_and_checkpoint_change_in_one_transaction(
        self, logged: LoggedShares, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logged.available_share("s1", allowed())
        with monkeypatch.context() as broken:
            broken.setattr(sql, "PUT_RULE", "INSERT INTO {s}nowhere VALUES (?,?,?,?,?)")
            with pytest.raises(LogError, match="nowhere"):
                catalog.catch_up()

        assert catalog.position() == 0
        assert catalog.share("s1") == logged.replay("s1")
        assert ids(catalog.rules().items) == ["a"]


def together(*jobs: Callable[[], object]) -> None:
    """Do all *jobs* at once in threads; raises what one of them raised."""

    async def gather() -> None:
        await asyncio.gather(*(asyncio.to_thread(job) for job in jobs))

    asyncio.run(gather())


class TestFollowingOnSQLite(OnSQLite, CatalogFollowing):
    pass


class TestFollowingOnPartitions(OnPartitions, CatalogFollowing):
    pass


class TestFollowingOnPostgres(OnPostgres, CatalogFollowing):
    pass
