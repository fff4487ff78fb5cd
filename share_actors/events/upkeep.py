"""What a share needs besides: a share server to be on, and to be exported as its backend is now."""

from __future__ import annotations

from share_actors.events.base import Command, Effect, Event, Settled
from share_actors.networks import ShareServer
from share_actors.values import ExportLocation


# -- a share server ------------------------------------------------------------------------------
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


# -- exports as the backend is now ---------------------------------------------------------------
class EnsureShare(Command):
    """`ShareManager.ensure_driver_resources`, for one share: its backend's *info* changed."""

    info: str


class ConfirmEnsured(Command):
    """None: the export locations are as they were."""

    export_locations: tuple[ExportLocation, ...] | None = None


class ShareEnsureRequested(Event):
    info: str

    def opens(self) -> tuple[str, ...]:
        return ("ensure",)


class ShareEnsured(Event):
    export_locations: tuple[ExportLocation, ...] | None

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("ensure"),)


class ShareEnsureFailed(Event):
    """The share stays available, with the reason: what users see of it may be out of date."""

    reason: str

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("ensure", self.reason),)


class Ensure(Effect):
    def key(self) -> str:
        return "ensure"


UpkeepCommand = ConfirmServer | ConfirmReleased | EnsureShare | ConfirmEnsured
UpkeepEvent = (
    ShareServerAcquired | ShareDestroyed | ShareEnsureRequested | ShareEnsured | ShareEnsureFailed
)
UpkeepEffect = AcquireServer | ReleaseServer | Ensure
