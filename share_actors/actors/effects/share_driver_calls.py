"""A share's effects as calls of its driver, in a thread: a probe first, if an earlier outcome is unknown."""

from __future__ import annotations

import logging
from typing import assert_never

from share_actors.actors.effects.access_rules import update_rules, update_snapshot_rules
from share_actors.actors.effects.manage_existing import (
    managed_outcome,
    managed_snapshot_outcome,
    unmanage,
    unmanage_snapshot,
)
from share_actors.actors.effects.probe import probe_outcome
from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import DriverError, NotSupported, ShareDriver, TransientError
from share_actors.drivers.checks.returned import read_exports
from share_actors.drivers.fence import within_attempt
from share_actors.events.decider import Command
from share_actors.events.share import ShareState
from share_actors.events.share.access import ApplyRules
from share_actors.events.share.ensure import ConfirmEnsured, Ensure
from share_actors.events.share.manage import ConfirmUnmanaged, ManageExisting, Unmanage
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    ConfirmReverted,
    Destroy,
    Provision,
    Resize,
    Revert,
)
from share_actors.events.share.snapshot.access import ApplySnapshotRules
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    ConfirmSnapshotUnmanaged,
    DropSnapshot,
    ManageExistingSnapshot,
    TakeSnapshot,
    UnmanageExistingSnapshot,
)
from share_actors.events.share.state import driver_view, with_share
from share_actors.values import RequestContext, Share, ShareServer, Snapshot

logger = logging.getLogger(__name__)
ProbedEffect = Provision | Resize | ApplyRules | TakeSnapshot | DropSnapshot | Destroy
SnapshotEffect = TakeSnapshot | DropSnapshot | ManageExistingSnapshot | UnmanageExistingSnapshot
DriverEffect = (
    ProbedEffect | Revert | SnapshotEffect | ApplySnapshotRules | ManageExisting | Unmanage | Ensure
)
"""The effects of a share that are calls of its driver: all but those on its share server."""


def perform(
    driver: ShareDriver,
    effect: DriverEffect,
    state: ShareState,
    context: RequestContext,
    timeout_s: float = 0.0,
) -> Command:
    """Perform *effect* and return its outcome; blocks, and raises whatever the driver raises.

    The driver's deadline is *timeout_s* after this call; 0: it has none.
    """
    if timeout_s:
        context = context.ending_in(timeout_s)
    is_probed = state.attempt is not None and state.attempt.probe
    with within_attempt(context, state.share.id):  # for the methods that get no context
        if is_probed and isinstance(effect, ProbedEffect):
            outcome = _probe(driver, effect, state, context)
            if outcome is not None:
                return outcome
        return _call(driver, effect, state, context)


def _probe(
    driver: ShareDriver, effect: ProbedEffect, state: ShareState, context: RequestContext
) -> Command | None:
    """The outcome of the earlier attempt, if the backend can show it; a broken share is removed."""
    view = driver_view(state)
    try:
        probe = driver.probe_share(context, view, state.server)
    except TransientError:
        raise
    except DriverError as error:  # the call that follows raises whatever is wrong
        logger.warning("share %s could not be probed: %s", view.id, error)
        return None
    if probe is None:
        return None
    for problem in probe.problems:
        logger.warning("share %s: the backend shows a problem: %s", view.id, problem)
    if probe.state == "broken" and isinstance(effect, Provision):
        driver.delete_share(context, view, state.server)
    return probe_outcome(effect, state, probe)


def _call(
    driver: ShareDriver, effect: DriverEffect, state: ShareState, context: RequestContext
) -> Command:
    view, server = driver_view(state), state.server
    match effect:
        case Provision(source=source):
            return _provision(driver, context, view, source and with_share(source, state), server)
        case Resize(doing=doing, size=size):
            resize = driver.extend_share if doing == "extend" else driver.shrink_share
            resize(context, view, size, server)
            return ConfirmResized(doing=doing, size=size)
        case Revert(snapshot=snapshot):
            return ConfirmReverted(
                remount=_revert(driver, context, view, with_share(snapshot, state), server)
            )
        case Destroy():
            driver.delete_share(context, view, server)
            return ConfirmDeleted()
        case ApplyRules():
            return update_rules(driver, effect, state, view, context)
        case ApplySnapshotRules(snapshot_id=i):
            snapshot = with_share(state.snapshots.held[i], state)
            return update_snapshot_rules(driver, effect, state, snapshot, context)
        case ManageExisting(driver_options=options):
            return managed_outcome(driver, context, view, options, server)
        case Unmanage():
            unmanage(driver, view, server)
            return ConfirmUnmanaged()
        case Ensure():
            ensured = driver.ensure_share(context, view, server)
            exports = None if ensured is None else read_exports("ensure_share", ensured)
            return ConfirmEnsured(export_locations=exports)
        case (
            TakeSnapshot() | DropSnapshot() | ManageExistingSnapshot() | UnmanageExistingSnapshot()
        ):
            return _call_for_snapshot(driver, effect, state, context)
        case _:
            assert_never(effect)


def _provision(
    driver: ShareDriver,
    context: RequestContext,
    view: Share,
    source: Snapshot | None,
    server: ShareServer | None,
) -> ConfirmCreated:
    if source is None:
        exports = read_exports("create_share", driver.create_share(context, view, server))
    else:
        returned = driver.create_share_from_snapshot(context, view, source, server)
        exports = read_exports("create_share_from_snapshot", returned)
    return ConfirmCreated(export_locations=exports)


def _revert(
    driver: ShareDriver,
    context: RequestContext,
    view: Share,
    snapshot: Snapshot,
    server: ShareServer | None,
) -> bool:
    """Revert the share; returns whether clients must mount it again."""
    if not isinstance(driver, Reverts):  # it was replaced by one without the ability
        raise NotSupported(f"{type(driver).__name__} cannot revert shares")
    return bool(driver.revert_to_snapshot(context, view, snapshot, server))


def _call_for_snapshot(
    driver: ShareDriver, effect: SnapshotEffect, state: ShareState, context: RequestContext
) -> Command:
    snapshot = with_share(state.snapshots.held[effect.snapshot_id], state)
    server = state.server
    match effect:
        case TakeSnapshot():
            location = driver.create_snapshot(context, snapshot, server)
            return ConfirmSnapshotCreated(snapshot_id=snapshot.id, provider_location=location)
        case DropSnapshot():
            driver.delete_snapshot(context, snapshot, server)
            return ConfirmSnapshotDeleted(snapshot_id=snapshot.id)
        case ManageExistingSnapshot(driver_options=options):
            return managed_snapshot_outcome(driver, snapshot, options, server)
        case UnmanageExistingSnapshot():
            unmanage_snapshot(driver, snapshot, server)
            return ConfirmSnapshotUnmanaged(snapshot_id=snapshot.id)
        case _:
            assert_never(effect)
