"""Adoption: after an unknown outcome, what the backend holds already need not be asked for again.

What was made is adopted; what is gone is asked to go nonetheless. A call given up as hanging may yet
come to life, and a backend learns that it was overtaken (`RequestContext.fence`) only from calls that
follow it: a probe that finds nothing to delete would leave the way free for it.
"""

from __future__ import annotations

from typing import assert_never

from share_actors.drivers.base import ProbeResult
from share_actors.events.decider import Command
from share_actors.events.share import ShareState, access, snapshot_messages
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.ensure import Ensure
from share_actors.events.share.manage import Adopt, LetGo
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmResized,
    Destroy,
    Provision,
    Resize,
    ShareEffect,
)
from share_actors.events.share.server_attachment import AcquireServer, ReleaseServer
from share_actors.events.share.snapshot_messages import (
    AdoptSnapshot,
    DropSnapshot,
    LetSnapshotGo,
    TakeSnapshot,
)


def probe_outcome(effect: ShareEffect, state: ShareState, found: ProbeResult) -> Command | None:
    """The outcome of *effect* if the backend holds it already; None: it has to be asked for again."""
    match effect:
        case Provision():
            whole = found.state == "whole" and found.size in (None, state.share.size)
            return ConfirmCreated(export_locations=tuple(found.export_locations)) if whole else None
        case Resize(doing=doing, size=size):
            resized = found.state == "whole" and found.size == size
            return ConfirmResized(doing=doing, size=size) if resized else None
        case ApplyRules():
            return _rules(effect, state, found)
        case TakeSnapshot(snapshot_id=i):
            taken = found.snapshots or {}
            if i not in taken:
                return None
            return snapshot_messages.ConfirmSnapshotCreated(
                snapshot_id=i, provider_location=taken[i]
            )
        case Destroy() | DropSnapshot() | AdoptSnapshot() | LetSnapshotGo() | Adopt() | LetGo():
            return None
        case AcquireServer() | ReleaseServer() | Ensure():
            return None
        case _:
            assert_never(effect)


def _rules(effect: ApplyRules, state: ShareState, found: ProbeResult) -> ConfirmRules | None:
    if effect.delete or effect.cascade:
        return None
    wanted = access.desired(state.rules, effect)
    clients = {(rule.access_type, rule.access_to, rule.access_level) for rule in wanted}
    if found.access is None or found.access != clients:
        return None
    return ConfirmRules(applied=tuple(rule.id for rule in effect.add))
