"""Locks and soft deletion in a running system."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from share_actors import testing
from share_actors.errors import Forbidden, InvalidRequest, Refused
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import RestoreShare, SoftDeleteShare
from share_actors.events.share_type import CreateShareType
from share_actors.values import RequestContext, Share
from tests.actors.two_backend_system import TwoBackendSystem
from tests.waiting import until_async

MEMBER = RequestContext(user_id="bob", project_id="default", roles=("member",))
WEEK = timedelta(days=7)
SPECS = {"driver_handles_share_servers": "False", "deletion:grace_period": "7d"}


def test_a_share_is_deleted_when_its_grace_period_is_over(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s")
        await system.create("kept")
        await system.ask("kept", SoftDeleteShare(grace_s=3600))

        await system.ask("s", SoftDeleteShare(grace_s=1))

        async def gone() -> bool:
            return (await system.share("s")).status == "deleted"

        await until_async(gone)
        assert (await system.share("kept")).status == "soft_deleted"

    run_scenario(scenario)


def test_a_restored_share_is_exported_again_and_can_be_used(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.create("s")
        await system.ask("s", SoftDeleteShare(grace_s=3600))

        await system.ask("s", RestoreShare())
        allow = AllowAccess(access_id="a", access_type="user", access_to="alice")
        await system.ask("s", allow)

        share: Share = await system.share("s")
        assert [rule.state for rule in share.access_rules] == ["active"]
        kinds = [type(r.event).__name__ for r in await system.cluster.history("s")]
        assert kinds.index("ShareRestored") < kinds.index("ShareEnsured")

    run_scenario(scenario)


def test_a_share_of_a_type_with_a_grace_period_is_deleted_softly(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await system.ask("share_type:safe", CreateShareType(name="safe", extra_specs=SPECS))
        await system.create("s", share_type="safe")

        await system.manager.delete_share(None, "s", wait=True)

        share: Share = await system.share("s")
        assert share.status == "soft_deleted"
        assert share.scheduled_to_be_deleted_at is not None
        await system.manager.delete_share(None, "s", now=True, wait=True)
        assert (await system.share("s")).status == "deleted"

    run_scenario(scenario)


def test_a_lock_of_an_administrator_keeps_a_share_from_its_members() -> None:
    with testing.sync_system() as system:
        member, admin = system.as_user(MEMBER), system.as_user(MEMBER.replace(roles=("admin",)))
        share = member.create_share(size=1)
        lock = admin.share(share.id).lock("audit", by_admin=True)

        with pytest.raises(Refused, match="audit"):
            share.delete()
        with pytest.raises(Refused, match="an administrator set"):
            share.unlock(lock)
        with pytest.raises(Forbidden):
            share.unlock(lock, by_admin=True)
        admin.share(share.id).unlock(lock, by_admin=True)
        assert share.delete().status == "deleted"


def test_a_share_is_restored_and_locked_by_the_client() -> None:
    with testing.sync_system() as system:
        share = system.create_share(size=1)

        assert share.delete(after=WEEK).status == "soft_deleted"
        assert share.seen.scheduled_to_be_deleted_at is not None
        assert share.restore().status == "available"

        lock = share.lock("payroll", command_id="lock-it")
        assert share.lock("payroll", command_id="lock-it") == lock
        assert share.refresh().locks == (lock,)
        assert share.unlock(lock).locks == ()


@pytest.mark.parametrize("after", [7, timedelta(0), timedelta(seconds=1.5), timedelta(days=9999)])
def test_a_grace_period_that_is_none_is_refused_before_anything_is_sent(after: Any) -> None:
    with testing.sync_system() as system:
        share = system.create_share(size=1)

        with pytest.raises(InvalidRequest, match=r"after|grace_s"):
            share.delete(after=after)
        assert share.refresh().status == "available"
