"""Access rules of snapshots: one that is mounted by itself has rules of its own, which let clients read.

They are decided as those of a share (see `access`). The backend exports a snapshot as long as it has rules:
`SnapshotAccessRulesApplied` records where, and the last rule takes the export with it.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, assert_never

from pydantic import field_validator

from share_actors.events.decider import Effect, Missing, Rejected, Settled
from share_actors.events.phrases import exported_at
from share_actors.events.share import access
from share_actors.events.share.access import (
    AccessAllowed,
    AccessDenied,
    AccessRulesApplied,
    AllowAccess,
    ApplyRules,
    ConfirmRules,
    DenyAccess,
)
from share_actors.events.share.rules import Rules, same_client
from share_actors.events.share.snapshot.lifecycle import Snapshots
from share_actors.events.share.snapshot.messages import DropSnapshot, SnapshotEffect
from share_actors.values import AccessLevel, ExportLocation
from share_actors.values.checks.fields import Id

EffectT = TypeVar("EffectT", bound=SnapshotEffect | None)


# -- messages ------------------------------------------------------------------------------------
class AllowSnapshotAccess(AllowAccess, topic="snapshot.allow_access"):
    """`ShareManager.snapshot_update_access`, for a new rule: it lets a client read the snapshot."""

    snapshot_id: Id
    access_level: AccessLevel = "ro"

    @field_validator("access_level")
    @classmethod
    def _read_only(cls, level: AccessLevel) -> AccessLevel:
        if level != "ro":
            raise ValueError("must be 'ro': a snapshot can only be read")
        return level


class DenySnapshotAccess(DenyAccess, topic="snapshot.deny_access"):
    """`ShareManager.snapshot_update_access`, for a rule that is to go."""

    snapshot_id: Id

    def work(self) -> str:
        """Return the requested work."""
        return f"{_works(self.snapshot_id)}/{self.access_id}/deny"


class ConfirmSnapshotRules(ConfirmRules):
    """The driver answered, as for a share; the snapshot is exported at *export_locations* now."""

    snapshot_id: str
    export_locations: tuple[ExportLocation, ...] = ()


class SnapshotAccessAllowed(AccessAllowed, topic="snapshot.access_allowed"):
    """A client is to read the snapshot."""

    snapshot_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"{_works(self.snapshot_id)}/{self.access_id}/allow",)


class SnapshotAccessDenied(AccessDenied, topic="snapshot.access_denied"):
    """The client of a rule is to lose its access to the snapshot."""

    snapshot_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"{_works(self.snapshot_id)}/{self.access_id}/deny",)


class SnapshotAccessRulesApplied(AccessRulesApplied, topic="snapshot.access_rules_applied"):
    """The outcome of an attempt to apply rules of the snapshot; *export_locations*: None if none changed."""

    schema_version: ClassVar[int] = 1

    snapshot_id: str
    export_locations: tuple[ExportLocation, ...] | None = None

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        prefix = f"snapshot/{self.snapshot_id}/"
        return tuple(end._replace(work=f"{prefix}{end.work}") for end in super().settles())


class ApplySnapshotRules(Effect):
    """Bring the rules of a snapshot about; *cascade*: as a step of deleting the share."""

    snapshot_id: str
    change: ApplyRules
    cascade: bool = False

    def key(self) -> str:
        """Return the name of the effect: that of the deletion if it is a step of one."""
        if self.cascade:
            return "delete"
        return f"snapshot/{self.snapshot_id}/{self.change.key()}"


SnapshotAccessCommand = AllowSnapshotAccess | DenySnapshotAccess | ConfirmSnapshotRules
SnapshotAccessEvent = SnapshotAccessAllowed | SnapshotAccessDenied | SnapshotAccessRulesApplied
_EVENTS: dict[type[access.AccessEvent], type[SnapshotAccessEvent]] = {
    AccessAllowed: SnapshotAccessAllowed,
    AccessDenied: SnapshotAccessDenied,
    AccessRulesApplied: SnapshotAccessRulesApplied,
}


def _works(snapshot_id: str) -> str:
    """The beginning of the works on the rules of a snapshot."""
    return f"snapshot/{snapshot_id}/rule"


# -- decisions -----------------------------------------------------------------------------------
def decide(command: SnapshotAccessCommand, state: Snapshots) -> list[SnapshotAccessEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible now."""
    i = command.snapshot_id
    if i not in state.held:
        raise Missing("snapshot", field="snapshot_id", value=i)
    _check_status(command, state)
    more: dict[str, Any] = {"snapshot_id": i}
    if isinstance(command, ConfirmSnapshotRules):
        more["export_locations"] = command.export_locations
    events = access.decide(command, rules_of(i, state))
    return [_EVENTS[type(event)](**event.__dict__, **more) for event in events]


def _check_status(command: SnapshotAccessCommand, state: Snapshots) -> None:
    status = state.held[command.snapshot_id].status
    match command:
        case AllowSnapshotAccess():
            allowed: tuple[str, ...] = ("available",)
        case DenySnapshotAccess():
            allowed = ("available", "restoring")
        case ConfirmSnapshotRules():
            return
        case _:
            assert_never(command)
    if status not in allowed:
        raise Rejected(
            f"snapshot {command.snapshot_id} is {status}; it must be available for its access rules to change"
        )


def rules_of(snapshot_id: str, state: Snapshots) -> Rules:
    """The rules of a snapshot."""
    return state.rules.get(snapshot_id, access.initial)


def joined(command: AllowSnapshotAccess, state: Snapshots) -> str | None:
    """The pending work that a repeated request joins: the same client may have a rule of another id."""
    rules = rules_of(command.snapshot_id, state)
    rule = same_client(rules, command.access_type, command.access_to)
    return None if rule is None else f"{_works(command.snapshot_id)}/{rule.id}/allow"


# -- state ---------------------------------------------------------------------------------------
def evolve(state: Snapshots, event: SnapshotAccessEvent) -> Snapshots:
    """Return the snapshots after *event*."""
    i = event.snapshot_id
    changed = state.with_rules(i, access.evolve(rules_of(i, state), event))
    if not isinstance(event, SnapshotAccessRulesApplied) or event.export_locations is None:
        return changed
    snapshot = changed.held[i].replace(export_locations=event.export_locations)
    return changed.replace(held={**changed.held, i: snapshot})


def started(effect: str, state: Snapshots) -> Snapshots:
    """The snapshots once an attempt at *effect*, the key of an effect, began."""
    match effect.split("/"):
        case ["snapshot", i, "access"] if i in state.held:
            return state.with_rules(i, access.started(rules_of(i, state)))
        case _:
            return state


def failed(snapshot_id: str, reason: str, state: Snapshots) -> SnapshotAccessRulesApplied:
    """The attempt under way failed for good, for every rule that it was about."""
    event = access.failed(rules_of(snapshot_id, state), reason)
    return SnapshotAccessRulesApplied(snapshot_id=snapshot_id, failed=event.failed)


def active(state: Snapshots) -> dict[str, tuple[str, ...]]:
    """The ids of the rules in force, by snapshot, without the snapshots that have none."""
    found = {i: access.active(rules) for i, rules in state.rules.items()}
    return {i: ids for i, ids in found.items() if ids and state.held[i].status == "available"}


def queued(state: Snapshots, access_ids: dict[str, tuple[str, ...]]) -> Snapshots:
    """The snapshots with these rules, by snapshot, to be applied again."""
    for i, ids in access_ids.items():
        if i in state.held:
            state = state.with_rules(i, access.queued(rules_of(i, state), ids))
    return state


def in_error(state: Snapshots) -> list[str]:
    """The works on rules that failed."""
    return [
        f"snapshot/{i}/{work}"
        for i, rules in state.rules.items()
        for work in access.in_error(rules)
    ]


# -- effects -------------------------------------------------------------------------------------
def pending(state: Snapshots) -> ApplySnapshotRules | None:
    """Return the driver call that the rules of available snapshots owe, if any."""
    for i, rules in state.rules.items():
        change = access.pending(rules) if state.held[i].status == "available" else None
        if change is not None:
            return ApplySnapshotRules(snapshot_id=i, change=change)
    return None


def withdrawn_first(effect: EffectT, state: Snapshots) -> EffectT | ApplySnapshotRules:
    """*effect*; if it deletes a snapshot with rules that may be on the backend, their removal before it."""
    if not isinstance(effect, DropSnapshot):
        return effect
    i = effect.snapshot_id
    removal = access.removal(rules_of(i, state))
    if removal is None:
        return effect
    return ApplySnapshotRules(snapshot_id=i, change=removal, cascade=effect.cascade)


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: SnapshotAccessEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    i = event.snapshot_id
    match event:
        case SnapshotAccessAllowed(access_id=rule, access_type=kind, access_to=to):
            return f"{who} asked to let {kind} {to} read snapshot {i} (access rule {rule})"
        case SnapshotAccessDenied():
            return f"{access.sentence(event, who)} of snapshot {i}"
        case SnapshotAccessRulesApplied(export_locations=locations):
            where = "" if locations is None else f"; {exported_at(locations)}"
            return f"for snapshot {i}, {access.sentence(event, who)}{where}"
        case _:
            assert_never(event)
