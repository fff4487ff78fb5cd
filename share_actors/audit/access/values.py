"""The answers: access periods of rules, what a client could reach, and exposures."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from share_actors.values import AccessLevel, AccessType, Frozen

InForce = Literal["yes", "no", "unknown"]
"""Whether the backend had a rule. `unknown`: it may have had it; the log cannot tell."""
Order = Literal["longest prefix", "exact name", "unknown"]
"""How the backend chooses among rules that name one client.

`longest prefix`: the rule for the smallest network that contains the address; of two for one network, rw.
`exact name`: the rule that has the name; of two, rw. `unknown`: the log does not have the backend's driver,
or this version does not know how it chooses.
"""


class OfShare(Frozen):
    """The share that an answer is about; with *snapshot_id* that snapshot of it, mounted by itself."""

    share_id: str
    snapshot_id: str | None = None
    share_name: str | None
    project_id: str
    backend: str
    share_proto: str


class AccessPeriod(OfShare):
    """A period in which a rule of a share stood as it says.

    Without a rule (`access_id` is None) it says that the access of all clients that no other period of the
    share names is not known. None as *start*: since before the log knew the share. None as *end*: to the end
    of the log.
    """

    start: datetime | None
    end: datetime | None
    access_id: str | None = None
    access_type: AccessType | None = None
    access_to: str | None = None
    access_level: AccessLevel | None = None
    intended: bool | None
    """Asked for and not revoked; None: not known."""
    in_force: InForce
    because: str | None = None
    """Why it is not in force although intended, in force although not intended, or not known."""
    asked_at: datetime | None = None
    asked_by: str | None = None
    applied_at: datetime | None = None
    """When the backend had confirmed the rule."""
    revoked_at: datetime | None = None
    """When its removal was asked for."""
    order: Order = "unknown"

    def contains(self, at: datetime) -> bool:
        """Whether *at* is in the period."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


class Reach(OfShare):
    """A period in which a client could reach a share, should have been able to, or may have been.

    *client* is the part of the client asked about that it holds for: all of it, or the network of a rule
    inside it. None: nobody was to have access, or had it.
    """

    client: str
    start: datetime
    end: datetime
    intended: AccessLevel | Literal["unknown"] | None
    in_force: AccessLevel | Literal["unknown"] | None
    at_most: AccessLevel | None
    """The highest level that may have been in force; that of *in_force* where it is known."""
    rules: tuple[str, ...] = ()
    """The rules that may have decided, in the order of the backend."""
    because: str | None = None
    order: Order = "unknown"


class Exposure(OfShare):
    """The gap between the request to take access from a client and its end on the backend.

    `revoked`: the rule was denied. `lowered`: from rw to ro, by another rule for the client, or by a rule
    for a part of a network. `deleted`: the share was to be deleted.
    """

    kind: Literal["revoked", "lowered", "deleted"]
    access_id: str
    """The rule that was to go; of a part of a network that was lowered, the rule that lowered it."""
    access_type: AccessType
    access_to: str
    access_level: AccessLevel
    """What the client could do in the gap."""
    was_in_force: InForce
    asked_at: datetime
    asked_by: str
    gone_at: datetime | None
    """When the backend had confirmed it; None: not in this log."""
    result: Literal["gone", "open", "unknown"]
    """`open`: it was not gone at the end of the log. `unknown`: the share is not managed any more."""
    remains: AccessLevel | None = None
    """What the rules that were intended at the end of the gap still gave the whole client."""
    failed: str | None = None
    """Why the last attempt to take it away failed, if one did."""

    @property
    def seconds(self) -> float | None:
        """The length of the gap; None while it is open."""
        return None if self.gone_at is None else (self.gone_at - self.asked_at).total_seconds()
