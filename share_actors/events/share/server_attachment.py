"""A share on a share server: attached to one before it is created or managed, detached after it is gone."""

from __future__ import annotations

from typing import ClassVar, assert_never

from share_actors.events import attempts
from share_actors.events.decider import Command, Effect, Event
from share_actors.events.share.state import ShareState
from share_actors.values import ShareServer


# -- messages ------------------------------------------------------------------------------------
class ConfirmServer(Command):
    """The share is attached to this server, which is set up."""

    server: ShareServer


class ConfirmReleased(Command):
    """The share is detached from its server."""


class ShareServerAcquired(Event, topic="share.server_acquired"):
    """The share is attached to *server*, which is kept with the details that its driver returned."""

    schema_version: ClassVar[int] = 2

    server: ShareServer


class ShareDestroyed(Event, topic="share.destroyed"):
    """The backend deleted the share; it is still attached to its share server."""


class AcquireServer(Effect):
    """Find or create a share server on the share's network, and attach the share to it."""

    def key(self) -> str:
        """Return the name of the effect."""
        return "server"


class ReleaseServer(Effect):
    """Detach the share from its share server."""

    def key(self) -> str:
        """Return the name of the effect."""
        return "release"


AttachmentCommand = ConfirmServer | ConfirmReleased
AttachmentEvent = ShareServerAcquired | ShareDestroyed
AttachmentEffect = AcquireServer | ReleaseServer


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ConfirmServer, state: ShareState) -> list[ShareServerAcquired]:
    """The share is attached; raises `Rejected` unless that was being attempted."""
    attempts.require(state.attempt, "server")
    return [ShareServerAcquired(server=command.server)]


def evolve(state: ShareState, event: AttachmentEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareServerAcquired(server=server):
            share = state.share.replace(share_server_id=server.id)
            return state.replace(share=share, server=server, attempt=None)
        case ShareDestroyed():
            return state.replace(destroyed=True, attempt=None)
        case _:
            assert_never(event)


def pending(state: ShareState) -> AcquireServer | None:
    """What a share that is being created or managed owes first, if it is on a share network."""
    attached = state.share.share_network_id is None or state.share.share_server_id
    return None if attached else AcquireServer()


def sentence(event: AttachmentEvent, who: str) -> str:
    """*event* in words; no user requests it."""
    match event:
        case ShareServerAcquired(server=server):
            return f"it is on share server {server.id}"
        case ShareDestroyed():
            return "the backend deleted it; it is still attached to its share server"
        case _:
            assert_never(event)
