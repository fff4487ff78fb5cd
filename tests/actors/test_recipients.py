"""A command reaches only entities of the kind that it is for."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from share_actors.actors.manager.recipients import misdirection
from share_actors.actors.messaging.messages import unpack_error
from share_actors.errors import InvalidRequest
from share_actors.events.share.messages import ExtendShare
from share_actors.events.topics import COMMANDS, ENTITY_KINDS
from share_actors.testing import system
from tests.actors.in_process import create, tell

ADDRESSES = {
    "share": ("s",),
    "share_network": ("share_network:n",),
    "share_type": ("share_type:t",),
    "share_server": ("share_server:v",),
    "backend": ("backend:a",),
    "none": ("", ":", "x:", "x:y:z", "share:s", "share_network:", "backend:"),
}


def test_every_command_has_one_kind_of_entity() -> None:
    assert ENTITY_KINDS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("topic", sorted(COMMANDS))
def test_a_command_is_for_one_kind_of_entity(topic: str) -> None:
    message = tell("s", ExtendShare(size=2))._replace(topic=topic)
    for kind, addresses in ADDRESSES.items():
        for address in addresses:
            refusal = misdirection(message._replace(share_id=address))
            assert (refusal is None) == (kind == ENTITY_KINDS[topic])


def test_a_command_to_an_entity_of_another_kind_is_refused_alone() -> None:
    async def scenario() -> None:
        async with system() as running:
            manager = running.cluster.find_manager().manager
            others = [a for kind in ADDRESSES if kind != "share" for a in ADDRESSES[kind]]
            sent = [tell(address, ExtendShare(size=2)) for address in others]
            *refusals, reply = await manager.submit([*sent, create(str(uuid4()))])
            errors = {type(unpack_error(refusal.error or b"")) for refusal in refusals}
            assert (errors, reply.error) == ({InvalidRequest}, None)

    asyncio.run(asyncio.wait_for(scenario(), 60))
