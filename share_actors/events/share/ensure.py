"""Ensuring a share: it is exported again with its backend's present settings."""

from __future__ import annotations

from typing import assert_never

from share_actors.events.decider import Command, Effect, Event, Settled
from share_actors.events.phrases import exported_at
from share_actors.values import ExportLocation


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


EnsureCommand = EnsureShare | ConfirmEnsured
EnsureEvent = ShareEnsureRequested | ShareEnsured | ShareEnsureFailed


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: EnsureEvent, who: str) -> str:
    """What happened; nobody asks for it."""
    match event:
        case ShareEnsureRequested():
            return "its backend is set up anew: it is to be exported as the backend is now"
        case ShareEnsured(export_locations=locations):
            where = "" if locations is None else f"; {exported_at(locations)}"
            return f"it is exported as the backend is now{where}"
        case ShareEnsureFailed(reason=reason):
            return f"it could not be exported as the backend is now: {reason}"
        case _:
            assert_never(event)
