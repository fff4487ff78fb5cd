"""Quotas: how much a project, a user in it, or a share type in it may use, with Manila's names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from share_actors.values.base import Value
from share_actors.wire import sent_as_report

QuotaName = Literal[
    "shares",
    "gigabytes",
    "snapshots",
    "snapshot_gigabytes",
    "share_networks",
    "per_share_gigabytes",
]
QUOTA_NAMES: tuple[QuotaName, ...] = (
    "shares",
    "gigabytes",
    "snapshots",
    "snapshot_gigabytes",
    "share_networks",
    "per_share_gigabytes",
)
"""What can be limited: numbers, and sizes in GiB. `per_share_gigabytes` limits the size of each share."""
COUNTED: tuple[QuotaName, ...] = QUOTA_NAMES[:5]
"""The quotas of which something is used; the last one limits single shares."""
UNLIMITED = -1
"""The limit that is none, as in Manila."""


class QuotaLimits(Value):
    """The limits that were set for a project, or for one user or one share type in it."""

    user_id: str | None = None
    share_type: str | None = None
    limits: dict[str, int] = Field(default_factory=dict)
    """By name (`QUOTA_NAMES`); -1 is unlimited. What is not in it was not set."""


class Quota(Value):
    """All limits that were set for one project; with the id `default`, for projects without their own."""

    id: str = ""
    """`default`, or a digest of the project's id, which may have any characters and be personal."""
    project_id: str = ""
    status: Literal["absent", "active", "deleted"] = "absent"
    """*deleted*: all limits that were set have been removed."""
    limits: tuple[QuotaLimits, ...] = ()
    created_at: datetime | None = None

    def of(self, user_id: str | None = None, share_type: str | None = None) -> Mapping[str, int]:
        """The limits that were set for the project, or for a user or a share type in it."""
        for each in self.limits:
            if (each.user_id, each.share_type) == (user_id, share_type):
                return each.limits
        return {}


@sent_as_report
class QuotaUse(NamedTuple):
    """One quota: its *limit* (-1: none), what is *used*, and what is *reserved* by requests in flight.

    Sizes are in GiB. Nothing is used of `per_share_gigabytes`.
    """

    limit: int
    used: int
    reserved: int

    @property
    def is_exceeded(self) -> bool:
        """Whether more is used and reserved than the limit allows, as after it was lowered."""
        return self.limit != UNLIMITED and self.used + self.reserved > self.limit


class QuotaUsage(Value):
    """The quotas of a project, or of one user or share type in it, with what is used of each."""

    project_id: str
    user_id: str | None = None
    share_type: str | None = None
    quotas: dict[str, QuotaUse]
    """By name, in the order of `QUOTA_NAMES`."""

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The names of the quotas of which more is used than their limit."""
        return tuple(name for name, quota in self.quotas.items() if quota.is_exceeded)
