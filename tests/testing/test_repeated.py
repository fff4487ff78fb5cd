"""A request that was sent with a generated command id can be repeated by the id that its error tells."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from share_actors import ShareSystem, TimedOut, testing
from share_actors.client.ids import created_id, fresh_id


@pytest.fixture(name="system")
def _system() -> Iterator[ShareSystem]:
    with testing.sync_system() as system:
        yield system


def told_id(call: Callable[..., Any], **options: Any) -> str:
    """The command id in the error of *call*, which gives up before its work is done."""
    with pytest.raises(TimedOut) as caught:
        call(timeout=0.0, **options)
    return str(caught.value.details["command_id"])


def test_a_creation_repeated_by_its_generated_id_creates_one_share(system: ShareSystem) -> None:
    command_id = told_id(system.create_share, size=1, name="data")

    share = system.create_share(size=1, name="data", command_id=command_id)

    assert [found.id for found in system.shares().items] == [share.id]


def test_one_of_many_creations_repeated_by_its_generated_id_creates_one_share(
    system: ShareSystem,
) -> None:
    [error] = system.create_shares([{"size": 1, "name": "data"}], timeout=0.0)
    assert isinstance(error, TimedOut)

    share = system.create_share(size=1, name="data", command_id=error.details["command_id"])

    assert [found.id for found in system.shares().items] == [share.id]


def test_a_snapshot_repeated_by_its_generated_id_is_one_snapshot(system: ShareSystem) -> None:
    share = system.create_share(size=1)
    command_id = told_id(share.create_snapshot, name="monday")

    snapshot = share.create_snapshot(name="monday", command_id=command_id)

    assert [found.id for found in share.refresh().snapshots] == [snapshot.id]


def test_a_network_repeated_by_its_generated_id_is_one_network(system: ShareSystem) -> None:
    network = system.networks.create(cidr="10.0.0.0/24")
    [event, *_] = system.networks.history(network.id)
    command_id = event.envelope.command_id

    again = system.networks.create(cidr="10.0.0.0/24", command_id=command_id)

    assert again.id == network.id
    assert command_id is not None
    assert created_id(command_id) == network.id


def test_ids_of_shares_follow_the_time_and_the_id_of_their_command() -> None:
    commands = [fresh_id() for _ in range(100)]

    created = [created_id(command) for command in commands]

    assert created == [created_id(str(command)) for command in commands]
    assert len({*created}) == 100
    assert created[0][:8] <= created[-1][:8]
