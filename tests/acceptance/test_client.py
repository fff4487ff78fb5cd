"""The client on a real system: its calls and their results."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count
from pathlib import Path

import pytest

from share_actors import client
from share_actors.audit.sentences import sentence
from share_actors.client import ShareSystem, aio
from share_actors.errors import (
    Ambiguous,
    InvalidRequest,
    NotFound,
    OperationFailed,
    Refused,
    TimedOut,
)
from share_actors.values import RequestContext
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, made
from tests.conftest import within

_numbers = count(1)


def faulty(home: str, **options: object) -> dict[str, object]:
    return {"driver": "dummy", "backoff_s": 0.05, "options": {"directory": home, **options}}


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    top = tmp_path_factory.mktemp("backends")
    homes = {name: str(top / name) for name in ("dummy", "slow", "broken", "shaky")}
    backends = {
        "dummy": faulty(homes["dummy"]),
        "local": {"driver": "local", "options": {"root": str(top / "local")}},
        "slow": faulty(homes["slow"], delay_s=5.0),
        "broken": faulty(homes["broken"], fail={"create_share": "no space left"}),
        "shaky": faulty(homes["shaky"], bug={"create_share": 5}),
    }
    site = new_sites(backends=backends)
    eventually(lambda: site.system.capabilities().keys() == backends.keys())
    return site


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"share-{next(_numbers)}"


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


# -- failures --------------------------------------------------------------------------------------
def test_a_failure_of_the_backend_is_raised_and_shown_with_its_reason(
    system: ShareSystem, name: str
) -> None:
    with pytest.raises(OperationFailed, match="no space left") as caught:
        system.create_share(size=1, name=name, backend="broken")

    share = system.share(name)
    assert (share.status, share.status_reason) == ("error", "no space left")
    assert caught.value.details["share_id"] == share.id
    assert share.delete().status == "deleted"


def test_retry_ends_the_error_status(system: ShareSystem, name: str) -> None:
    with pytest.raises(OperationFailed, match="gave up after 5 attempts"):
        system.create_share(size=1, name=name, backend="shaky")
    share = system.share(name)

    share.retry()

    assert share.status == "available"
    with pytest.raises(Refused, match="nothing is in error"):
        share.retry()


def test_history_has_every_event_and_who_requested_it(system: ShareSystem, name: str) -> None:
    bob = RequestContext(user_id="bob", project_id="web", request_id="req-7")

    share = system.as_user(bob).create_share(size=1, name=name)
    share.delete()

    history = share.history()
    assert sentence(history[0]).startswith("bob")
    assert [type(r.event).__name__ for r in history] == [
        "ShareCreationRequested",
        "AttemptStarted",
        "ShareCreated",
        "ShareDeletionRequested",
        "AttemptStarted",
        "ShareDeleted",
    ]
    assert {r.envelope.project_id for r in history} == {"web"}
    assert history[0].envelope.request_id == "req-7"


def test_explain_shows_pending_work_attempts_failures_and_advice(
    system: ShareSystem, name: str
) -> None:
    slow = system.create_share(size=1, name=name, backend="slow", wait=False)
    pending = slow.explain()
    broken = system.create_share(size=1, name=name, backend="broken", wait=False)
    eventually(lambda: broken.refresh().status == "error")
    failed = broken.explain()

    assert slow.receipt is not None
    assert [(owed.what, owed.command_id) for owed in pending.owed] == [
        ("create it", slow.receipt.command_id)
    ]
    assert (pending.attempts[-1].n, pending.attempts[-1].result) == (1, "under way")
    assert (failed.status, failed.owed) == ("error", ())
    assert "no space left" in failed.failed[0].reason
    assert any("retry" in line for line in failed.advice)


def test_a_receipt_of_work_in_progress_has_the_attempt(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="slow", wait=False)
    assert share.receipt is not None

    receipt = system.receipt(share.receipt.command_id)

    assert (receipt.share_id, receipt.status) == (share.id, "accepted")
    assert receipt.attempt is not None
    assert (receipt.attempt.n, receipt.attempt.effect) == (1, "create")
    assert receipt.attempt.deadline > receipt.attempt.began


def test_shares_belong_to_the_user_and_project_of_the_request(
    system: ShareSystem, name: str
) -> None:
    context = RequestContext(user_id="eve", project_id=name)
    share = system.as_user(context).create_share(size=1)
    system.create_share(size=1)

    assert [s.id for s in system.shares(project_id=name).items] == [share.id]
    assert (share.seen.user_id, share.seen.project_id) == ("eve", name)


# -- receipts, command ids, timeouts ---------------------------------------------------------------
def test_without_waiting_the_receipt_gives_the_outcome_later(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name, backend="slow", wait=False)
    receipt = share.receipt
    assert receipt is not None
    assert (receipt.status, receipt.share, share.status) == ("accepted", None, "creating")
    assert system.receipt(receipt.command_id).status == "accepted"

    done = system.wait(receipt)

    assert done.share is not None
    assert (done.status, done.share.status) == ("done", "available")
    assert system.receipt(receipt.command_id, share.id).status == "done"


def test_waiting_for_a_failed_request_raises_its_reason(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="broken", wait=False)
    assert share.receipt is not None

    with pytest.raises(OperationFailed, match="no space left"):
        system.wait(share.receipt)
    with pytest.raises(NotFound, match="no-such-command"):
        system.receipt("no-such-command", share.id)
    with pytest.raises(NotFound, match="no-such-command"):
        system.receipt("no-such-command")


def test_two_creations_with_one_command_id_create_one_share(system: ShareSystem, name: str) -> None:
    first = system.create_share(size=1, name=name, command_id=f"id-{name}")
    second = system.create_share(size=1, name=name, command_id=f"id-{name}")

    assert first.id == second.id
    assert len(system.shares(name=name).items) == 1
    assert len(first.history()) == 3


def test_a_command_id_with_other_content_is_refused_and_changes_nothing(
    site: Site, system: ShareSystem, name: str
) -> None:
    system.create_share(size=1, name=name, command_id=f"id-{name}")
    before = site.head()

    with pytest.raises(InvalidRequest, match="used before, for another request") as caught:
        system.create_share(size=2, name=name, command_id=f"id-{name}")

    assert (caught.value.field, caught.value.value) == ("command_id", f"id-{name}")
    assert site.head() == before


def test_repeated_requests_with_one_command_id_create_one_rule_and_one_snapshot(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name)

    rules = [share.allow_access("bob", command_id="r1") for _ in range(2)]
    snapshots = [share.create_snapshot("one", command_id="s1") for _ in range(2)]

    assert rules[0] == rules[1]
    assert snapshots[0] == snapshots[1]
    assert len(share.refresh().snapshots) == len(share.access_rules) == 1


def test_a_timeout_says_that_the_request_is_recorded_and_continues(
    system: ShareSystem, name: str
) -> None:
    with pytest.raises(TimedOut, match="recorded and goes on") as caught:
        system.create_share(size=1, name=name, backend="slow", timeout=0.8)

    details = caught.value.details
    assert system.receipt(details["command_id"]).status == "accepted"
    eventually(lambda: system.share(details["share_id"]).status == "available")


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
