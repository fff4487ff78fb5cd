"""The limits that hold for an account, and what one project uses of them as of the last reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from share_actors.config import QuotaSettings
from share_actors.events.catalog.use_queries import ProjectUses
from share_actors.events.uses import NOTHING, Account, Use
from share_actors.values import COUNTED, QUOTA_NAMES, UNLIMITED, Quota


class Scope(NamedTuple):
    """A project as a whole, or one user or one share type in it."""

    user_id: str | None = None
    share_type: str | None = None

    def has(self, account: Account) -> bool:
        """Whether what *account* uses counts here."""
        if self.user_id is not None:
            return self.user_id == account.user_id
        return self.share_type in (None, account.share_type)


WHOLE = Scope()


def scopes_of(account: Account) -> Iterator[Scope]:
    """Where it counts what *account* uses."""
    yield WHOLE
    yield Scope(user_id=account.user_id)
    if account.share_type:
        yield Scope(share_type=account.share_type)


class Lack(NamedTuple):
    """A quota that has not enough left: *asked* is what the command needs in addition."""

    name: str
    scope: Scope
    limit: int
    used: int
    reserved: int
    asked: int


@dataclass
class ProjectAccount:
    """One project: its limits by scope, and what it uses and has reserved, by scope."""

    limits: dict[Scope, Mapping[str, int]]
    used: dict[Scope, Use] = field(default_factory=dict)
    reserved: dict[Scope, Use] = field(default_factory=dict)
    read_at: float = float("-inf")
    """The monotonic time in seconds at which its limits were known last."""
    is_summed: bool = False
    """Whether *used* has been read as of the end of the log."""

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing is limited, for whoever it is."""
        return not self.limits

    @property
    def is_settled(self) -> bool:
        """Whether the sums are known, and nothing is being managed whose size is known once that is done."""
        uses = (self.used.get(WHOLE, NOTHING), self.reserved.get(WHOLE, NOTHING))
        return self.is_summed and not any(use.managing for use in uses)

    def reserve(self, account: Account, use: Use) -> None:
        """Count *use* for *account* as reserved; a negative one is given back."""
        for scope in scopes_of(account):
            self.reserved[scope] = self.reserved.get(scope, NOTHING).plus(use)

    def adopt(self, uses: Mapping[Account, Use]) -> None:
        """Take over what was read."""
        self.used, self.is_summed = {}, True
        for account, use in uses.items():
            for scope in scopes_of(account):
                self.used[scope] = self.used.get(scope, NOTHING).plus(use)

    def lack(self, account: Account, more: Use, size: int) -> Lack | None:
        """The first quota that *more*, for *account*, does not fit into; None if all of it fits."""
        for scope in scopes_of(account):
            limits = self.limits.get(scope)
            if limits is not None and (lack := self._lack(scope, limits, more, size)) is not None:
                return lack
        return None

    def _lack(self, scope: Scope, limits: Mapping[str, int], more: Use, size: int) -> Lack | None:
        used, reserved = self.used.get(scope, NOTHING), self.reserved.get(scope, NOTHING)
        for name, u, r, asked in zip(COUNTED, used, reserved, more, strict=False):
            limit = limits.get(name, UNLIMITED)
            if asked > 0 and UNLIMITED < limit < u + r + asked:
                return Lack(name, scope, limit, u, r, asked)
        limit = limits.get(QUOTA_NAMES[-1], UNLIMITED)
        if UNLIMITED < limit < size:
            return Lack(QUOTA_NAMES[-1], scope, limit, 0, 0, size)
        return None


def effective(settings: QuotaSettings, default: Quota, quota: Quota) -> dict[str, int]:
    """The limits of a project as a whole, by name: its own, else the default ones, else the configured."""
    return {**settings.model_dump(), **default.of(), **quota.of()}


def limits_by_scope(
    settings: QuotaSettings, default: Quota, found: ProjectUses
) -> dict[Scope, Mapping[str, int]]:
    """The limits of a project and of those in it for whom some were set, without those that limit nothing."""
    of_parts = {Scope(each.user_id, each.share_type): each.limits for each in found.quota.limits}
    limits = {**of_parts, WHOLE: effective(settings, default, found.quota)}
    return {scope: each for scope, each in limits.items() if max(each.values()) > UNLIMITED}
