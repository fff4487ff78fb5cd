"""The sizes that a share type allows."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.actors.messaging.messages import Sender
from share_actors.errors import InvalidRequest
from share_actors.events.share.messages import ExtendShare, ShrinkShare
from share_actors.events.share_type import ChangeShareType, CreateShareType
from share_actors.values import RequestContext
from tests.actors.in_process import WHO
from tests.actors.two_backend_system import TwoBackendSystem

MEMBER = Sender.of(RequestContext(user_id="alice", project_id="demo"))
EXTENSION = "5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d10"


def test_a_share_type_limits_the_size_of_a_new_share(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        limits = {"provisioning:min_share_size": "2", "provisioning:max_share_size": "10"}
        specs = {"driver_handles_share_servers": "False", **limits}
        await system.ask("share_type:small", CreateShareType(name="small", extra_specs=specs))

        for size in (1, 11):
            with pytest.raises(InvalidRequest, match=f"size: {size} GiB are .* small allows"):
                await system.create(share_type="small", size=size)
        assert (await system.create(share_type="small", size=10)).status == "available"

    run_scenario(scenario)


def test_a_share_type_limits_the_sizes_to_which_shares_are_resized(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        limits = {"min_share_size": "2", "max_share_size": "5", "max_share_extend_size": "8"}
        specs = {f"provisioning:{key}": limit for key, limit in limits.items()}
        specs["driver_handles_share_servers"] = "False"
        await system.ask("share_type:small", CreateShareType(name="small", extra_specs=specs))
        await system.create("s", share_type="small", size=3)
        recorded = len(await system.cluster.history("s"))

        for sender, command in (
            (MEMBER, ExtendShare(size=6)),
            (WHO, ExtendShare(size=9)),
            (MEMBER, ShrinkShare(size=1)),
            (WHO, ShrinkShare(size=1)),
        ):
            with pytest.raises(InvalidRequest, match=f"size: {command.size} GiB are .* allows"):
                await system.ask("s", command, sender=sender)
        assert len(await system.cluster.history("s")) == recorded

        for sender, size in ((MEMBER, 5), (WHO, 8)):
            await system.ask("s", ExtendShare(size=size), sender=sender)
            assert (await system.share("s")).size == size
        await system.ask("s", ShrinkShare(size=2), sender=MEMBER)
        assert (await system.share("s")).size == 2

    run_scenario(scenario)


def test_a_repeated_extension_is_answered_also_if_the_share_type_excludes_it_now(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        specs = {"driver_handles_share_servers": "False"}
        await system.ask("share_type:small", CreateShareType(name="small", extra_specs=specs))
        await system.create("s", share_type="small", size=3)
        await system.ask("s", ExtendShare(size=6), command_id=EXTENSION)
        limits = {"provisioning:max_share_extend_size": "5", "provisioning:min_share_size": "4"}
        changed = ChangeShareType(extra_specs={**specs, **limits})
        await system.ask("share_type:small", changed)

        repeated: Any = {"command_id": EXTENSION, "repeated": True}
        assert (await system.ask("s", ExtendShare(size=6), **repeated)).status == "done"
        with pytest.raises(InvalidRequest, match="6 GiB are more"):
            await system.ask("s", ExtendShare(size=6))

    run_scenario(scenario)
