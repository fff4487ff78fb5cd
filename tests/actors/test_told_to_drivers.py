"""What drivers are told of a share besides its own fields: in a whole system, from request to call."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.drivers.dummy.driver import DummyDriver
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare
from share_actors.events.share.snapshot.messages import CreateSnapshot
from share_actors.events.share_type import ChangeShareType, CreateShareType
from share_actors.values import nest_spec
from tests.actors.two_backend_system import TwoBackendSystem

SPECS = {"driver_handles_share_servers": "False", "vendor:tier": "gold"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the dummy driver got last, by method."""
    got: dict[str, Any] = {}

    def listen(method: str, position: int) -> None:
        original = getattr(DummyDriver, method)

        def call(driver: DummyDriver, *args: Any) -> Any:
            got[method] = args[position]
            return original(driver, *args)

        monkeypatch.setattr(DummyDriver, method, call)

    for method, position in (
        ("create_share", 1),
        ("create_snapshot", 1),
        ("create_share_from_snapshot", 2),
        ("check_manage", 0),
        ("manage_existing", 0),
    ):
        listen(method, position)
    return got


async def make_type(system: TwoBackendSystem) -> None:
    await system.ask("share_type:fast", CreateShareType(name="fast", extra_specs=SPECS))


def test_a_driver_gets_the_extra_specs_as_they_were_when_the_share_was_requested(
    run_scenario: Any, told: dict[str, Any]
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await make_type(system)
        await system.create("s", share_type="fast")
        await system.ask("share_type:fast", ChangeShareType(extra_specs={"vendor:tier": None}))
        await system.ask("s", CreateSnapshot(snapshot_id="n"))

        assert told["create_share"].extra_specs == SPECS
        assert told["create_share"].share_type_id == "fast"
        assert told["create_snapshot"].share.extra_specs == SPECS
        assert (await system.share("s")).extra_specs == {}

    run_scenario(scenario)


def test_the_driver_of_a_clone_gets_the_share_that_the_snapshot_is_of(
    run_scenario: Any, told: dict[str, Any]
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await make_type(system)
        await system.create("s", share_type="fast")
        await system.ask("s", CreateSnapshot(snapshot_id="n"))
        await system.create("c", snapshot_id="n")

        parent = told["create_share_from_snapshot"].share
        assert (parent.id, parent.host, parent.snapshots) == ("s", "plain#plain", ())
        assert parent.export_locations
        assert told["create_share_from_snapshot"].share_id == "s"

    run_scenario(scenario)


def test_the_driver_of_a_managed_share_gets_the_extra_specs_of_its_type(
    run_scenario: Any, told: dict[str, Any]
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await make_type(system)
        fields = {"share_id": "m", "host": "plain", "share_type": "fast", "project_id": "demo"}
        await system.ask("m", ManageShare(**nest_spec({**fields, "driver_options": {"size": 2}})))

        assert told["check_manage"].extra_specs == SPECS
        assert told["manage_existing"].extra_specs == SPECS

    run_scenario(scenario)


def test_what_the_manager_finds_is_no_part_of_a_request_and_of_its_fingerprint() -> None:
    spec = {"spec": {"host": "plain"}, "share_id": "s"}
    create = CreateShare.model_validate({**spec, "size": 1, "extra_specs": SPECS})
    found = ManageShare.model_validate({**spec, "extra_specs": SPECS})

    assert not {"parent", "extra_specs"} & create.model_dump().keys()
    assert "extra_specs" not in found.model_dump()
