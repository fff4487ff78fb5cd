"""Access rules on a driver: applied and removed in one call, or one by one if that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from share_actors.actors.effects.outcomes import driver_message, writable
from share_actors.drivers.abilities import MountableSnapshots
from share_actors.drivers.base import (
    DriverError,
    NotSupported,
    RuleUpdates,
    ShareDriver,
    TransientError,
)
from share_actors.events.share import ShareState, access
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot.access import ApplySnapshotRules, ConfirmSnapshotRules
from share_actors.values import AccessRule, RequestContext, Share, Snapshot

MAX_CUT_OFF = 100
logger = logging.getLogger(__name__)
Rules = Sequence[AccessRule]
UpdateAccess = Callable[[Rules, Rules, Rules], dict[str, str]]
"""Bring the desired rules about by adding and deleting some; the rules that failed, with reasons."""
DriverCall = Callable[[Rules, Rules, Rules], RuleUpdates | None]
"""The method of a driver that does so."""


def update_rules(
    driver: ShareDriver,
    effect: ApplyRules,
    state: ShareState,
    share: Share,
    context: RequestContext,
) -> ConfirmRules:
    """Apply and remove the rules of *effect*; the outcome names each rule that failed, with its reason.

    Raises `TransientError` as the driver does, and `DriverError` if a rule of a share that is being
    deleted could not be removed.
    """

    def update(desired: Rules, add: Rules, delete: Rules) -> RuleUpdates | None:
        return driver.update_access(context, share, desired, add, delete, (), state.server)

    outcome = _outcome(update, effect, access.desired(state.rules, effect))
    added = [rule for rule in effect.add if rule.id in outcome.applied]
    return outcome.replace(warnings=_warnings(driver, share, added, state))


def update_snapshot_rules(
    driver: ShareDriver,
    effect: ApplySnapshotRules,
    state: ShareState,
    snapshot: Snapshot,
    context: RequestContext,
) -> ConfirmSnapshotRules:
    """As `update_rules`, for the rules of *snapshot*; the outcome has where it is exported then.

    Raises `NotSupported` if the driver cannot export snapshots.
    """
    if not isinstance(driver, MountableSnapshots):  # it was replaced by one without the ability
        raise NotSupported(f"{type(driver).__name__} cannot export snapshots by themselves")
    apply, server = driver.snapshot_update_access, state.server

    def update(desired: Rules, add: Rules, delete: Rules) -> RuleUpdates | None:
        return apply(context, snapshot, desired, add, delete, server)

    rules = snapshot_access.rules_of(snapshot.id, state.snapshots)
    outcome = _outcome(update, effect.change, access.desired(rules, effect.change))
    locations = driver.snapshot_export_locations(context, snapshot, server)
    shown = tuple(location for location in locations if not location.is_admin_only)
    return ConfirmSnapshotRules(**dict(outcome), snapshot_id=snapshot.id, export_locations=shown)


def _outcome(update: DriverCall, effect: ApplyRules, desired: Rules) -> ConfirmRules:
    """Bring *desired* about by *update*; raises `DriverError` if a removal that must succeed fails."""
    cut_off: list[str] = []

    def change(desired: Rules, add: Rules, delete: Rules) -> dict[str, str]:
        failed = update(desired, add, delete)
        cut_off.extend(getattr(failed, "cut_off", ()))
        return {access_id: writable(reason) for access_id, reason in (failed or {}).items()}

    failed = _failed_rules(change, effect, desired)
    if effect.cascade and failed:
        raise DriverError("; ".join(failed.values()))
    return ConfirmRules(
        applied=tuple(rule.id for rule in effect.add if rule.id not in failed),
        removed=tuple(rule.id for rule in effect.delete if rule.id not in failed),
        failed=failed,
        cut_off=_recorded(cut_off),
    )


def _recorded(cut_off: Sequence[str]) -> tuple[str, ...]:
    """The clients that were cut off, the first `MAX_CUT_OFF` of them by name."""
    named = [writable(client) for client in cut_off[:MAX_CUT_OFF]]
    more = len(cut_off) - len(named)
    return (*named, *((f"{more} more",) if more else ()))


def _warnings(driver: ShareDriver, share: Share, added: Rules, state: ShareState) -> dict[str, str]:
    """Which of the *added* rules cannot work; none if the driver cannot tell."""
    if not added:
        return {}
    try:
        warnings = driver.access_warnings(share, added, state.server)
    except Exception:  # the rules are applied, whatever this says
        logger.exception("share %s: the driver could not check its access rules", share.id)
        return {}
    return {access_id: writable(warning) for access_id, warning in warnings.items()}


def _failed_rules(update: UpdateAccess, effect: ApplyRules, desired: Rules) -> dict[str, str]:
    try:
        return update(desired, effect.add, effect.delete)
    except TransientError:
        raise
    except DriverError as error:
        changed = (*effect.add, *effect.delete)
        if len(changed) == 1:
            return {changed[0].id: driver_message(error)}
        return _update_one_by_one(update, effect, desired)


def _update_one_by_one(update: UpdateAccess, effect: ApplyRules, desired: Rules) -> dict[str, str]:
    """Find the rules that the backend refuses, and apply the others; the failed ones, with reasons."""
    failed: dict[str, str] = {}
    present = [rule for rule in desired if rule.state == "active"] + list(effect.delete)
    for rule in (*effect.delete, *effect.add):
        adding = rule in effect.add
        next_rules = [*present, rule] if adding else [r for r in present if r.id != rule.id]
        add, delete = ((rule,), ()) if adding else ((), (rule,))
        try:
            refused = update(next_rules, add, delete)
        except TransientError:
            raise
        except DriverError as error:
            refused = {rule.id: driver_message(error)}
        failed.update(refused)
        if rule.id not in refused:
            present = next_rules
    return failed
