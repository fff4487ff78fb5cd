"""Batches through the client: results as they end, bounded, and each batch only once."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from share_actors import (
    Config,
    InvalidRequest,
    NotFound,
    OperationFailed,
    TimedOut,
    Unavailable,
    testing,
)
from share_actors.client.bulk.ids import BatchIds
from share_actors.client.ids import created_id, fresh_id
from share_actors.testing import SyncInProcessSystem
from tests.conftest import within


def names(system: SyncInProcessSystem) -> list[str]:
    return sorted(str(share.name) for share in system.shares(limit=1000).items)


def sizes(*numbers: object) -> list[dict[str, Any]]:
    return [{"size": number, "name": f"s{n}"} for n, number in enumerate(numbers)]


# -- results -------------------------------------------------------------------------------------
def test_each_item_has_a_result_and_a_refused_one_does_not_end_the_others(
    system: SyncInProcessSystem,
) -> None:
    results = sorted(system.bulk.create_shares(sizes(1, 0, 3)), key=lambda result: result.index)

    assert [result.ok for result in results] == [True, False, True]
    assert isinstance(results[1].error, InvalidRequest)
    assert [share.size for r in results if (share := r.share)] == [1, 3]
    assert names(system) == ["s0", "s2"]


@pytest.mark.parametrize(
    "item", [None, 7, "size", {"size": 1, "key": 7}, {"size": 1, "key": "\udcff"}]
)
def test_a_bad_item_is_refused_alone(system: SyncInProcessSystem, item: Any) -> None:
    results = sorted(system.bulk.create_shares([item, {"size": 1}]), key=lambda r: r.index)

    assert isinstance(results[0].error, InvalidRequest)
    assert results[1].ok


def test_no_more_items_are_drawn_than_may_be_in_flight(system: SyncInProcessSystem) -> None:
    drawn = 0

    def items() -> Iterator[dict[str, Any]]:
        nonlocal drawn
        for item in sizes(*[1] * 20):
            drawn += 1
            yield item

    for ended, _ in enumerate(system.bulk.create_shares(items(), in_flight=3), start=1):
        assert drawn < ended + 3 + 3  # those whose results came together, and those in flight

    assert drawn == 20


def test_items_may_come_from_the_system_itself(system: SyncInProcessSystem) -> None:
    list(system.bulk.create_shares(sizes(1, 1)))

    listed = ({"share": share.id} for share in system.shares().items if share.refresh())
    results = list(system.bulk.delete_shares(listed))

    assert [result.ok for result in results] == [True, True]
    assert names(system) == []


def test_an_error_of_the_items_is_raised_after_the_results(system: SyncInProcessSystem) -> None:
    def items() -> Iterator[dict[str, Any]]:
        yield from sizes(1, 1)
        raise OSError("the file is gone")

    results = system.bulk.create_shares(items())

    assert {next(results).index, next(results).index} == {0, 1}
    with pytest.raises(OSError, match="the file is gone"):
        next(results)


def test_a_batch_that_is_left_early_ends_no_request(system: SyncInProcessSystem) -> None:
    results = system.bulk.create_shares(sizes(*[1] * 10), batch_id="left")
    next(results)
    results.close()  # type: ignore[attr-defined]

    again = list(system.bulk.create_shares(sizes(*[1] * 10), batch_id="left"))

    assert [result.ok for result in again] == [True] * 10
    assert len(names(system)) == 10


def test_a_batch_that_does_not_wait_has_receipts(system: SyncInProcessSystem) -> None:
    [result] = system.bulk.create_shares(sizes(1), wait=False)

    assert result.receipt is not None
    assert result.receipt.status in ("accepted", "done")
    assert system.wait(result.receipt).status == "done"


def test_an_item_that_takes_too_long_goes_on(system: SyncInProcessSystem) -> None:
    [late] = system.bulk.create_shares(sizes(1), timeout=0, batch_id="late")
    [ended] = system.bulk.create_shares(sizes(1), batch_id="late")

    assert isinstance(late.error, TimedOut)
    assert late.share_id == ended.share_id
    assert ended.ok


def test_the_rule_of_each_item_is_in_its_result(system: SyncInProcessSystem) -> None:
    system.create_share(size=1, name="ruled")
    items = [{"share": "ruled", "to": "alice"}, {"share": "ruled", "to": "bob", "level": "ro"}]

    results = [*system.bulk.allow_access(items), *system.bulk.allow_access(items[:1])]

    told = {(r.rule.access_to, r.rule.access_level, r.rule.state) for r in results if r.rule}
    assert told == {("alice", "rw", "active"), ("bob", "ro", "active")}
    assert [result.rule is None for result in results] == [False] * 3


def test_the_asynchronous_client_takes_asynchronous_items() -> None:
    async def scenario() -> None:
        async def items() -> AsyncIterator[dict[str, Any]]:
            for item in sizes(1, 2):
                yield item

        async with testing.system() as system:
            results = [result async for result in system.bulk.create_shares(items())]
            listed = [result async for result in system.bulk.create_shares(sizes(3))]

            assert sorted(result.index for result in results) == [0, 1]
            assert [result.ok for result in [*results, *listed]] == [True] * 3

    within(60, scenario())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"in_flight": 0}, "in_flight"),
        ({"in_flight": True}, "in_flight"),
        ({"timeout": -1}, "timeout"),
        ({"wait": "no"}, "wait"),
        ({"batch_id": ""}, "batch_id"),
        ({"batch_id": 7}, "batch_id"),
    ],
)
def test_an_invalid_option_is_refused_before_an_item_is_drawn(
    system: SyncInProcessSystem, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as error:
        system.bulk.create_shares(iter(sizes(1)), **options)

    assert error.value.field == field


# -- the same batch again ------------------------------------------------------------------------
def test_the_same_batch_again_does_nothing_twice(system: SyncInProcessSystem) -> None:
    first = {r.index: r.share_id for r in system.bulk.create_shares(sizes(1, 2), batch_id="b1")}
    head = [len(system.history(str(share_id))) for share_id in first.values()]

    again = {r.index: r.share_id for r in system.bulk.create_shares(sizes(1, 2), batch_id="b1")}

    assert first == again
    assert head == [len(system.history(str(share_id))) for share_id in again.values()]


def test_a_changed_item_is_refused_and_named(system: SyncInProcessSystem) -> None:
    list(system.bulk.create_shares(sizes(1, 1, 1), batch_id="b2"))

    results = list(system.bulk.create_shares(sizes(1, 2, 1), batch_id="b2"))

    [changed] = [result for result in results if not result.ok]
    assert (changed.index, type(changed.error)) == (1, InvalidRequest)
    assert "item '1' of batch 'b2' was another request before" in str(changed.error)
    assert len(names(system)) == 3


def test_items_with_keys_may_change_their_places(system: SyncInProcessSystem) -> None:
    items: list[dict[str, Any]] = [{"size": n, "key": f"k{n}"} for n in (1, 2, 3)]
    first = {r.key: r.share_id for r in system.bulk.create_shares(items, batch_id="b3")}

    again = {r.key: r.share_id for r in system.bulk.create_shares(items[::-1], batch_id="b3")}

    assert first == again
    assert set(first) == {"k1", "k2", "k3"}


def test_a_refused_item_is_tried_again(system: SyncInProcessSystem) -> None:
    [refused] = system.bulk.delete_shares([{"share": "later"}], batch_id="b4")
    system.create_share(size=1, name="later")

    [deleted] = system.bulk.delete_shares([{"share": "later"}], batch_id="b4")

    assert isinstance(refused.error, NotFound)
    assert deleted.ok


def test_a_deletion_by_name_does_not_delete_a_later_share_of_that_name(
    system: SyncInProcessSystem,
) -> None:
    system.create_share(size=1, name="weekly")
    [first] = system.bulk.delete_shares([{"share": "weekly"}], batch_id="b5")
    later = system.create_share(size=1, name="weekly")

    [again] = system.bulk.delete_shares([{"share": "weekly"}], batch_id="b5")

    assert (again.share_id, again.ok) == (first.share_id, True)
    assert later.refresh().status == "available"


@pytest.mark.parametrize("by_id", [True, False])
def test_a_deletion_that_names_another_share_than_before_is_refused(
    system: SyncInProcessSystem, by_id: bool
) -> None:
    old, other = (system.create_share(size=1, name=name) for name in ("old", "other"))
    list(system.bulk.delete_shares([{"share": old.id}], batch_id=f"b6{by_id}"))

    item = {"share": other.id if by_id else "other"}
    [result] = system.bulk.delete_shares([item], batch_id=f"b6{by_id}")

    assert isinstance(result.error, InvalidRequest)
    assert f"was about share {old.id} before" in str(result.error)
    assert other.refresh().status == "available"


def test_a_creation_with_another_id_than_before_is_refused(system: SyncInProcessSystem) -> None:
    chosen = [created_id(fresh_id()) for _ in range(2)]
    [first] = system.bulk.create_shares([{"size": 1, "share_id": chosen[0]}], batch_id="b7")

    [second] = system.bulk.create_shares([{"size": 1, "share_id": chosen[1]}], batch_id="b7")

    assert (first.share_id, first.ok) == (chosen[0], True)
    assert isinstance(second.error, InvalidRequest)
    assert len(names(system)) == 1


def test_the_recorded_failure_of_an_item_is_its_outcome_again() -> None:
    backend = {"driver": "dummy", "options": {"fail": {"create_share": "no space left"}}}
    with testing.sync_system(Config(backends={"full": backend})) as system:
        results = [*system.bulk.create_shares(sizes(1), batch_id="f")]
        results += system.bulk.create_shares(sizes(1), batch_id="f")

        assert [type(result.error) for result in results] == [OperationFailed] * 2
        assert len(system.shares().items) == 1


def test_a_manager_that_is_killed_meanwhile_changes_no_result(
    system: SyncInProcessSystem,
) -> None:
    results = system.bulk.create_shares(sizes(*[1] * 40), in_flight=4)
    next(results)
    killer = threading.Thread(target=system.kill_manager)
    killer.start()

    assert [result.ok for result in results] == [True] * 39
    killer.join()
    assert len(names(system)) == 40


def test_a_system_that_is_gone_ends_the_batch() -> None:
    drawn = 0

    def items() -> Iterator[dict[str, Any]]:
        nonlocal drawn
        for _ in range(10_000):
            drawn += 1
            yield {"size": 1}

    with testing.sync_system() as system:
        pass
    with pytest.raises(Unavailable):
        list(system.bulk.create_shares(items(), in_flight=10, timeout=1))

    assert drawn < 100


def test_one_batch_id_serves_several_operations(system: SyncInProcessSystem) -> None:
    item = {"share": "s0"}
    results = [*system.bulk.create_shares(sizes(1), batch_id="b8")]
    results += system.bulk.allow_access([{**item, "to": "alice"}], batch_id="b8")
    results += system.bulk.delete_shares([item], batch_id="b8")

    assert [result.ok for result in results] == [True] * 3
    assert len({result.command_id for result in results}) == 3


# -- ids -----------------------------------------------------------------------------------------
def test_the_ids_of_items_follow_from_the_id_of_the_batch() -> None:
    scopes = [("a", "x", "p"), ("a", "x", "p"), ("b", "x", "p"), ("a", "y", "p"), ("a", "x", "q")]

    first, same, *others = [BatchIds(*scope).command_id("index 0") for scope in scopes]

    assert first == same
    assert len({first, *others, BatchIds("a", "x", "p").command_id("key 0")}) == 5


def test_what_a_generated_batch_creates_is_near_in_every_index() -> None:
    batch = fresh_id()
    ids = [created_id(BatchIds(batch, "x", "p").command_id(str(n))) for n in range(100)]

    assert {share_id[:13] for share_id in ids} == {created_id(batch)[:13]}
    assert len(set(ids)) == 100


# -- check ---------------------------------------------------------------------------------------
def test_check_tells_the_items_that_can_never_be_done(system: SyncInProcessSystem) -> None:
    creations = system.bulk.check("create_shares", sizes(1, 0, 1))
    rules = system.bulk.check("allow_access", [{"share": "x", "to": "a"}, {"share": "x"}])
    deletions = system.bulk.check("delete_shares", [{"share": "x", "cascade": "yes"}])

    fields = [{n: e.field for n, e in found.items()} for found in (creations, rules, deletions)]
    assert fields == [{1: "size"}, {1: "to"}, {0: "cascade"}]
    assert names(system) == []


def test_an_unknown_operation_is_refused(system: SyncInProcessSystem) -> None:
    with pytest.raises(InvalidRequest, match="operation: is not one of create_shares"):
        system.bulk.check("burn_shares", [])  # type: ignore[arg-type]
