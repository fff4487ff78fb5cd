"""The client on a real system: its calls and their results."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from share_actors import client
from share_actors.client import ShareSystem, aio
from share_actors.errors import Ambiguous, NotFound, OperationFailed, Refused
from tests.acceptance.conftest import NewSite
from tests.acceptance.faulty_backends import name, site, system
from tests.acceptance.systems import Site, made
from tests.conftest import within

__all__ = ["name", "site", "system"]


# -- shares ----------------------------------------------------------------------------------------
def test_a_share_is_available_when_its_creation_returns(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=2, name=name, description="for tests", metadata={"a": "b"})

    assert (share.status, share.size, share.name) == ("available", 2, name)
    assert share.export_locations == (f"dummy:/{share.id}",)
    seen = system.share(share.id).seen
    assert (seen.metadata, seen.description) == ({"a": "b"}, "for tests")
    assert seen == share.seen == system.share(name).seen


def test_a_created_share_is_in_every_list_requested_afterwards(
    system: ShareSystem, name: str
) -> None:
    for n in range(1, 41):
        share = system.create_share(size=1, name=name)

        page = system.shares(name=name)

        assert len(page.items) == n
        assert page.items[-1].seen == share.seen


def test_shares_are_listed_and_counted_by_filters(system: ShareSystem, name: str) -> None:
    dummy = system.create_share(size=1, name=name)
    local = system.create_share(size=1, name=name, backend="local")
    system.create_share(size=1, name=name).delete()

    assert [s.id for s in system.shares(name=name).items] == [dummy.id, local.id]
    assert [s.id for s in system.shares(name=name, backend="local").items] == [local.id]
    assert len(system.shares(name=name, status="deleted").items) == 1
    assert system.count_shares(name=name) == {"available": 2}


def test_pages_hold_every_share_once(system: ShareSystem, name: str) -> None:
    created = [made(s).id for s in system.create_shares([{"size": 1, "name": name}] * 7)]

    pages: list[list[str]] = []
    marker = None
    while not pages or marker is not None:
        page = system.shares(name=name, limit=3, marker=marker)
        marker = page.next_marker
        pages.append([share.id for share in page.items])

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(chain.from_iterable(pages)) == sorted(created)


def test_a_name_of_two_shares_is_ambiguous_and_the_error_has_both_ids(
    system: ShareSystem, name: str
) -> None:
    ids = [system.create_share(size=1, name=name).id for _ in range(2)]

    with pytest.raises(Ambiguous) as caught:
        system.share(name)

    assert caught.value.details["ids"] == ids
    assert all(share_id in str(caught.value) for share_id in ids)
    assert caught.value.value == name


def test_a_share_is_extended_and_shrunk(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=2, name=name)

    assert share.extend(5).size == 5
    assert share.shrink(3).size == 3
    assert system.share(share.id).size == 3
    with pytest.raises(Refused, match="not more than the present 3 GiB"):
        share.extend(3)


def test_shrinking_below_the_used_space_fails_and_the_share_stays_available_with_the_reason(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=2, name=name, backend="local")
    with (Path(share.export_locations[0]) / "big").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**30 + 2**20)

    with pytest.raises(OperationFailed, match="more than 1 GiB"):
        share.shrink(1)

    assert (share.status, share.size) == ("available", 2)
    assert "more than 1 GiB" in str(share.refresh().status_reason)
    assert share.delete().status == "deleted"


def test_a_deleted_share_is_removed_from_the_backend_and_kept_in_the_log(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name, backend="local")
    path = Path(share.export_locations[0])
    assert path.is_dir()

    assert share.delete().status == "deleted"

    assert not path.exists()
    assert system.shares(name=name).items == ()
    assert system.share(share.id).status == "deleted"
    assert share.delete().status == "deleted"


# -- access and snapshots --------------------------------------------------------------------------
def test_access_is_allowed_and_denied(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name)

    rule = share.allow_access("10.0.0.0/24", type="ip", level="ro")
    same = share.allow_access("10.0.0.0/24", type="ip", level="ro")

    assert (rule.state, rule.access_level) == ("active", "ro")
    assert same == rule
    assert [r.id for r in system.rules(share_id=share.id).items] == [rule.id]
    share.deny_access(rule)
    assert share.access_rules == ()
    assert system.rules(share_id=share.id).items == ()


def test_a_handle_has_every_rule_and_snapshot_after_each_of_its_requests(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name)
    alice, bob = share.allow_access("alice"), share.allow_access("bob")
    first = share.create_snapshot("first")

    share.deny_access(alice)
    second = share.create_snapshot("second")
    assert (share.access_rules, share.snapshots) == ((bob,), (first, second))
    share.delete_snapshot(first)
    carol = share.allow_access("carol", level="ro")

    assert (share.access_rules, share.snapshots) == ((bob, carol), (second,))
    seen = share.seen
    assert share.refresh().seen == seen


def test_a_handle_of_a_share_in_creation_has_all_its_fields_after_a_later_request(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name, wait=False)
    share.allow_access("alice")

    share.allow_access("bob")

    assert (share.name, share.status) == (name, "available")
    assert [rule.access_to for rule in share.access_rules] == ["alice", "bob"]


def test_a_share_is_created_from_a_snapshot(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="local")
    (Path(share.export_locations[0]) / "file").write_text("old")
    snapshot = share.create_snapshot("before")
    (Path(share.export_locations[0]) / "file").write_text("new")

    copy = system.create_share(size=1, snapshot_id=snapshot.id, backend="local")

    assert (Path(copy.export_locations[0]) / "file").read_text() == "old"
    assert copy.seen.snapshot_id == snapshot.id
    assert system.snapshot(snapshot.id) == snapshot
    assert system.snapshots(share_id=share.id).items == (snapshot,)


def test_a_share_with_snapshots_is_deleted_only_with_cascade(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name)
    snapshot = share.create_snapshot()
    kept = share.create_snapshot()
    share.delete_snapshot(snapshot)

    with pytest.raises(Refused, match=kept.id):
        share.delete()
    assert share.refresh().status == "available"

    assert share.delete(cascade=True).status == "deleted"
    with pytest.raises(NotFound):
        system.snapshot(kept.id)


# -- many at once ----------------------------------------------------------------------------------
def test_create_shares_returns_a_result_per_item_and_an_error_does_not_affect_other_items(
    system: ShareSystem, name: str
) -> None:
    results = system.create_shares(
        [
            {"size": 1, "name": name},
            {"size": 0, "name": name},
            {"size": 1, "name": name, "colour": "red"},
            {"size": 1, "name": name, "backend": "broken"},
            {"name": name},
            {"size": 1, "name": name, "snapshot_id": "none"},
            {"size": 2, "name": name},
        ]
    )

    assert [type(result).__name__ for result in results] == [
        "ShareHandle",
        "InvalidRequest",
        "InvalidRequest",
        "OperationFailed",
        "InvalidRequest",
        "NotFound",
        "ShareHandle",
    ]
    assert [made(results[i]).size for i in (0, 6)] == [1, 2]
    assert system.count_shares(name=name) == {"available": 2, "error": 1}


def test_threads_can_share_one_system_handle(system: ShareSystem, name: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        shares = list(
            threads.map(lambda n: system.create_share(size=n % 3 + 1, name=name), range(100))
        )

    assert len({share.id for share in shares}) == 100
    assert all(share.status == "available" for share in shares)
    assert system.count_shares(name=name) == {"available": 100}


def test_the_asynchronous_client_has_the_same_methods(
    site: Site, system: ShareSystem, name: str
) -> None:
    async def scenario() -> None:
        async with await aio.connect(namespace=site.config.namespace) as other:
            share = await other.create_share(size=1, name=name)
            rule = await share.allow_access("bob")
            snapshot = await share.create_snapshot("now")
            await share.extend(2)
            await share.deny_access(rule)
            await share.delete_snapshot(snapshot)
            listed = (await other.shares(name=name)).items

            assert [s.seen for s in listed] == [(await share.refresh()).seen]
            assert (await other.where(share.id))["shares"] > 0
            assert (await share.delete()).status == "deleted"
            assert len(await share.history()) > 10

    within(60, scenario())
    assert system.share(system.shares(name=name, status="deleted").items[0].id).name == name


def test_closing_a_connection_leaves_the_system_running(site: Site, system: ShareSystem) -> None:
    with client.connect(namespace=site.config.namespace) as other:
        assert other.config == system.config

    assert system.create_share(size=1).status == "available"


def test_stopping_a_system_leaves_a_ray_cluster_that_it_did_not_start(new_site: NewSite) -> None:
    first, second = new_site(), new_site()
    first.system.create_share(size=1)

    first.stop()

    assert first.actors() == []
    assert second.system.create_share(size=1).status == "available"
