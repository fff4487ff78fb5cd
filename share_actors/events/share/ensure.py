"""Ensuring a share: it is re-exported with its backend's current settings, or as it is recorded."""

from __future__ import annotations

from typing import ClassVar, assert_never

from pydantic import Field

from share_actors.events import attempts
from share_actors.events.decider import Command, Effect, Event, Settled
from share_actors.events.phrases import exported_at
from share_actors.events.share import access
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.state import ShareState, require_status
from share_actors.values import ExportLocation


# -- messages ------------------------------------------------------------------------------------
class EnsureShare(Command, topic="share.ensure"):
    """`ShareManager.ensure_driver_resources`, for one share: its backend's *info* changed."""

    info: str

    def work(self) -> str:
        """Return the requested work."""
        return "ensure"


class ReapplyShare(Command, topic="share.reapply"):
    """Apply what is recorded of the share again: its access rules, and its exports by `ensure_share`."""

    def work(self) -> str:
        """Return the requested work."""
        return "ensure"


class ConfirmEnsured(Command):
    """The driver re-exported the share; None: the export locations did not change."""

    export_locations: tuple[ExportLocation, ...] | None = None


class ShareEnsureRequested(Event, topic="share.ensure_requested"):
    """The share is to be re-exported."""

    info: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("ensure",)


class ShareReapplyRequested(Event, topic="share.reapply_requested"):
    """The share is to be re-exported, and its active access *rules* are to be applied again.

    *snapshot_rules*: those of its snapshots, by snapshot.
    """

    schema_version: ClassVar[int] = 2

    rules: tuple[str, ...]
    snapshot_rules: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        snapshots = self.snapshot_rules.items()
        of_snapshots = (f"snapshot/{i}/rule/{rule}/allow" for i, ids in snapshots for rule in ids)
        return ("ensure", *(f"rule/{i}/allow" for i in self.rules), *of_snapshots)


class ShareEnsured(Event, topic="share.ensured"):
    """The driver re-exported the share; None: the export locations did not change."""

    schema_version: ClassVar[int] = 2
    export_locations: tuple[ExportLocation, ...] | None

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("ensure"),)


class ShareEnsureFailed(Event, topic="share.ensure_failed"):
    """The share stays available, with the reason: its export locations may be out of date."""

    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("ensure", self.reason),)


class Ensure(Effect):
    """The driver's `ensure_share`."""

    def key(self) -> str:
        """Return the name of the effect."""
        return "ensure"


EnsureCommand = EnsureShare | ReapplyShare | ConfirmEnsured
EnsureEvent = ShareEnsureRequested | ShareReapplyRequested | ShareEnsured | ShareEnsureFailed


# -- decisions -----------------------------------------------------------------------------------
def decide(command: EnsureCommand, state: ShareState) -> list[EnsureEvent]:
    """The events that *command* comes to; raises `Rejected` unless the share is available."""
    match command:
        case EnsureShare(info=info):
            require_status(state, "available")
            return [] if state.ensure else [ShareEnsureRequested(info=info)]
        case ReapplyShare():
            require_status(state, "available")
            active = access.active(state.rules)
            of_snapshots = snapshot_access.active(state.snapshots)
            requested = ShareReapplyRequested(rules=active, snapshot_rules=of_snapshots)
            return [requested] if active or of_snapshots or not state.ensure else []
        case ConfirmEnsured(export_locations=locations):
            attempts.require(state.attempt, "ensure")
            return [ShareEnsured(export_locations=locations)]
        case _:
            assert_never(command)


def evolve(state: ShareState, event: EnsureEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareEnsureRequested():  # where its snapshots are exported may change as well
            again = snapshot_access.active(state.snapshots)
            return state.replace(
                ensure=True, snapshots=snapshot_access.queued(state.snapshots, again)
            )
        case ShareReapplyRequested(rules=rules, snapshot_rules=of_snapshots):
            return state.replace(
                ensure=True,
                rules=access.queued(state.rules, rules),
                snapshots=snapshot_access.queued(state.snapshots, of_snapshots),
            )
        case ShareEnsured(export_locations=locations):
            exports = state.share.export_locations if locations is None else locations
            share = state.share.replace(export_locations=exports, status_reason=None)
            return state.replace(share=share, ensure=False, attempt=None)
        case ShareEnsureFailed(reason=reason):
            share = state.share.replace(status_reason=reason)
            return state.replace(share=share, ensure=False, attempt=None)
        case _:
            assert_never(event)


def pending(state: ShareState) -> Ensure | None:
    """The driver call that an available share owes, if any."""
    return Ensure() if state.ensure else None


def sentence(event: EnsureEvent, who: str) -> str:
    """*event* in words; *who* requested it, if a user did."""
    match event:
        case ShareEnsureRequested():
            return "its backend's settings changed; it will be re-exported"
        case ShareReapplyRequested():
            return f"{who} asked to apply its access rules and exports again"
        case ShareEnsured(export_locations=locations):
            where = "" if locations is None else f"; {exported_at(locations)}"
            return f"it was re-exported with its backend's current settings{where}"
        case ShareEnsureFailed(reason=reason):
            return f"it could not be re-exported with its backend's current settings: {reason}"
        case _:
            assert_never(event)
