"""Probing: after an unknown outcome, an effect that the backend shows as done is not performed again.

Deletions and reverts are performed again even if the probe finds nothing. A call that was given up as
hanging may resume later, and a backend learns that it was overtaken (`RequestContext.fence`) only from the
calls that follow it.
"""

from __future__ import annotations

from typing import assert_never

from share_actors.drivers.base import ProbeResult
from share_actors.drivers.checks.returned import read_exports
from share_actors.events.decider import Command
from share_actors.events.share import ShareState, access
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.ensure import Ensure
from share_actors.events.share.manage import ManageExisting, Unmanage
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmResized,
    Destroy,
    Provision,
    Resize,
    Revert,
    ShareEffect,
)
from share_actors.events.share.server_attachment import AcquireServer, ReleaseServer
from share_actors.events.share.snapshot import messages as snapshot_messages
from share_actors.events.share.snapshot.access import ApplySnapshotRules
from share_actors.events.share.snapshot.cloning import HoldSource, ReleaseSource
from share_actors.events.share.snapshot.messages import (
    DropSnapshot,
    ManageExistingSnapshot,
    TakeSnapshot,
    UnmanageExistingSnapshot,
)


def probe_outcome(effect: ShareEffect, state: ShareState, probe: ProbeResult) -> Command | None:
    """The outcome of *effect* if the backend shows it as done; None if it must be performed again."""
    match effect:
        case Provision():
            created = probe.state == "whole" and probe.size in (None, state.share.size)
            locations = read_exports("probe_share", probe.export_locations)
            return ConfirmCreated(export_locations=locations) if created else None
        case Resize(doing=doing, size=size):
            resized = probe.state == "whole" and probe.size == size
            return ConfirmResized(doing=doing, size=size) if resized else None
        case ApplyRules():
            return _rules_outcome(effect, state, probe)
        case TakeSnapshot(snapshot_id=i):
            return _snapshot_outcome(i, probe)
        case (
            Destroy()
            | Revert()
            | DropSnapshot()
            | ManageExistingSnapshot()
            | UnmanageExistingSnapshot()
            | ManageExisting()
            | Unmanage()
        ):
            return None
        case ApplySnapshotRules():  # where it is exported is part of the outcome
            return None
        case AcquireServer() | ReleaseServer() | Ensure() | HoldSource() | ReleaseSource():
            return None
        case _:
            assert_never(effect)


def _rules_outcome(
    effect: ApplyRules, state: ShareState, probe: ProbeResult
) -> ConfirmRules | None:
    if effect.delete or effect.cascade:
        return None
    desired = access.desired(state.rules, effect)
    clients = {(rule.access_type, rule.access_to, rule.access_level) for rule in desired}
    if probe.access is None or probe.access != clients:
        return None
    return ConfirmRules(applied=tuple(rule.id for rule in effect.add))


def _snapshot_outcome(snapshot_id: str, probe: ProbeResult) -> Command | None:
    locations = probe.snapshots or {}
    if snapshot_id not in locations:
        return None
    return snapshot_messages.ConfirmSnapshotCreated(
        snapshot_id=snapshot_id, provider_location=locations[snapshot_id]
    )
