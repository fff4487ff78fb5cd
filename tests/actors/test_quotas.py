"""Quotas in a whole system: what does not fit is refused before anything is recorded, whatever is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.errors import OperationFailed, OverQuota, ShareActorsError, TimedOut, Unavailable
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem
from share_actors.values import COUNTED, QuotaUse, RequestContext
from tests.actors.in_process import config
from tests.waiting import until_async

Scenario = Callable[[InProcessSystem], Awaitable[None]]
TYPE = {"driver_handles_share_servers": "False"}


def member(running: InProcessSystem, user: str = "alice", project: str = "web") -> Any:
    return running.as_user(RequestContext(user_id=user, project_id=project, roles=("member",)))


def in_system(settings: Config, scenario: Scenario) -> None:
    async def run() -> None:
        async with system(settings) as running:
            await scenario(running)

    asyncio.run(run())


async def used(running: InProcessSystem, name: str, **scope: Any) -> QuotaUse:
    usage = await running.quotas.usage("web", **scope)
    return usage.quotas[name]


def test_a_batch_gets_as_many_shares_as_fit_and_the_others_are_told_why(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.quotas.set({"shares": 3}, "web")
        results = await member(running).create_shares([{"size": 1}] * 8)

        refused = [r for r in results if isinstance(r, OverQuota)]
        assert len(refused) == 5
        assert refused[0].exit_code == 7
        assert refused[0].details["limit"] == 3
        assert "nothing was recorded" in refused[0].message
        assert await used(running, "shares") == QuotaUse(3, 3, 0)
        assert (await running.count_shares()) == {"available": 3}

    in_system(config(tmp_path), scenario)


def test_every_quota_is_enforced_for_what_it_counts(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        user = member(running)
        limits = {"gigabytes": 10, "snapshots": 1, "share_networks": 1, "per_share_gigabytes": 8}
        await running.quotas.set(limits, "web")
        share = await user.create_share(size=4)
        await share.create_snapshot("one")
        await user.networks.create(cidr="10.0.0.0/24")
        requests: dict[str, Awaitable[Any]] = {
            "gigabytes": user.create_share(size=7),
            "snapshots": share.create_snapshot("two"),
            "share_networks": user.networks.create(cidr="10.1.0.0/24"),
            "per_share_gigabytes": share.extend(9),
        }

        for name, request in requests.items():
            with pytest.raises(OverQuota) as told:
                await request
            assert told.value.details["quota"] == name
        assert (await share.extend(8)).size == 8

    in_system(config(tmp_path), scenario)


def test_users_and_share_types_have_limits_within_those_of_the_project(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.types.create("gold", TYPE)
        await running.quotas.set({"shares": 3}, "web")
        await running.quotas.set({"shares": 1}, "web", user_id="bob")
        await running.quotas.set({"gigabytes": 2}, "web", share_type="gold")
        alice, bob = member(running), member(running, "bob")
        await bob.create_share(size=1)

        with pytest.raises(OverQuota, match="user bob in project web has used 1 of 1"):
            await bob.create_share(size=1)
        await alice.create_share(size=2, share_type="gold")
        with pytest.raises(OverQuota, match="share type gold in project web has used 2 of 2 GiB"):
            await alice.create_share(size=1, share_type="gold")
        await alice.create_share(size=9)
        with pytest.raises(OverQuota, match="project web has used 3 of 3"):
            await alice.create_share(size=1)
        assert await used(running, "gigabytes", share_type="gold") == QuotaUse(2, 2, 0)

    in_system(config(tmp_path), scenario)


def test_the_limits_of_a_project_precede_the_default_and_that_precedes_the_configuration(
    tmp_path: Path,
) -> None:
    async def scenario(running: InProcessSystem) -> None:
        assert (await used(running, "shares")).limit == 1
        await running.quotas.set_default({"shares": 2})
        assert (await used(running, "shares")).limit == 2
        await running.quotas.set({"shares": 3}, "web")
        assert (await used(running, "shares")).limit == 3
        await running.quotas.unset((), "web")
        await running.quotas.unset_default()
        await member(running).create_share(size=1)
        with pytest.raises(OverQuota):
            await member(running).create_share(size=1)

    settings = config(tmp_path)
    in_system(Config(home=tmp_path, backends=settings.backends, quotas={"shares": 1}), scenario)


def test_a_limit_below_what_is_used_stops_growth_and_lets_shares_be_deleted(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        user = member(running)
        first, _ = await user.create_shares([{"size": 2}, {"size": 2}])
        await running.quotas.set({"gigabytes": 3}, "web")

        assert (await user.quotas.usage()).exceeded == ("gigabytes",)
        with pytest.raises(OverQuota):
            await first.extend(3)
        await first.shrink(1)
        await first.delete()
        await user.create_share(size=1)

    in_system(config(tmp_path), scenario)


def test_a_share_in_error_counts_until_it_is_deleted(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.quotas.set({"shares": 1}, "web")
        with pytest.raises(OperationFailed):
            await member(running).create_share(size=1, name="broken")

        with pytest.raises(OverQuota):
            await member(running).create_share(size=1)
        await (await running.share("broken")).delete()
        assert await used(running, "shares") == QuotaUse(1, 0, 0)

    in_system(config(tmp_path, fail={"create_share": "the disk is full"}), scenario)


def test_a_repeated_request_is_answered_when_its_own_share_used_the_quota_up(
    tmp_path: Path,
) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.quotas.set({"shares": 1}, "web")
        first = await member(running).create_share(size=1, command_id="same")
        await running.kill_manager()

        again = await member(running).create_share(size=1, command_id="same")

        assert again.id == first.id
        assert await used(running, "shares") == QuotaUse(1, 1, 0)

    in_system(config(tmp_path), scenario)


def test_managers_that_are_killed_at_any_time_leave_nothing_reserved_and_no_limit_exceeded(
    tmp_path: Path,
) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.quotas.set({"shares": 12, "snapshots": 6}, "web")
        user = member(running)

        async def use() -> None:
            with suppress(OverQuota, TimedOut, Unavailable):
                share = await user.create_share(size=1, timeout=20)
                await share.create_snapshot("s", timeout=20)

        async def kill() -> None:
            for _ in range(4):
                await asyncio.sleep(0.05)
                await running.kill_manager()

        await asyncio.gather(kill(), *(use() for _ in range(30)))
        counts = await running.count_shares()
        await until_async(lambda: _is_settled(running))

        assert sum(counts.values()) == (await used(running, "shares")).used == 12
        assert (await used(running, "snapshots")).used == 6

    in_system(config(tmp_path), scenario)


async def _is_settled(running: InProcessSystem) -> bool:
    try:
        usage = await running.quotas.usage("web")
    except ShareActorsError:
        return False
    return not any(usage.quotas[name].reserved for name in COUNTED)


def test_a_project_sees_its_own_quotas_only(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        await running.quotas.set({"shares": 1}, "web")
        await running.quotas.set({"shares": 1}, "ops")

        page = await member(running).quotas.list()
        assert [each.project_id for each in page.items] == ["web"]
        assert len((await running.quotas.list()).items) == 2
        with pytest.raises(ShareActorsError, match="no limits were ever set for project 'ops'"):
            await member(running).quotas.get("ops")

    in_system(config(tmp_path), scenario)


def test_a_first_limit_anywhere_is_known_at_the_next_request(tmp_path: Path) -> None:
    async def scenario(running: InProcessSystem) -> None:
        share = await running.create_share(size=1)
        await share.create_snapshot("one")
        await running.quotas.set({"snapshots": 1}, running.context.project_id)

        with pytest.raises(OverQuota):
            await share.create_snapshot("two")
        await running.quotas.unset((), running.context.project_id)
        await share.create_snapshot("two")

    in_system(config(tmp_path), scenario)
