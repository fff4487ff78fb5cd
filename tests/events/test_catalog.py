"""Queries on the catalog, with the same results on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.errors import Ambiguous, InvalidRequest
from share_actors.events.catalog import Catalog
from share_actors.events.share.access import AccessDenied, AccessRulesApplied
from share_actors.events.share.manage import ShareManaged, ShareManageRequested
from share_actors.events.share.messages import ShareDeleted, ShareErrored
from share_actors.events.share.resize import ShareResizeRequested
from share_actors.events.share.room import Room, ShareRoom
from share_actors.events.share.snapshot.messages import SnapshotCreated, SnapshotDeleted
from share_actors.policy import Owner
from share_actors.values import AccessRule
from tests.events.catalog_fixtures import (
    Fixtures,
    LoggedShares,
    OnPostgres,
    OnSQLite,
    allowed,
    deleting,
    ids,
    snapped,
)
from tests.events.share_events import NOON, began, created, requested


class CatalogQuestions(Fixtures):
    # -- shares --------------------------------------------------------------------------------------
    def test_an_empty_log_has_no_shares(self, catalog: Catalog) -> None:
        assert catalog.shares() == ((), None)
        assert catalog.count_shares() == {}
        assert (catalog.position(), catalog.lag(), catalog.parked()) == (0, 0, ())

    def test_a_share_in_the_catalog_equals_its_replayed_stream(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", allowed(), snapped())

        assert catalog.share("s1") == logged.replay("s1")
        assert catalog.shares().items == (logged.replay("s1"),)

    def test_a_query_sees_all_events_recorded_before_it(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.append("s1", requested())
        first = catalog.share("s1")
        logged.append("s1", began("create"), created())

        assert first is not None
        assert first.status == "creating"
        assert catalog.shares(status="available").items == (logged.replay("s1"),)

    def test_an_unknown_share_is_none(self, catalog: Catalog) -> None:
        assert catalog.share("s1") is None

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"name": "b"}, ["s2", "s3"]),
            ({"status": "creating"}, ["s3"]),
            ({"project_id": "p2"}, ["s3"]),
            ({"backend": "nas"}, ["s2"]),
            ({"name": "b", "status": "available"}, ["s2"]),
            ({"name": "b", "backend": "local", "project_id": "p2"}, ["s3"]),
            ({"name": "' OR 1=1 --"}, []),
        ],
    )
    def test_shares_are_filtered_by_name_status_project_and_backend(
        self, logged: LoggedShares, catalog: Catalog, filters: dict[str, Any], expected: list[str]
    ) -> None:
        logged.available_share("s1", name="a")
        logged.available_share("s2", name="b", host="nas#fast")
        logged.append("s3", requested("s3", name="b", project="p2"))

        assert ids(catalog.shares(**filters).items) == expected
        assert sum(catalog.count_shares(**filters).values()) == len(expected)

    def test_deleted_shares_are_listed_only_with_a_status_filter(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", deleting, began("delete"), ShareDeleted())
        logged.available_share("s2")

        assert ids(catalog.shares().items) == ["s2"]
        assert ids(catalog.shares(status="deleted").items) == ["s1"]
        assert catalog.count_shares() == {"available": 1}
        gone = catalog.share("s1")
        assert gone is not None
        assert gone.status == "deleted"

    def test_pages_list_all_shares_from_the_oldest_on(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        for i, second in enumerate([5, 3, 3, 9, 0]):
            logged.available_share(f"s{i}", second=second)

        marker, pages = None, []
        for _ in range(3):
            page, marker = catalog.shares(limit=2, marker=marker)
            pages.append(ids(page))

        assert pages == [["s4", "s1"], ["s2", "s0"], ["s3"]]
        assert marker is None

    def test_a_full_last_page_has_no_marker(self, logged: LoggedShares, catalog: Catalog) -> None:
        logged.available_share("s1")

        assert catalog.shares(limit=1).next_marker is None

    def test_a_page_after_the_marker_of_a_deleted_share_continues_behind_it(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        for i in range(3):
            logged.available_share(f"s{i}", second=i)
        marker = catalog.shares(limit=1).next_marker
        logged.append("s0", deleting, began("delete"), ShareDeleted())

        assert ids(catalog.shares(marker=marker).items) == ["s1", "s2"]

    def test_several_shares_may_have_the_same_name(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", name="home")
        logged.available_share("s2", name="home", second=1)

        assert ids(catalog.named("home")) == ["s1", "s2"]
        assert catalog.named("nothing") == ()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("status", "broken"), ("status", ""), ("limit", 0), ("limit", 1001), ("limit", -1)),
            *(("limit", True), ("limit", "5"), ("marker", "s1"), ("marker", "")),
        ],
    )
    def test_an_invalid_filter_of_shares_is_refused_with_its_name(
        self, catalog: Catalog, field: str, value: Any
    ) -> None:
        with pytest.raises(InvalidRequest, match=field) as refusal:
            catalog.shares(**{field: value})

        assert (refusal.value.field, refusal.value.value) == (field, value)

    def test_shares_with_pending_work_are_listed_by_id(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        for share_id in ("c", "a", "b"):
            logged.append(share_id, requested(share_id))
        logged.available_share("d")
        logged.available_share("e", allowed())

        assert catalog.owing(limit=2) == ["a", "b"]
        assert catalog.owing(limit=2, marker="b") == ["c", "e"]

    def test_the_room_that_shares_take_is_summed_by_host(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", size=3)
        assert catalog.room().hosts == {"local": Room(3, 3, 3)}

        logged.append("s2", requested("s2", size=4))
        logged.available_share("s3", deleting, size=5)
        logged.append("s1", ShareResizeRequested(doing="extend", size=10))

        room = catalog.room(["s1", "nobody"])
        assert room.hosts == {"local": Room(19, 19, 3, unsettled=5)}
        assert room.shares == {"s1": ShareRoom("local", 10, 10, Owner("demo"))}

    def test_a_share_that_is_found_in_another_pool_takes_its_room_there(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        spec = requested(host="nas").spec
        managing = ShareManageRequested(share_id="s1", spec=spec, driver_options={}, at=NOON)
        logged.append("s1", managing)
        assert catalog.room().hosts == {"nas": Room(unsized=1)}

        logged.append("s1", ShareManaged(size=7, export_locations=(), pool="p"))
        assert catalog.room().hosts == {"nas": Room(), "nas#p": Room(7)}

    def test_a_share_that_is_managed_again_on_another_network_uses_that_one(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        for network in ("a", "b"):
            spec = requested().spec.replace(share_network_id=network)
            managing = ShareManageRequested(share_id="s1", spec=spec, driver_options={}, at=NOON)
            logged.append("s1", managing)
            assert catalog.on_network(network) == ["s1"]

        assert catalog.on_network("a") == []

    def test_a_rebuilt_catalog_has_the_same_room(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", deleting, size=5)
        logged.available_share("s2", size=3)
        before = catalog.room()

        catalog.rebuild()
        assert catalog.room() == before

    def test_a_share_in_error_has_no_pending_work(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.append("s1", requested(), began("create"))
        assert catalog.owing() == ["s1"]

        logged.append("s1", ShareErrored(doing="create", reason="no space"))
        assert catalog.owing() == []

    def test_text_that_a_database_cannot_store_does_not_stop_the_catalog(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", project="a\0b")

        assert catalog.share("s1") == logged.replay("s1")

    # -- rules and snapshots -------------------------------------------------------------------------
    def test_rules_are_listed_share_by_share(self, logged: LoggedShares, catalog: Catalog) -> None:
        logged.available_share("s2", allowed("b"))
        logged.available_share("s1", allowed("c"), allowed("a", "bob"), began("access"))
        logged.append("s1", AccessRulesApplied(applied=("a",), failed={"c": "no"}))

        assert [(r.share_id, r.id, r.state) for r in catalog.rules().items] == [
            ("s1", "a", "active"),
            ("s1", "c", "error"),
            ("s2", "b", "queued"),
        ]
        assert ids(catalog.rules(state="queued").items) == ["b"]
        assert ids(catalog.rules(share_id="s1").items) == ["a", "c"]
        assert catalog.count_rules() == {"active": 1, "error": 1, "queued": 1}

    def test_a_listed_rule_has_all_its_fields(self, logged: LoggedShares, catalog: Catalog) -> None:
        logged.available_share(
            "s1", allowed(), began("access"), AccessRulesApplied(failed={"a": "no"})
        )

        listed, replayed = catalog.rules().items[0], logged.replay("s1").access_rules[0]

        assert isinstance(listed, AccessRule)
        assert listed.model_dump(exclude={"share_id"}) == replayed.model_dump()

    def test_a_removed_rule_is_not_listed(self, logged: LoggedShares, catalog: Catalog) -> None:
        logged.available_share("s1", allowed(), began("access"), AccessRulesApplied(applied=("a",)))
        assert catalog.rule_share("a") == "s1"

        logged.append("s1", AccessDenied(access_id="a"), AccessRulesApplied(removed=("a",)))

        assert catalog.rule_share("a") is None
        assert catalog.rules().items == ()

    def test_snapshots_are_listed_from_the_oldest_on(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        taken = SnapshotCreated(snapshot_id="n", provider_location="/snap/n")
        logged.available_share("s1", snapped("n", "before"), began("snapshot/n/create"), taken)
        logged.available_share("s2", snapped("m"), project="p2")

        assert ids(catalog.snapshots().items) == ["n", "m"]
        assert ids(catalog.snapshots(name="before").items) == ["n"]
        assert ids(catalog.snapshots(status="creating").items) == ["m"]
        assert ids(catalog.snapshots(project_id="p2").items) == ["m"]
        assert ids(catalog.snapshots(share_id="s1").items) == ["n"]
        assert catalog.count_snapshots() == {"available": 1, "creating": 1}

    def test_a_snapshot_found_by_id_has_all_its_fields(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        taken = SnapshotCreated(snapshot_id="n", provider_location="/snap/n")
        logged.available_share("s1", snapped("n", "before"), began("snapshot/n/create"), taken)

        assert catalog.snapshot("n") == logged.replay("s1").snapshots[0]
        assert catalog.snapshot_share("n") == "s1"
        assert catalog.snapshot("m") is None

    def test_a_deleted_snapshot_is_not_found(self, logged: LoggedShares, catalog: Catalog) -> None:
        logged.available_share("s1", snapped())
        assert catalog.snapshot("n") is not None

        logged.append("s1", SnapshotDeleted(snapshot_id="n"))

        assert catalog.snapshot("n") is None

    def test_rules_and_snapshots_of_a_deleted_share_are_not_listed(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", allowed(), snapped())
        assert len(catalog.rules().items) == len(catalog.snapshots().items) == 1

        logged.append("s1", deleting, ShareDeleted())

        assert (catalog.rules().items, catalog.snapshots().items) == ((), ())

    def test_an_id_that_two_shares_use_is_ambiguous(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share("s1", allowed("x"), snapped("x"))
        logged.available_share("s2", allowed("x"), snapped("x"))

        for question in (catalog.snapshot, catalog.snapshot_share, catalog.rule_share):
            with pytest.raises(Ambiguous, match="s1, s2"):
                question("x")

    def test_pages_list_all_rules_and_snapshots(
        self, logged: LoggedShares, catalog: Catalog
    ) -> None:
        logged.available_share(
            "s1", *(allowed(f"r{i}", f"u{i}") for i in range(3)), snapped("a"), snapped("b")
        )

        rules, more = catalog.rules(limit=2)
        assert ids((*rules, *catalog.rules(marker=more).items)) == ["r0", "r1", "r2"]
        snapshots, more = catalog.snapshots(limit=1)
        assert ids((*snapshots, *catalog.snapshots(marker=more).items)) == ["a", "b"]

    def test_invalid_filters_of_rules_and_snapshots_are_refused_with_their_name(
        self, catalog: Catalog
    ) -> None:
        with pytest.raises(InvalidRequest, match="state: 'fine' is not one of queued"):
            catalog.rules(state="fine")
        with pytest.raises(InvalidRequest, match="status: 'fine' is not one of creating"):
            catalog.snapshots(status="fine")


class TestQuestionsOnSQLite(OnSQLite, CatalogQuestions):
    pass


class TestQuestionsOnPostgres(OnPostgres, CatalogQuestions):
    pass
