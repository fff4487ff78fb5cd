"""What shares, their snapshots and share networks use of the quotas of their project. Pure.

A share uses from the moment its creation is recorded until it is deleted, unmanaged or forgotten, whatever
its status: one in error counts, as in Manila. An extension counts at once, and is given back if it fails; a
shrink counts when it is done. Each snapshot counts for the project and the type of its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import add, sub
from typing import Any, NamedTuple

from share_actors.events.share.room import after_retry
from share_actors.events.share.state import ShareState
from share_actors.events.share_network import ShareNetworkState
from share_actors.values import Share

_GONE = ("absent", "deleted", "unmanaged")


class Account(NamedTuple):
    """For whom something counts; *share_type* is empty for a share without one, and for networks."""

    project_id: str
    user_id: str
    share_type: str = ""


class Use(NamedTuple):
    """Numbers, and sizes in GiB; *managing*: shares and snapshots whose size is not known yet."""

    shares: int = 0
    gigabytes: int = 0
    snapshots: int = 0
    snapshot_gigabytes: int = 0
    share_networks: int = 0
    managing: int = 0

    def plus(self, other: Use) -> Use:
        """The sum of both."""
        return Use._make(map(add, self, other))

    def minus(self, other: Use) -> Use:
        """What is left without *other*."""
        return Use._make(map(sub, self, other))


NOTHING = Use()


class Charged(NamedTuple):
    """An entity that uses quotas: for whom, how much, and what it would use after a retry.

    *size* is that of the share in GiB, and *snapshots* are the ids of its snapshots.
    """

    account: Account
    use: Use
    size: int = 0
    after_retry: int = 0
    snapshots: frozenset[str] = frozenset()


def charged(state: Any) -> Charged | None:
    """What an entity with this *state* uses; None for kinds of which nothing is counted."""
    match state:
        case ShareState():
            return _share(state)
        case ShareNetworkState():
            network = state.network
            use = Use(share_networks=int(network.status == "active"))
            return Charged(Account(network.project_id, network.user_id), use)
        case _:
            return None


def changes(before: Any, after: Any) -> Mapping[Account, Use]:
    """By how much the use of each account differs between two states of an entity."""
    if _is_same(before, after) or (now := charged(after)) is None:
        return {}
    then = charged(before)
    assert then is not None
    if then.account == now.account:
        return {now.account: now.use.minus(then.use)}
    return {then.account: NOTHING.minus(then.use), now.account: now.use}


def _is_same(before: Any, after: Any) -> bool:
    """Whether nothing changed that counts; states are immutable: an unchanged part is the same object."""
    return (
        isinstance(after, ShareState)
        and before.share is after.share
        and before.room == after.room
        and before.snapshots.held is after.snapshots.held
    )


def _share(state: ShareState) -> Charged:
    share, held = state.share, state.snapshots.held
    account = account_of(share)
    if share.status in _GONE:
        return Charged(account, NOTHING)
    gib = max(share.size, state.room)
    snapshots_gib = sum(s.size for s in held.values())
    managing = share.status == "manage_starting"
    found = sum(s.status == "manage_starting" for s in held.values())
    use = Use(1, gib, len(held), snapshots_gib, 0, managing + found)
    after = max(gib, after_retry(state))
    return Charged(account, use, share.size, after, frozenset(held))


def account_of(share: Share) -> Account:
    """For whom *share* counts."""
    return Account(share.project_id, share.user_id, share.share_type or "")
