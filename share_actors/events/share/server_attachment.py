"""A share on a share server: it is attached to one before it is created, and detached after it is deleted."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.decider import Command, Effect, Event
from share_actors.values import ShareServer


class ConfirmServer(Command):
    """The share is on this server, which is set up."""

    server: ShareServer


class ConfirmReleased(Command):
    """The share is on no server any more."""


class ShareServerAcquired(Event):
    """The share is on *server*, which is kept as its driver knows it: it does not change any more."""

    server: ShareServer


class ShareDestroyed(Event):
    """The backend deleted it; it has yet to leave its share server."""


class AcquireServer(Effect):
    """Find or make a share server on the share's network, and be on it."""

    def key(self) -> str:
        return "server"


class ReleaseServer(Effect):
    def key(self) -> str:
        return "release"


AttachmentCommand = ConfirmServer | ConfirmReleased
AttachmentEvent = ShareServerAcquired | ShareDestroyed
AttachmentEffect = AcquireServer | ReleaseServer


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: AttachmentEvent, who: str) -> str:
    """What happened; nobody asks for it."""
    match event:
        case ShareServerAcquired(server=server):
            return f"it is on share server {server.id}"
        case ShareDestroyed():
            return "the backend deleted it; it has yet to leave its share server"
        case _:
            assert_never(event)
