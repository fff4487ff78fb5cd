"""`wait_for`, `watch`, `wait_for_shares` and `watch_shares` on a system in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice

import pytest

from share_actors import testing
from share_actors.client import ShareHandle
from share_actors.client.aio import AsyncShare
from share_actors.client.share.watching import ShareChange
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, OperationFailed, TimedOut
from share_actors.testing import InProcessSystem, SyncInProcessSystem
from share_actors.values import RequestContext, Share
from tests.conftest import within
from tests.tenants.callers import MEMBER, NOWHERE, OTHER


async def follow(
    changes: AsyncIterator[ShareChange], wanted: str, field: str = "status"
) -> ShareChange:
    """The first of *changes* in which *field* is as wanted."""
    async for change in changes:
        if change.share[field] == wanted:
            return change
    raise AssertionError(f"the changes ended without {wanted}")


def test_a_request_that_is_only_recorded_is_waited_for(system: SyncInProcessSystem) -> None:
    share = system.create_share(size=1, wait=False)

    assert share.wait_for("available") is share
    assert share.export_locations


def test_a_wait_is_woken_by_what_another_user_does() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1)
            waiting = asyncio.create_task(share.wait_for("rule-active=alice", timeout=60))
            other = await system.share(share.id)
            with pytest.raises(NotFound, match="has no access rule 'alice'"):
                await waiting  # nobody has asked for it
            await other.allow_access("alice", wait=False)
            await share.wait_for("rule-active=alice", timeout=60)
            gone = asyncio.create_task(share.wait_for("deleted", timeout=60))
            await other.delete(wait=False)

            assert (await gone).status == "deleted"

    within(60, scenario())


def test_a_wait_that_is_not_over_in_time_names_what_the_share_is(
    system: SyncInProcessSystem,
) -> None:
    share = system.create_share(size=1)

    with pytest.raises(TimedOut, match=r"not error within 0 s: it is available") as late:
        share.wait_for("error", timeout=0)

    assert late.value.exit_code == 9


def test_a_wait_for_a_share_in_error_fails_at_once_with_the_reason() -> None:
    config = Config(
        backends={"d": {"driver": "dummy", "options": {"fail": {"create_share": "no space"}}}}
    )
    with testing.sync_system(config) as system:
        share = system.create_share(size=1, wait=False)

        with pytest.raises(OperationFailed, match=r"is in error: .*no space"):
            share.wait_for("available", timeout=60)
        assert share.wait_for("error").status == "error"


def test_a_share_that_does_not_exist_can_neither_be_waited_for_nor_watched(
    system: SyncInProcessSystem,
) -> None:
    [missing] = system.wait_for_shares([NOWHERE], "available")
    handle = AsyncShare(system._in_process._requests, NOWHERE)

    assert isinstance(missing, NotFound)
    with pytest.raises(NotFound, match=NOWHERE):
        list(ShareHandle(handle).watch())


def test_each_of_several_shares_has_its_result_in_order(system: SyncInProcessSystem) -> None:
    first, second = system.create_share(size=1), system.create_share(size=1)
    second.delete()

    found = system.wait_for_shares([second, first.id, second.id], "available", timeout=60)

    assert [getattr(item, "id", type(item)) for item in found] == [NotFound, first.id, NotFound]


def test_no_share_is_waited_for_without_waiting(system: SyncInProcessSystem) -> None:
    assert system.wait_for_shares([], "available") == []


def test_an_unknown_condition_is_refused(system: SyncInProcessSystem) -> None:
    with pytest.raises(InvalidRequest, match="condition: is not one of creating, available"):
        system.create_share(size=1).wait_for("ready")


def test_a_watch_tells_the_share_and_each_change_until_it_is_deleted(
    system: SyncInProcessSystem,
) -> None:
    share = system.create_share(size=1)
    changes = share.watch()
    first = next(changes)
    system.share(share.id).extend(2)
    grown = next(change for change in changes if change.share.size == 2)
    system.share(share.id).delete()
    rest = list(changes)

    assert (first.before, first.fields) == (None, ())
    assert "size" in grown.fields
    assert rest[-1].share.status == share.status == "deleted"


def test_a_watch_goes_on_after_the_host_and_the_manager_were_killed() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1)
            changes = share.watch()
            await anext(changes)
            await system.kill_host_of(share.id)
            await system.kill_manager()
            await (await system.share(share.id)).set(name="renamed")

            assert (await follow(changes, "renamed", "name")).fields == ("name",)

    within(60, scenario())


def test_a_watch_of_a_list_tells_new_and_changed_shares_and_those_that_leave() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            old = await system.create_share(size=1, name="old")
            changes = system.watch_shares()
            listed = await anext(changes)
            new = await system.create_share(size=1, name="new")
            told = await follow(changes, new.id, "id")
            await old.delete()
            left = await follow(changes, "deleted")

            assert (listed.share.id, listed.before) == (old.id, None)
            assert told.before is None
            assert left.share.id == old.id

    within(60, scenario())


def test_a_share_that_no_longer_fits_the_filters_is_told_once_more() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            share = await system.create_share(size=1, name="a")
            changes = system.watch_shares(name="a")
            await anext(changes)
            await share.set(name="b")
            left = await anext(changes)
            await share.set(description="nobody is told")
            await system.create_share(size=2, name="a")

            assert (left.share.id, left.fields) == (share.id, ("name",))
            assert (await anext(changes)).share.size == 2

    within(60, scenario())


def test_a_watch_shows_a_project_its_own_shares_alone() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            blue, red = system.as_user(MEMBER), system.as_user(OTHER)
            changes = red.watch_shares()
            await blue.create_share(size=1, name="blue")
            own = await red.create_share(size=1, name="red")

            assert (await anext(changes)).share.id == own.id

    within(60, scenario())


def test_a_public_share_that_becomes_private_is_gone_for_those_that_watch_it() -> None:
    async def scenario() -> None:
        async with testing.system() as system:
            owner = await _as(system, "blue").create_share(size=1, is_public=True)
            watched = await _as(system, "red").share(owner.id)
            changes = watched.watch()
            seen: Share = (await anext(changes)).share
            await owner.set(is_public=False)

            assert seen.is_public
            with pytest.raises(NotFound, match=owner.id):
                await anext(changes)

    within(60, scenario())


def _as(system: InProcessSystem, project: str) -> InProcessSystem:
    context = RequestContext(user_id="ada", project_id=project, roles=("admin",))
    return system.as_user(context)  # type: ignore[return-value]


def test_a_synchronous_watch_of_a_list_is_an_iterator(system: SyncInProcessSystem) -> None:
    share = system.create_share(size=1, name="only one")

    [change] = islice(system.watch_shares(name="only one"), 1)

    assert change.share.id == share.id
