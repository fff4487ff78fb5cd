"""Access rules of one share: a desired and an applied set; while they differ, applying them is pending.

queued -> applying -> active -> denying -> gone, or rest in error with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, assert_never

from pydantic import Field, ValidationInfo, field_validator

from share_actors.events.decider import Command, Effect, Event, Missing, Rejected, Settled
from share_actors.events.phrases import joined
from share_actors.events.share.clients import normal_access_to
from share_actors.events.share.rules import NO_IDS, Rules, WantedRules, same_client
from share_actors.values import AccessLevel, AccessRule, AccessType, RuleState
from share_actors.values.checks.fields import Id
from share_actors.values.persistent import PersistentSet


class AllowAccess(Command, topic="access.allow"):
    """`ShareManager.allow_access`; the client chooses *access_id*, so that it can repeat the request."""

    access_id: Id
    access_type: AccessType
    access_to: str
    access_level: AccessLevel = "rw"

    @field_validator("access_to")
    @classmethod
    def _normalise(cls, access_to: str, others: ValidationInfo) -> str:
        if "access_type" not in others.data:  # it is in error already
            return access_to
        return normal_access_to(others.data["access_type"], access_to)


class DenyAccess(Command, topic="access.deny"):
    """`ShareManager.deny_access`."""

    access_id: Id

    def work(self) -> str:
        """Return the requested work."""
        return f"rule/{self.access_id}/deny"


class ConfirmRules(Command):
    """The driver answered: these rules are on the backend, these are off it, these could not be."""

    applied: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    warnings: dict[str, str] = Field(default_factory=dict)
    cut_off: tuple[str, ...] = ()


class AccessAllowed(Event, topic="access.allowed"):
    """A client is to have access."""

    access_id: str
    access_type: AccessType
    access_to: str
    access_level: AccessLevel

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"rule/{self.access_id}/allow",)


class AccessDenied(Event, topic="access.denied"):
    """The client of a rule is to lose its access."""

    access_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (f"rule/{self.access_id}/deny",)


class AccessRulesApplied(Event, topic="access.rules_applied"):
    """The outcome of an attempt to apply rules, for each of them.

    *warnings*: why those of the applied ones that cannot work do not. *cut_off*: the clients whose sessions
    this attempt ended, if the driver tells (`drivers.rule_updates.RuleChange`).
    """

    schema_version: ClassVar[int] = 3

    applied: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    warnings: dict[str, str] = Field(default_factory=dict)
    cut_off: tuple[str, ...] = ()

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (
            *(Settled(f"rule/{i}/allow") for i in self.applied),
            *(Settled(f"rule/{i}/allow", "denied before it was applied") for i in self.removed),
            *(Settled(f"rule/{i}/deny") for i in self.removed),
            *(Settled(f"rule/{i}/*", reason) for i, reason in self.failed.items()),
        )


class ApplyRules(Effect):
    """Bring the backend to the `desired` set; *cascade*: to none, as a step of deleting the share."""

    add: tuple[AccessRule, ...]
    delete: tuple[AccessRule, ...]
    cascade: bool = False

    def key(self) -> str:
        """Return the name of the effect."""
        return "delete" if self.cascade else "access"


AccessCommand = AllowAccess | DenyAccess | ConfirmRules
AccessEvent = AccessAllowed | AccessDenied | AccessRulesApplied


initial = Rules()
_NEW = AccessRule(id="", access_type="ip", access_to="")
"""A pattern: a copy with the fields of an event, which are validated already, is faster than a new rule."""


def decide(command: AccessCommand, state: Rules) -> list[AccessEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible now."""
    match command:
        case AllowAccess():
            return _allow(command, state)
        case DenyAccess(access_id=access_id):
            return _deny(access_id, state)
        case ConfirmRules():
            return [_confirmed(command, state)]
        case _:
            assert_never(command)


def _confirmed(command: ConfirmRules, state: Rules) -> AccessRulesApplied:
    return AccessRulesApplied(
        applied=command.applied,
        removed=command.removed,
        failed={i: why for i, why in command.failed.items() if not _denied_since(i, state)},
        warnings=command.warnings,
        cut_off=command.cut_off,
    )


def _denied_since(access_id: str, state: Rules) -> bool:
    """Whether the rule was denied while it was being applied, so that its removal was not attempted yet."""
    rule = state.rules.get(access_id)
    return rule is not None and rule.state == "denying" and access_id not in state.attempted


def _allow(command: AllowAccess, state: Rules) -> list[AccessEvent]:
    same = same_client(state, command.access_type, command.access_to)
    if command.access_id in state.rules and (same is None or same.id != command.access_id):
        raise Rejected(f"access rule {command.access_id} exists already")
    if same is None:
        return [_allowed(command)]
    if same.access_level == command.access_level and same.state != "error":
        return []  # ShareAccessExists is harmless when the rule is the same
    raise Rejected(
        f"{same.access_type} {same.access_to} has the {same.access_level} rule {same.id}"
        f" ({same.state}) already: deny that one first"
    )


def _allowed(command: AllowAccess) -> AccessAllowed:
    return AccessAllowed(
        access_id=command.access_id,
        access_type=command.access_type,
        access_to=command.access_to,
        access_level=command.access_level,
    )


def _deny(access_id: str, state: Rules) -> list[AccessEvent]:
    rule = state.rules.get(access_id)
    if rule is None:
        raise Missing("access rule", field="access_id", value=access_id)
    return [] if rule.state == "denying" else [AccessDenied(access_id=access_id)]


def evolve(state: Rules, event: AccessEvent) -> Rules:
    """Return the rules after *event*."""
    match event:
        case AccessAllowed(access_id=i, access_type=kind, access_to=to, access_level=level):
            rule = _NEW.replace(id=i, access_type=kind, access_to=to, access_level=level)
            return state.with_queued(rule)
        case AccessDenied(access_id=i):
            denying = state.rules[i].replace(state="denying", reason=None)
            denied, attempted = state.denied.put((i,)), state.attempted.remove((i,))
            return state.with_rules(denying, denied=denied, attempted=attempted)
        case AccessRulesApplied():
            return _applied(state, event)
        case _:
            assert_never(event)


def _applied(state: Rules, event: AccessRulesApplied) -> Rules:
    state = state.without(event.removed) if event.removed else state
    known = state.rules
    active = {
        i: known[i].replace(state="active", reason=None, warning=event.warnings.get(i))
        for i in event.applied
        if i in known and known[i].state != "denying"
    }
    failed = [
        known[i].replace(state="error", reason=why, warning=None)
        for i, why in event.failed.items()
        if i in known
    ]
    done = state.replace(  # the active ones were in force for their clients already
        rules=known.put(active),
        owed=state.owed.remove(active),
        errors=state.errors.remove(active),
        applied=state.applied.put(event.applied).remove(event.removed),
        denied=state.denied.remove(event.removed),
        attempted=NO_IDS,
    )
    return done.with_rules(*failed) if failed else done


def started(state: Rules) -> Rules:
    """An attempt to apply began: the queued rules are being applied, and may be on the backend."""
    rules = state.rules
    queued = [rule for i in state.owed if (rule := rules[i]).state == "queued"]
    on_its_way = {rule.id: rule.replace(state="applying") for rule in queued}
    return state.replace(  # they are owed as before, and in force for their clients
        rules=rules.put(on_its_way),
        applied=state.applied.put(on_its_way),
        attempted=PersistentSet(state.owed),
    )


def failed(state: Rules, reason: str) -> AccessRulesApplied:
    """The attempt under way failed for good, for every rule that it was about."""
    owed = [i for i in state.rules if i in state.attempted]
    return AccessRulesApplied(failed=dict.fromkeys(owed, reason))


def given_up(state: Rules, reason: str) -> Rules:
    """Every rule that is pending is in error: no attempt at it follows."""
    owed = (state.rules[i].replace(state="error", reason=reason) for i in state.owed)
    return state.with_rules(*owed)


def retried(state: Rules) -> Rules:
    """Every rule in error is pending again: to be applied, or to be removed if it was denied."""
    for i, rule in state.rules.items():
        if rule.state == "error":
            now: RuleState = "denying" if i in state.denied else "queued"
            state = state.with_rules(rule.replace(state=now, reason=None))
    return state


def active(state: Rules) -> tuple[str, ...]:
    """The ids of the rules that are in force."""
    return tuple(i for i, rule in state.rules.items() if rule.state == "active")


def queued(state: Rules, access_ids: Iterable[str]) -> Rules:
    """The rules with *access_ids*, which are in force, to be applied again."""
    known = [state.rules[i] for i in access_ids if i in state.rules]
    return state.with_rules(*(r.replace(state="queued") for r in known if r.state == "active"))


def in_error(state: Rules) -> list[str]:
    """The works that failed."""
    return [_work(i, state) for i, rule in state.rules.items() if rule.state == "error"]


def owed(state: Rules) -> list[str]:
    """The works that wait for their turn."""
    return [_work(i, state) for i in state.owed]


def _work(access_id: str, state: Rules) -> str:
    return f"rule/{access_id}/{'deny' if access_id in state.denied else 'allow'}"


def pending(state: Rules) -> ApplyRules | None:
    """Return the driver call that the rules owe, if any."""
    if not state.owed:
        return None
    owed = [state.rules[i] for i in state.owed]
    return ApplyRules(
        add=tuple(r for r in owed if r.state != "denying"),
        delete=tuple(r for r in owed if r.state == "denying"),
    )


def desired(state: Rules, effect: ApplyRules) -> Sequence[AccessRule]:
    """The rules that have to be on the backend after *effect*; they are looked for once they are needed."""
    return () if effect.cascade else WantedRules(state)


def removal(state: Rules) -> ApplyRules | None:
    """The removal of every rule that may be on the backend, before the share itself is deleted."""
    gone = tuple(r for i, r in state.rules.items() if i in state.applied)
    return ApplyRules(add=(), delete=gone, cascade=True) if gone else None


def removing(rules: Iterable[AccessRule]) -> Rules:
    """*rules*, which are on the backend and are all to be removed from it."""
    denying = [rule.replace(state="denying", reason=None) for rule in rules]
    ids = PersistentSet(rule.id for rule in denying)
    return initial.with_rules(*denying).replace(applied=ids, denied=ids)


# -- sentences -----------------------------------------------------------------------------------
_LEVELS = {"rw": "read and write", "ro": "read only"}


def sentence(event: AccessEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case AccessAllowed(access_id=i, access_type=kind, access_to=to, access_level=level):
            return f"{who} asked to let {kind} {to} {_LEVELS[level]} (access rule {i})"
        case AccessDenied(access_id=i):
            return f"{who} asked to remove access rule {i}"
        case AccessRulesApplied():
            return _outcome(event)
        case _:
            assert_never(event)


def _outcome(event: AccessRulesApplied) -> str:
    done = []
    if event.applied:
        done.append(f"applied access {_named(event.applied)}")
    if event.removed:
        done.append(f"removed access {_named(event.removed)}")
    done += [f"could not change access rule {i} ({why})" for i, why in event.failed.items()]
    text = f"the backend {joined(done)}" if done else "the backend had no access rule to change"
    idle = [f"access rule {i} cannot work yet: {why}" for i, why in event.warnings.items()]
    gone = [f"it cut off {joined(event.cut_off)}"] if event.cut_off else []
    return "; ".join([text, *gone, *idle])


def _named(ids: tuple[str, ...]) -> str:
    return f"rule {ids[0]}" if len(ids) == 1 else f"rules {joined(ids)}"
