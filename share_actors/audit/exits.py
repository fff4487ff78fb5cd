"""Exits: the requests that lead out of a state, each accepted by the entity in that state.

They are found by asking the aggregates themselves, so that none is named that would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from share_actors.events import share, share_network, share_server
from share_actors.events.decider import Command, Rejected
from share_actors.events.share import ShareState, failure
from share_actors.events.share.access import DenyAccess
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, RestoreShare, RetryShare
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot.access import DenySnapshotAccess
from share_actors.events.share.snapshot.messages import (
    DeleteSnapshot,
    ForgetSnapshot,
    UnmanageSnapshot,
)
from share_actors.events.share_network import DeleteShareNetwork, ShareNetworkState
from share_actors.events.share_server import (
    DeleteServer,
    ForgetServer,
    RetryServer,
    ShareServerState,
)
from share_actors.values import Frozen

REASON = "its backend is gone"
Subject = Literal["share", "rule", "snapshot", "server", "network"]
Verb = Literal["wait", "retry", "restore", "deny", "delete", "unmanage", "forget"]


class Exit(Frozen):
    """A way out of a state: `verb` is the request, of the rule, snapshot or other entity `id`; `how` says it.

    `wait` is no request: the work goes on by itself. `forget` calls no driver, so that it works whatever
    the backend does.
    """

    verb: Verb
    of: Subject
    id: str
    how: str

    @property
    def operation(self) -> str:
        """The operation in the table of permissions; `wait` is none."""
        return f"{'access' if self.of == 'rule' else self.of}.{self.verb}"


class _Candidate(NamedTuple):
    verb: Verb
    command: Command
    how: str


def split(
    ways_out: tuple[Exit, ...], permits: Callable[[str], bool]
) -> tuple[tuple[Exit, ...], tuple[Exit, ...]]:
    """Those of *ways_out* whose operations the caller may do, as *permits* says, and the others."""
    own = tuple(e for e in ways_out if e.verb == "wait" or permits(e.operation))
    return own, tuple(e for e in ways_out if e not in own)


def everything(operation: str) -> bool:
    """Permit any operation, as to the administrator of the system."""
    return True


def for_an_administrator(others: tuple[Exit, ...]) -> tuple[str, ...]:
    """What an administrator of the system can do, if the caller may not do *others*."""
    if not others:
        return ()
    what = "; ".join(exit_.how for exit_ in others)
    return (f"An administrator of the system can do more: {what}.",)


# -- shares --------------------------------------------------------------------------------------
def of_share(state: ShareState, *, gone: bool = False) -> tuple[Exit, ...]:
    """The exits of a share that is in error or at work, of its failed rules and of its failed snapshots.

    With *gone* its backend is not configured: those that need its driver are left out.
    """
    if state.share.status in ("absent", "deleted", "unmanaged"):
        return ()
    return (*_of_share_itself(state, gone), *_of_rules(state, gone), *_of_snapshots(state, gone))


def _of_share_itself(state: ShareState, gone: bool) -> Iterator[Exit]:
    share_id = state.share.id
    at_work = share.pending(state) is not None or _waits_for_clones(state)
    if at_work and (not gone or state.doing == "forget"):
        yield Exit(verb="wait", of="share", id=share_id, how="wait: its work goes on by itself")
    in_order = state.share.status in ("available", "soft_deleted")
    if in_order and not _failed(state) and not gone:
        return
    for candidate in _SHARE:
        if gone and candidate.verb not in ("unmanage", "forget"):
            continue
        if _accepted(share, candidate.command, state):
            yield Exit(verb=candidate.verb, of="share", id=share_id, how=candidate.how)


_SHARE = (
    _Candidate("retry", RetryShare(), "`share retry` repeats what failed"),
    _Candidate("restore", RestoreShare(), "`share restore` cancels its deletion"),
    _Candidate(
        "delete", DeleteShare(cascade=True), "`share delete --cascade` deletes it with its data"
    ),
    _Candidate("unmanage", UnmanageShare(), "`share unmanage` leaves its data in place"),
    _Candidate(
        "forget",
        ForgetShare(reason=REASON),
        "`share forget --reason WHY` gives it up without a driver call; its data is left in place",
    ),
)


def _waits_for_clones(state: ShareState) -> bool:
    """Whether something is to be removed once shares are created that need it."""
    held = state.holds.snapshots
    removed = {i for i, s in state.snapshots.held.items() if s.status in _LEAVING_STATUSES}
    return bool(held & removed) or (state.share.status == "deleting" and bool(held))


_LEAVING_STATUSES = ("deleting", "unmanage_starting")


def _failed(state: ShareState) -> bool:
    """Whether the share, a rule or a snapshot is in error."""
    if state.share.status in failure.ERRORS:
        return True
    held = state.snapshots.held.values()
    rules = (*state.rules.rules.values(), *(rule for s in held for rule in s.access_rules))
    in_error = any(rule.state == "error" for rule in rules)
    return in_error or any(snapshot.status in snapshots.ERRORS for snapshot in held)


def _of_rules(state: ShareState, gone: bool) -> Iterator[Exit]:
    for rule in state.rules.rules.values():
        deny = DenyAccess(access_id=rule.id)
        if rule.state == "error" and not gone and _accepted(share, deny, state):
            yield Exit(verb="deny", of="rule", id=rule.id, how="`access deny` removes the rule")
    for snapshot in state.snapshots.held.values():
        for rule in snapshot.access_rules:
            of_snapshot = DenySnapshotAccess(snapshot_id=snapshot.id, access_id=rule.id)
            if rule.state == "error" and not gone and _accepted(share, of_snapshot, state):
                how = f"`snapshot deny {snapshot.id}` removes the rule"
                yield Exit(verb="deny", of="rule", id=rule.id, how=how)


def _of_snapshots(state: ShareState, gone: bool) -> Iterator[Exit]:
    for snapshot in state.snapshots.held.values():
        if snapshot.status not in snapshots.ERRORS and not gone:
            continue
        i = snapshot.id
        for verb, command, how in _snapshot_candidates(i):
            if (not gone or verb != "delete") and _accepted(share, command, state):
                yield Exit(verb=verb, of="snapshot", id=i, how=how)


def _snapshot_candidates(i: str) -> tuple[_Candidate, ...]:
    return (
        _Candidate("delete", DeleteSnapshot(snapshot_id=i), "`snapshot delete` deletes it"),
        _Candidate(
            "unmanage",
            UnmanageSnapshot(snapshot_id=i),
            "`snapshot unmanage` leaves its data in place",
        ),
        _Candidate(
            "forget",
            ForgetSnapshot(snapshot_id=i, reason=REASON),
            "`snapshot forget --reason WHY` gives it up without a driver call",
        ),
    )


# -- share servers and networks ------------------------------------------------------------------
def of_server(state: ShareServerState, *, gone: bool = False) -> tuple[Exit, ...]:
    """The exits of a share server; while it has shares, these have to go first."""
    return tuple(_of_server(state, gone))


def _of_server(state: ShareServerState, gone: bool) -> Iterator[Exit]:
    server = state.server
    if server.status in ("absent", "deleted", "unmanaged"):
        return
    if share_server.pending(state) is not None and (not gone or state.forgotten):
        yield Exit(verb="wait", of="server", id=server.id, how="wait: its work goes on by itself")
    for share_id in server.shares if gone else ():
        how = f"`share forget {share_id} --reason WHY` detaches that share from it"
        yield Exit(verb="forget", of="share", id=share_id, how=how)
    for verb, command, how in _SERVER:
        if (not gone or verb == "forget" or state.forgotten) and _accepted(
            share_server, command, state
        ):
            yield Exit(verb=verb, of="server", id=server.id, how=how)


_SERVER = (
    _Candidate("retry", RetryServer(), "`server retry` repeats what failed"),
    _Candidate("delete", DeleteServer(), "`server delete` tears it down"),
    _Candidate(
        "forget",
        ForgetServer(reason=REASON),
        "`server forget --reason WHY` gives it up without a driver call; its addresses are free again",
    ),
)


def of_network(state: ShareNetworkState, *, gone: Collection[str] = ()) -> tuple[Exit, ...]:
    """The exits of a share network: what is on it has to go first, then it can be deleted.

    *gone* are the backends that are not configured: what is on them can only be forgotten.
    """
    network = state.network
    if network.status in ("absent", "deleted"):
        return ()
    if _accepted(share_network, DeleteShareNetwork(), state):
        how = "`network delete` deletes it; no driver is called"
        return (Exit(verb="delete", of="network", id=network.id, how=how),)
    backends = {i: slot.backend for i, slot in network.servers.items()}
    unused = sorted(backends.keys() - set(network.shares.values()))
    return (
        *_leaving("share", {i: backends[server] for i, server in network.shares.items()}, gone),
        *_leaving("server", {i: backends[i] for i in unused}, gone),
    )


def _leaving(of: Subject, backends: Mapping[str, str], gone: Collection[str]) -> Iterator[Exit]:
    """The exits of these shares or servers, whose backends are given by id, from their network."""
    for i, backend in backends.items():
        if backend not in gone:
            yield Exit(verb="delete", of=of, id=i, how=f"`{of} delete {i}`")
        yield Exit(verb="forget", of=of, id=i, how=f"`{of} forget {i} --reason WHY`")


def _accepted(aggregate: Any, command: Command, state: Any) -> bool:
    """Whether *command* comes to events in *state*."""
    try:
        return bool(aggregate.decide(command, state))
    except Rejected:
        return False
