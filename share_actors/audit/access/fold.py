"""The access to one share, folded from its events in constant time for each rule that changes.

The aggregate keeps what its next decision needs. This keeps what it drops: when each rule was asked for,
confirmed and revoked, and whether the backend has ever confirmed it. A test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from share_actors.audit.access.values import InForce
from share_actors.events.attempts import AttemptStarted
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.backend_change import ShareBackendChanged
from share_actors.events.share.creation import ShareCreationRequested
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.ensure import ShareReapplyRequested
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.forgetting import ShareForgotten
from share_actors.events.share.manage import ShareManaged, ShareManageRequested, ShareUnmanaged
from share_actors.events.share.snapshot.messages import SnapshotDeletionRequested
from share_actors.events.share.unknown_deletion import UnknownShareDeletionRequested
from share_actors.redaction import without_url_passwords
from share_actors.values import AccessLevel, AccessType, RuleState, ShareSpec
from share_actors.values.checks.escaping import escaped

Knowledge = Literal["absent", "complete", "partial", "none", "gone"]
"""What the log knows of the access to the share.

`absent`: there is no share yet. `partial`: it is managed, and the backend may still let clients in that it
let in before. `none`: it is not managed. `gone`: it was deleted.
"""
NOT_MANAGED_YET = "the share was not managed yet"
NOT_MANAGED = "the share was not managed"
NOT_APPLIED_YET = (
    "the share was managed; no rules were applied since, and the backend may have kept others"
)
UNKNOWN_TO_LOG = "only the backend had the share"


class Standing(NamedTuple):
    """How a rule stands at a time."""

    intended: bool
    in_force: InForce
    because: str | None


@dataclass(slots=True)
class RuleTrack:
    """One rule: what it says, and what became of it."""

    access_id: str
    access_type: AccessType
    access_to: str
    access_level: AccessLevel
    asked_at: datetime
    asked_by: str
    state: RuleState = "queued"
    denied: bool = False
    may_be: bool = False
    """It may be on the backend: an attempt to apply it began, and none to remove it succeeded."""
    confirmed: bool = False
    """The backend has confirmed it, and no attempt failed since."""
    left: bool = False
    """It was left on the backend by a share that was forgotten."""
    reason: str | None = None
    warning: str | None = None
    applied_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""


class AccessFold:
    """The rules of one share; `apply` adds its next event."""

    def __init__(self) -> None:
        self.share = ShareSpec()
        self.knowledge: Knowledge = "absent"
        self.because: str | None = None
        self.since: datetime | None = None
        """When `knowledge` changed; None: since before the log knew the share."""
        self.rules: dict[str, RuleTrack] = {}
        self.deleting: tuple[datetime, str] | None = None
        """When the deletion was asked for, and by whom."""
        self._queued: set[str] = set()
        """The rules that the next attempt applies; kept, so that no attempt looks at every rule."""
        self._former: list[RuleTrack] = []
        self.error: str | None = None
        """Why the share is in error, if it is."""

    def apply(self, recorded: Recorded, at: datetime) -> Iterable[RuleTrack]:
        """Add an event that counts from *at*; returns the rules whose standing may have changed.

        A rule that is not in `rules` any more is gone from the share.
        """
        handler = _HANDLERS.get(type(recorded.event))
        return () if handler is None else handler(self, recorded.event, recorded.envelope, at)

    def standing(self, rule: RuleTrack) -> Standing:
        """How *rule*, one of `rules`, stands now."""
        intended = not rule.denied and self.deleting is None
        in_force: InForce = "no"
        if rule.may_be:
            in_force = "yes" if rule.confirmed else "unknown"
        because = self._because(rule, intended, in_force)
        return Standing(intended, in_force, because)

    def _because(self, rule: RuleTrack, intended: bool, in_force: InForce) -> str | None:
        if rule.state == "error":
            doing = "removed" if rule.denied else "applied"
            return f"it could not be {doing}: {rule.reason}"
        if in_force == "unknown":
            return _uncertain(rule)
        waits = None
        if in_force == "no" and intended:
            waits = "it waits to be applied"
        elif in_force == "yes" and not intended:
            waits = "it waits to be removed"
        if waits is not None and self.error is not None:
            return f"{waits}; the share is in error: {self.error}"
        return waits or rule.warning

    # -- the share -------------------------------------------------------------------------------
    def _know(self, knowledge: Knowledge, because: str | None, at: datetime) -> None:
        if (knowledge, because) == (self.knowledge, self.because):
            return
        first = self.knowledge == "absent" and knowledge == "none"
        self.knowledge, self.because = knowledge, because
        self.since = None if first else at

    def _drop_rules(self) -> list[RuleTrack]:
        dropped = list(self.rules.values())
        self.rules.clear()
        self._queued.clear()
        self.deleting = self.error = None
        return dropped

    def _created(self, event: ShareCreationRequested, _: Envelope, at: datetime) -> Touched:
        self.share = event.spec
        self._know("complete", None, at)
        return ()

    def _manage_requested(self, event: ShareManageRequested, _: Envelope, at: datetime) -> Touched:
        self.share = event.spec
        self._know("none", NOT_MANAGED_YET, at)
        return ()

    def _managed(self, _: ShareManaged, envelope: Envelope, at: datetime) -> Touched:
        self._know("partial", NOT_APPLIED_YET, at)
        self.error = None
        former, self._former = self._former, []
        for rule in former:
            rule.state, rule.denied, rule.may_be, rule.confirmed = "denying", True, True, False
            rule.left = True
            if rule.revoked_at is None:
                rule.revoked_at, rule.revoked_by = at, envelope.user_id
            self.rules[rule.access_id] = rule
        return former

    def _unmanaged(self, _: ShareUnmanaged, __: Envelope, at: datetime) -> Touched:
        self._know("none", NOT_MANAGED, at)
        self._former.clear()
        return self._drop_rules()

    def _forgotten(self, _: ShareForgotten, __: Envelope, at: datetime) -> Touched:
        self._know("none", NOT_MANAGED, at)
        dropped = self._drop_rules()
        self._former += [rule for rule in dropped if rule.may_be]
        return dropped

    def _unknown_deletion(
        self, event: UnknownShareDeletionRequested, envelope: Envelope, at: datetime
    ) -> Touched:
        self.share = event.spec
        self._know("none", UNKNOWN_TO_LOG, at)
        self._former.clear()
        dropped = self._drop_rules()
        self.deleting = (at, envelope.user_id)
        return dropped

    def _deletion_requested(
        self,
        _: ShareDeletionRequested | SnapshotDeletionRequested,
        envelope: Envelope,
        at: datetime,
    ) -> Touched:
        self.error = None
        self.deleting = self.deleting or (at, envelope.user_id)
        return self.rules.values()

    def _deleted(self, _: ShareDeleted, __: Envelope, at: datetime) -> Touched:
        self._know("gone", "the share was deleted", at)
        self._former.clear()
        return self._drop_rules()

    def _errored(self, event: ShareErrored, _: Envelope, __: datetime) -> Touched:
        self.error = shown_text(event.reason)
        return self.rules.values()

    def _moved(self, event: ShareBackendChanged, _: Envelope, __: datetime) -> Touched:
        self.share = self.share.replace(host=event.host)
        return ()

    # -- its rules -------------------------------------------------------------------------------
    def _allowed(self, event: AccessAllowed, envelope: Envelope, at: datetime) -> Touched:
        rule = RuleTrack(
            event.access_id,
            event.access_type,
            event.access_to,
            event.access_level,
            at,
            envelope.user_id,
        )
        self.rules[rule.access_id] = rule
        self._queued.add(rule.access_id)
        return (rule,)

    def _denied(self, event: AccessDenied, envelope: Envelope, at: datetime) -> Touched:
        rule = self.rules.get(event.access_id)
        if rule is None:
            return ()
        rule.state, rule.denied, rule.reason = "denying", True, None
        if rule.revoked_at is None:
            rule.revoked_at, rule.revoked_by = at, envelope.user_id
        return (rule,)

    def _started(self, event: AttemptStarted, _: Envelope, __: datetime) -> Touched:
        return self._attempted() if event.effect == "access" else ()

    def _attempted(self) -> list[RuleTrack]:
        """An attempt to apply the rules that are queued begins."""
        queued = [self.rules[i] for i in self._queued if i in self.rules]
        queued = [rule for rule in queued if rule.state == "queued"]
        self._queued.clear()
        for rule in queued:
            rule.state, rule.may_be = "applying", True
        return queued

    def _applied(self, event: AccessRulesApplied, _: Envelope, at: datetime) -> Touched:
        if self.knowledge == "partial":
            self._know("complete", None, at)
        touched = [self.rules[i] for i in _ids(event) if i in self.rules]
        for i in event.removed:
            self.rules.pop(i, None)
        for i in event.applied:
            if (rule := self.rules.get(i)) is not None:
                _confirm(rule, event.warnings.get(i), at)
        for i, reason in event.failed.items():
            if (rule := self.rules.get(i)) is not None:
                rule.state, rule.confirmed, rule.warning = "error", False, None
                rule.reason = shown_text(reason)
        return touched

    def _reapplied(self, event: ShareReapplyRequested, _: Envelope, __: datetime) -> Touched:
        return self._queue(event.rules)

    def _queue(self, access_ids: Iterable[str]) -> list[RuleTrack]:
        """These rules are to be applied again."""
        rules = [self.rules[i] for i in access_ids if i in self.rules]
        for rule in rules:
            if rule.state == "active":
                rule.state = "queued"
                self._queued.add(rule.access_id)
        return rules

    def _retried(self, event: RetryRequested, _: Envelope, __: datetime) -> Touched:
        self.error = None
        if not {"delete", "unmanage", "forget"} & set(event.works):
            for rule in self.rules.values():
                if rule.state == "error":
                    rule.state, rule.reason = ("denying" if rule.denied else "queued"), None
                    self._queued.add(rule.access_id)
        return self.rules.values()


Touched = Iterable[RuleTrack]


def _ids(event: AccessRulesApplied) -> Iterable[str]:
    return dict.fromkeys((*event.removed, *event.applied, *event.failed))


def _confirm(rule: RuleTrack, warning: str | None, at: datetime) -> None:
    rule.may_be = rule.confirmed = True
    rule.applied_at = rule.applied_at or at
    if rule.state != "denying":
        rule.state, rule.reason = "active", None
        rule.warning = None if warning is None else shown_text(warning)


def _uncertain(rule: RuleTrack) -> str:
    if rule.left:
        return "it may be left from before the share was forgotten; it waits to be removed"
    if rule.denied:
        return "it waits to be removed; whether the backend has it is not known"
    if rule.state == "applying":
        return "the backend has not answered yet"
    return "an attempt to apply it failed; it waits for the next one"


def shown_text(text: str) -> str:
    """*text* of a driver in one line, without control characters and URLs' passwords."""
    return escaped(without_url_passwords(text))


_HANDLERS: Mapping[type[Any], Callable[[AccessFold, Any, Envelope, datetime], Touched]] = {
    ShareCreationRequested: AccessFold._created,
    ShareManageRequested: AccessFold._manage_requested,
    ShareManaged: AccessFold._managed,
    ShareUnmanaged: AccessFold._unmanaged,
    ShareForgotten: AccessFold._forgotten,
    UnknownShareDeletionRequested: AccessFold._unknown_deletion,
    ShareDeletionRequested: AccessFold._deletion_requested,
    ShareDeleted: AccessFold._deleted,
    ShareErrored: AccessFold._errored,
    ShareBackendChanged: AccessFold._moved,
    AccessAllowed: AccessFold._allowed,
    AccessDenied: AccessFold._denied,
    AttemptStarted: AccessFold._started,
    AccessRulesApplied: AccessFold._applied,
    ShareReapplyRequested: AccessFold._reapplied,
    RetryRequested: AccessFold._retried,
}
TOPICS = frozenset(event.topic for event in _HANDLERS)
"""The topics of the events that change access; no others need to be decoded."""
