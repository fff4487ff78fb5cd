"""The state of a share server."""

from __future__ import annotations

from pydantic import Field

from share_actors.events.attempts import Attempt
from share_actors.events.tombstones import Tombstones
from share_actors.values import Frozen, ShareServer


class ShareServerState(Frozen):
    """A share server; `addressed`: it has its addresses; `torn`: it is torn down.

    `touched`: the driver was called to set it up. `left`: the shares that left; commands that would
    attach them again are rejected. `forgotten`: it is to leave the system without a driver call.
    `has_data`: data of a share that was unmanaged are on it, so that only an operator deletes it.
    """

    left: Tombstones = Field(default_factory=dict)
    server: ShareServer = ShareServer()
    addressed: bool = False
    touched: bool = False
    torn: bool = False
    forgotten: bool = False
    has_data: bool = False
    attempt: Attempt | None = None


initial = ShareServerState()


def with_server(state: ShareServerState, **changes: object) -> ShareServerState:
    """The state with *changes* of the fields of its server."""
    return state.replace(server=state.server.replace(**changes))
