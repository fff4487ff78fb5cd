"""Ids of requests and of what they create."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.client.ids import created_id, fresh_id, with_version


def test_a_generated_command_id_is_the_digits_of_a_uuid_of_version_8() -> None:
    command_id = fresh_id()

    assert (UUID(command_id).version, UUID(command_id).hex) == (8, command_id)
    assert command_id != fresh_id()


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_what_generated_commands_create_has_uuids_of_version_7_in_their_order(
    one: int, other: int
) -> None:
    commands = sorted(with_version(bits, 8).hex for bits in (one, other))
    created = [created_id(command_id) for command_id in commands]

    assert created == sorted(created)
    assert [UUID(share_id).version for share_id in created] == [7, 7]
    assert [str(UUID(share_id)) for share_id in created] == created


@pytest.mark.parametrize(
    "chosen", ["", "nightly", "9f0c2d5e7b1a4c3d8e6f0a1b2c3d4e5f", "0" * 32, str(with_version(5, 8))]
)
def test_another_command_id_creates_what_its_hash_names(chosen: str) -> None:
    assert UUID(created_id(chosen)).version == 5
    assert created_id(chosen, "one") != created_id(chosen, "other")
