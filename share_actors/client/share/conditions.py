"""What one can wait for of a share: whether it is so, and whether it can still become so by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, get_args

from share_actors.actors.messaging.parameters import refuse, word
from share_actors.errors import NotFound, OperationFailed, Refused, ShareActorsError
from share_actors.events.share_choice import GONE
from share_actors.values import AccessRule, Share, ShareStatus, Snapshot

SETTLED, RULE_ACTIVE, SNAPSHOT_AVAILABLE = "settled", "rule-active", "snapshot-available"
STATUSES = tuple(status for status in get_args(ShareStatus) if status != "absent")
CONDITIONS = (*STATUSES, SETTLED, RULE_ACTIVE, SNAPSHOT_AVAILABLE)
"""All conditions; the last two may be followed by `=` and the rule or snapshot that is meant."""
KEPT, LEAVING = "soft_deleted", ("deleting", *GONE)
"""The status of a share that is kept for a grace period, and those that follow by themselves."""
IN_PROGRESS = ("queued", "applying", "denying")
"""The states of access rules that work brings to an end."""


class Condition(NamedTuple):
    """A condition by its *name*; *of* is the access rule or the snapshot that is meant, None: all of them."""

    name: str
    of: str | None = None

    def __str__(self) -> str:
        return self.name if self.of is None else f"{self.name}={self.of}"

    def is_met(self, share: Share) -> bool:
        """Whether the share is as wanted."""
        match self.name:
            case "settled":
                return not is_at_work(share)
            case "rule-active":
                return _all("active", [rule.state for rule in self._rules(share)])
            case "snapshot-available":
                return _all("available", [found.status for found in self._snapshots(share)])
            case "error":
                return has_failed(share)
            case _:
                return share.status == self.name

    def problem(self, share: Share) -> ShareActorsError | None:
        """Why a share that is not as wanted will not become so by itself; None if it may."""
        if share.status in GONE:
            text = f"share {share.id} is {share.status}, so it will not become {self}"
            return NotFound(text, field="share", value=share.id)
        if share.status == KEPT and self.name in STATUSES and self.name not in LEAVING:
            return _kept(share, self)
        if self.name in ("error", SETTLED):
            return None
        if self.name in (RULE_ACTIVE, SNAPSHOT_AVAILABLE) and (part := self._part_problem(share)):
            return part
        if has_failed(share) and not is_at_work(share):
            return _failed(share, f"is in {share.status}", share.status_reason)
        return None

    def _part_problem(self, share: Share) -> ShareActorsError | None:
        """The same, because of an access rule or a snapshot of the share."""
        if self.name == RULE_ACTIVE:
            rules = self._rules(share)
            failed = [(f"access rule {r.id}", r.reason) for r in rules if r.state == "error"]
            missing, noun = not rules, "access rule"
        else:
            snapshots = self._snapshots(share)
            failed = [
                (f"snapshot {s.id}", s.reason) for s in snapshots if s.status.endswith("error")
            ]
            missing, noun = not snapshots, "snapshot"
        if missing:
            text = f"share {share.id} has no {noun}" + (f" {self.of!r}" if self.of else "")
            return NotFound(text, field="for", value=str(self))
        return _failed(share, f"{failed[0][0]} is in error", failed[0][1]) if failed else None

    def _rules(self, share: Share) -> Sequence[AccessRule]:
        return [r for r in share.access_rules if self.of is None or self.of in (r.id, r.access_to)]

    def _snapshots(self, share: Share) -> Sequence[Snapshot]:
        return [s for s in share.snapshots if self.of is None or self.of in (s.id, s.name)]


def condition_of(text: object) -> Condition:
    """The condition that *text* names; raises `InvalidRequest`."""
    name, has_part, of = word("condition", text).partition("=")
    allowed = (RULE_ACTIVE, SNAPSHOT_AVAILABLE) if has_part else CONDITIONS
    if name not in allowed or (has_part and not of):
        told = f"{RULE_ACTIVE}=RULE and {SNAPSHOT_AVAILABLE}=SNAPSHOT"
        refuse("condition", text, f"is not one of {', '.join(CONDITIONS)}, {told}")
    return Condition(name, of or None)


def has_failed(share: Share) -> bool:
    """Whether the status of the share is one that needs somebody: `error`, or the like."""
    return share.status == "error" or share.status.endswith("_error")


def is_at_work(share: Share) -> bool:
    """Whether the share, or one of its parts, has a status that work brings to an end."""
    rules = [*share.access_rules, *(r for s in share.snapshots for r in s.access_rules)]
    statuses = [str(share.status), *(str(snapshot.status) for snapshot in share.snapshots)]
    at_work = any(status.endswith("ing") for status in statuses)
    return at_work or any(rule.state in IN_PROGRESS for rule in rules)


def _all(wanted: str, found: Iterable[str]) -> bool:
    states = list(found)
    return bool(states) and all(state == wanted for state in states)


def _kept(share: Share, wanted: Condition) -> Refused:
    text = (
        f"share {share.id} is {share.status}, so it will not become {wanted} unless it is restored"
    )
    return Refused(text, field="share", value=share.id, share_id=share.id)


def _failed(share: Share, what: str, reason: str | None) -> OperationFailed:
    text = f"share {share.id}: {what}" + (f": {reason}" if reason else "")
    return OperationFailed(text, field="id", value=share.id, share_id=share.id)
