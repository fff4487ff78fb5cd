"""The oracle: the backend, the replies to clients and the log must agree."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from itertools import accumulate
from typing import Any

from share_actors.errors import ShareActorsError
from share_actors.events import share
from share_actors.events.decider import Command, Rejected
from share_actors.events.receipts import Receipts
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import (
    ChangeShare,
    CreateShare,
    DeleteShare,
    ShareReverted,
    ShareRevertRequested,
)
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.holds import ReleaseSnapshot
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    SnapshotRequested,
    SnapshotUnmanaged,
    UnmanageSnapshot,
)
from share_actors.values import Share, Snapshot
from tests.faults.backend import Storage
from tests.faults.simulation import EPOCH, World

REFUSALS = ("refused", "not_found")
"""Codes of errors that say something about the state of the share."""
RESTING = (
    "absent",
    "available",
    "soft_deleted",
    "error",
    "reverting_error",
    "deleted",
    "unmanaged",
    "unmanage_error",
)
DOUBTFUL = ("error", "reverting_error", "unmanage_error", "unmanaged")
"""Shares whose data on the backend is undefined: failed halfway or unmanaged."""


class Verdict:
    """What is wrong in *world* after it settled, as a list for each kind."""

    def __init__(self, world: World) -> None:
        recorded = world.log.read("share-s")
        events: list[Any] = [item.event for item in recorded]
        states = list(accumulate(events, share.evolve, initial=share.initial))
        self.state: ShareState = states[-1]
        self._let_go = let_go(events)
        self._content = content(events)
        self.receipts = Receipts(keep=None)
        for item in recorded:
            self.receipts.record(item)
        self.stuck = self._stuck() + self._waiting(world)
        self.lost = self._lost(world, states)
        self.lied = self._lied(world)
        self.duplicated = duplicated(world.storage)
        self.orphaned = self._differs(world.storage)
        self.refused = false_refusals(world, states)
        self.stale = stale_views(world, states)

    def wrong(self) -> dict[str, list[str]]:
        kinds = ("stuck", "lost", "lied", "duplicated", "orphaned", "refused", "stale")
        return {kind: found for kind in kinds if (found := getattr(self, kind))}

    def _stuck(self) -> list[str]:
        """Work that is pending although no process works on it."""
        view, owed = share.view(self.state), share.pending(self.state)
        found = [f"the share is {view.status}"] if view.status not in RESTING else []
        found += [f"owes {owed.key()}"] if owed is not None else []
        found += [f"{work} is open" for work in self.receipts.open_works()]
        return found

    def _waiting(self, world: World) -> list[str]:
        """Clients that get no reply."""
        told = world.replies.items()
        return [f"{i} waits" for i, t in told if t.status is None and not world.case.forgetful]

    def _lost(self, world: World, states: list[ShareState]) -> list[str]:
        """Acknowledged requests that are not in the log, nor joined to the same request of another client."""
        asked = dict(world.commands())
        works = {w for i in asked if (known := self.receipts.get(i)) for w in known.works}
        acknowledged = [i for i, told in world.replies.items() if told.acknowledged]
        missing = [i for i in acknowledged if self.receipts.get(i) is None]
        told = world.replies
        missing = [
            i
            for i in missing
            if not changes_nothing(asked[i], states[told[i].since or 0 : told[i].until + 1])
        ]
        return [i for i in missing if not any(fnmatch(w, same_work(asked[i])) for w in works)]

    def _lied(self, world: World) -> list[str]:
        """Replies that differ from the receipts in the log."""
        found = []
        for command_id, told in world.replies.items():
            receipt = self.receipts.get(command_id)
            recorded = None if receipt is None else receipt.status
            if told.status in ("done", "failed") and recorded not in (None, told.status):
                found.append(f"{command_id}: told {told.status}, recorded {recorded}")
            if told.status not in ("done", "failed", None) and recorded is not None:
                found.append(f"{command_id}: refused ({told.status}), but recorded")
        return found

    def _differs(self, storage: Storage) -> list[str]:
        """What is on the backend and not in the log, or the other way round."""
        view = share.view(self.state)
        held, wanted = on_backend(storage, view, self._let_go), in_log(view)
        if storage.dropped_with_rules:
            return ["a snapshot was deleted while clients could read it"]
        if view.status in DOUBTFUL:
            return []
        if held != wanted:
            return [f"the backend holds {held}, the log says {wanted}"]
        on_it = storage.of("share", view.id)
        if self._content is not None and on_it is not None and on_it["content"] != self._content:
            return [f"the content is of {on_it['content']}, the log says {self._content}"]
        return []


def changes_nothing(command: Command, states: list[ShareState]) -> bool:
    """Whether *command* left a share in one of *states* as it was, which is not recorded."""
    if not isinstance(command, ReleaseSnapshot | ChangeShare):
        return False
    return any(_leaves(command, state) for state in states)


def _leaves(command: ReleaseSnapshot | ChangeShare, state: ShareState) -> bool:
    try:
        return share.decide(command, state) == []
    except Rejected:
        return False


def false_refusals(world: World, states: list[ShareState]) -> list[str]:
    """Commands that were refused although no state between request and reply refuses them."""
    commands = dict(world.commands())
    refused = {i: told for i, told in world.replies.items() if told.status in REFUSALS}
    return [
        f"{command_id}: {told.status}"
        for command_id, told in refused.items()
        if not any(
            rejects(commands[command_id], state, world)
            for state in states[told.since or 0 : told.until + 1]
        )
    ]


def rejects(command: Any, state: ShareState, world: World) -> bool:
    """Whether the backend or the aggregate rejects *command* in *state*."""
    try:
        world.work.check(command, state)
        share.decide(command.stamped(EPOCH), state)
    except (Rejected, ShareActorsError):
        return True
    return False


def stale_views(world: World, states: list[ShareState]) -> list[str]:
    """Views that show no state which the share had between question and reply."""
    return [
        f"a view of version {seen.since} to {seen.until}: {seen.share}"
        for seen in world.views
        if not any(seen.share == _shown(state) for state in states[seen.since : seen.until + 1])
    ]


def _shown(state: ShareState) -> Share | None:
    return None if state == share.initial else share.view(state)


def same_work(command: Command) -> str:
    """The work that *command* requests, as a pattern of the work it may have joined."""
    match command:
        case CreateShare():
            return "create"
        case DeleteShare():
            return "delete"
        case AllowSnapshotAccess(snapshot_id=i):
            return f"snapshot/{i}/rule/*/allow"
        case DenySnapshotAccess(snapshot_id=i, access_id=rule):
            return f"snapshot/{i}/rule/{rule}/deny"
        case AllowAccess():
            return "rule/*/allow"
        case DenyAccess(access_id=i):
            return f"rule/{i}/deny"
        case CreateSnapshot(snapshot_id=i):
            return f"snapshot/{i}/create"
        case DeleteSnapshot(snapshot_id=i):
            return f"snapshot/{i}/delete"
        case UnmanageSnapshot(snapshot_id=i):
            return f"snapshot/{i}/unmanage"
        case UnmanageShare():
            return "unmanage"
        case EnsureShare():
            return "ensure"
        case _:
            return "no other does the same"


def let_go(events: list[Any]) -> set[str]:
    """Unmanaged snapshots that were not created again: they are still on the backend."""
    left: set[str] = set()
    for event in events:
        if isinstance(event, SnapshotUnmanaged):
            left.add(event.snapshot_id)
        elif isinstance(event, SnapshotRequested):
            left.discard(event.snapshot_id)
    return left


def content(events: list[Any]) -> str | None:
    """The snapshot whose content the share must have; None if it was never reverted, or not certainly."""
    reverted = None
    for event in events:
        if isinstance(event, ShareReverted):
            reverted = event.snapshot_id
        elif isinstance(event, ShareRevertRequested):
            reverted = None
    return reverted


def duplicated(storage: Storage) -> list[str]:
    tags = Counter((o["kind"], o["tag"]) for o in storage.objects.values())
    return [f"{n} of {tag}" for tag, n in tags.items() if n > 1]


def on_backend(storage: Storage, view: Share, let_go: set[str]) -> dict[str, Any]:
    """The objects on the backend in the form of `in_log`, without those in error, which may be partial."""
    doubtful = let_go | {s.id for s in view.snapshots if s.status in DOUBTFUL}
    rules = {(r.access_to, r.access_level) for r in view.access_rules if r.state == "error"}
    failed = {
        s.id: {(r.access_to, r.access_level) for r in s.access_rules if r.state == "error"}
        for s in view.snapshots
    }
    objects = [o for o in storage.objects.values() if o["tag"] not in doubtful]
    return {
        "shares": [
            (o["whole"], o["size"], sorted(o["rules"] - rules))
            for o in objects
            if o["kind"] == "share"
        ],
        "snapshots": sorted(
            (o["tag"], o["whole"], sorted(o["rules"] - failed.get(o["tag"], set())))
            for o in objects
            if o["kind"] == "snapshot"
        ),
    }


def in_force(item: Share | Snapshot) -> list[tuple[str, str]]:
    """The clients and levels of the rules in force."""
    return sorted((r.access_to, r.access_level) for r in item.access_rules if r.state == "active")


def in_log(view: Share) -> dict[str, Any]:
    """The objects that should exist according to the log."""
    rules = in_force(view)
    exists = view.status not in ("absent", "deleted")
    taken = sorted((s.id, True, in_force(s)) for s in view.snapshots if s.status == "available")
    return {"shares": [(True, view.size, rules)] if exists else [], "snapshots": taken}
