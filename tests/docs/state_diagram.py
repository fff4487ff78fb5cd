"""State diagrams from runs of the share aggregate: `python -m tests.docs.state_diagram` writes them.

Every command and every outcome is tried in every state that can be reached with one rule and one snapshot.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import EPOCH, Rejected
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess, ApplyRules, ConfirmRules, DenyAccess
from share_actors.events.share.ensure import ConfirmEnsured, EnsureShare, ReapplyShare
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.manage import (
    ConfirmManaged,
    ConfirmUnmanaged,
    ManageShare,
    UnmanageShare,
)
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    ConfirmReverted,
    CreateShare,
    DeleteShare,
    ExtendShare,
    RetryShare,
    RevertToSnapshot,
    ShareCommand,
    ShareEvent,
    ShrinkShare,
)
from share_actors.events.share.rules import Rules
from share_actors.events.share.server_attachment import ConfirmReleased, ConfirmServer
from share_actors.events.share.snapshot import cloning
from share_actors.events.share.snapshot.access import (
    ApplySnapshotRules,
    ConfirmSnapshotRules,
    rules_of,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    ConfirmSnapshotManaged,
    ConfirmSnapshotUnmanaged,
    CreateSnapshot,
    DeleteSnapshot,
    DeleteUnknownSnapshot,
    DropSnapshot,
    ForgetSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
)
from share_actors.events.share.unknown_deletion import DeleteUnknownShare
from share_actors.values import ShareServer, ShareSpec

PAGE = Path("docs/states.md")


class Edge(NamedTuple):
    """One transition: of the share, of a rule or of a snapshot."""

    of: str
    before: str
    after: str
    event: str


# -- what can be tried ---------------------------------------------------------------------------
REQUESTS: tuple[ShareCommand, ...] = (
    CreateShare(
        share_id="s", size=2, at=EPOCH, spec=ShareSpec(host="b", project_id="p", user_id="u")
    ),
    DeleteShare(),
    DeleteShare(cascade=True),
    ExtendShare(size=3),
    ShrinkShare(size=1),
    RevertToSnapshot(snapshot_id="n"),
    RetryShare(),
    AllowAccess(access_id="r", access_type="user", access_to="u"),
    DenyAccess(access_id="r"),
    CreateSnapshot(snapshot_id="n", at=EPOCH),
    DeleteSnapshot(snapshot_id="n"),
    ManageShare(share_id="s", at=EPOCH, spec=ShareSpec(host="b", project_id="p", user_id="u")),
    DeleteUnknownShare(
        share_id="s", location="/s", at=EPOCH, spec=ShareSpec(host="b", project_id="p", user_id="u")
    ),
    DeleteUnknownSnapshot(snapshot_id="n", location="/n", at=EPOCH),
    UnmanageShare(),
    ForgetShare(reason="gone"),
    ManageSnapshot(snapshot_id="n", provider_location="/n", at=EPOCH),
    UnmanageSnapshot(snapshot_id="n"),
    ForgetSnapshot(snapshot_id="n", reason="gone"),
    EnsureShare(info="i"),
    ReapplyShare(),
)

ATTEMPTS: tuple[ShareCommand, ...] = (
    BeginAttempt(activation="a", timeout_s=1.0),
    ReportFailure(kind="transient", reason="later", max_attempts=2),
    ReportFailure(kind="refused", reason="no"),
    ReportFailure(kind="failed", reason="broken"),
)


def success(state: ShareState) -> ShareCommand | None:
    """The command that reports success of the attempt in progress."""
    match [] if state.attempt is None else state.attempt.effect.split("/"):
        case ["create"]:
            return ConfirmCreated(export_locations=())
        case ["extend"]:
            return ConfirmResized(doing="extend", size=state.resize_to)
        case ["shrink"]:
            return ConfirmResized(doing="shrink", size=state.resize_to)
        case ["snapshot", i, "create"]:
            return ConfirmSnapshotCreated(snapshot_id=i)
        case ["snapshot", i, "manage"]:
            return ConfirmSnapshotManaged(snapshot_id=i, size=1)
        case ["snapshot", i, "unmanage"]:
            return ConfirmSnapshotUnmanaged(snapshot_id=i)
        case ["snapshot", i, "access"]:
            return _snapshot_rules_applied(i, state)
        case ["snapshot", _, _] | ["delete"]:
            return _step_of_deletion(state)
        case ["access"]:
            return _rules_applied(state.rules)
        case [other]:
            return _OTHERS.get(other)
        case _:
            return None


_OTHERS: Mapping[str, ShareCommand] = {
    "revert": ConfirmReverted(),
    "manage": ConfirmManaged(size=2, export_locations=()),
    "unmanage": ConfirmUnmanaged(),
    "server": ConfirmServer(server=ShareServer(id="v")),
    "release": ConfirmReleased(),
    "ensure": ConfirmEnsured(),
    cloning.HOLD: cloning.ConfirmSourceHeld(),
    cloning.RELEASE: cloning.ConfirmSourceReleased(),
}


def _snapshot_rules_applied(i: str, state: ShareState) -> ShareCommand | None:
    """As `_rules_applied`, for the rules of a snapshot; None if it was forgotten meanwhile."""
    if i not in state.snapshots.held:
        return None
    outcome = _rules_applied(rules_of(i, state.snapshots))
    return ConfirmSnapshotRules(**dict(outcome), snapshot_id=i)


def _rules_applied(held: Rules) -> ConfirmRules:
    """The outcome for the rules at the start of the attempt, without later denials."""
    removed = {i for i in held.attempted if held.rules[i].state == "denying"}
    applied = [
        i
        for i, rule in held.rules.items()
        if i not in removed and i in held.applied and rule.state in ("applying", "denying")
    ]
    return ConfirmRules(applied=tuple(applied), removed=tuple(sorted(removed)))


def _step_of_deletion(state: ShareState) -> ShareCommand:
    match share.pending(state):
        case DropSnapshot(snapshot_id=i):
            return ConfirmSnapshotDeleted(snapshot_id=i)
        case ApplySnapshotRules(snapshot_id=i, change=ApplyRules(delete=rules)):
            return ConfirmSnapshotRules(snapshot_id=i, removed=tuple(r.id for r in rules))
        case ApplyRules(delete=rules):
            return ConfirmRules(removed=tuple(r.id for r in rules))
        case _:
            return ConfirmDeleted()


# -- trying it -----------------------------------------------------------------------------------
@cache
def explore() -> frozenset[Edge]:
    """All transitions that are possible."""
    seen, waiting, edges = {_place(share.initial)}, [share.initial], set[Edge]()
    while waiting:
        state = waiting.pop()
        for steps in _steps(state):
            for event, before, after in steps:
                edges.update(_edges(event, before, after))
            *_, (_, _, after) = steps
            if _place(after) not in seen:
                seen.add(_place(after))
                waiting.append(after)
    return frozenset(edges)


def _place(state: ShareState) -> str:
    """A key of *state*: all that tells one transition from another, without sizes, names and reasons."""
    effect = state.attempt and state.attempt.effect
    known, held = state.rules, state.snapshots
    rules = [
        (rule.state, i in known.denied, i in known.applied, i in known.attempted)
        for i, rule in known.rules.items()
    ]
    snapshots = [(s.status, s.doing, i in held.taken) for i, s in held.held.items()]
    status = (state.share.status, state.doing, effect, bool(state.former_rules))
    return str((status, rules, snapshots))


def _steps(state: ShareState) -> Iterator[list[tuple[ShareEvent, ShareState, ShareState]]]:
    """For each command that is possible: its events, each with the states before and after it."""
    outcome = success(state)
    for command in (*REQUESTS, *ATTEMPTS, *([] if outcome is None else [outcome])):
        before, steps = state, []
        for event in _decided(command, state):
            after = share.evolve(before, event)
            steps.append((event, before, after))
            before = after
        if steps:
            yield steps


def _decided(command: ShareCommand, state: ShareState) -> list[ShareEvent]:
    try:
        return share.decide(command, state)
    except Rejected:
        return []


def _edges(event: ShareEvent, before: ShareState, after: ShareState) -> Iterator[Edge]:
    name = type(event).__name__
    was, now = before.share.status, after.share.status
    if was != now:
        yield Edge("share", was, now, name)
    if now in ("deleted", "unmanaged"):
        return  # and all that is in it
    rules = {i: r.state for i, r in before.rules.rules.items()}
    yield from _moves("rule", rules, {i: r.state for i, r in after.rules.rules.items()}, name)
    held = {i: s.status for i, s in before.snapshots.held.items()}
    yield from _moves(
        "snapshot", held, {i: s.status for i, s in after.snapshots.held.items()}, name
    )


def _moves(of: str, was: Mapping[str, str], now: Mapping[str, str], name: str) -> Iterator[Edge]:
    for i in {**was, **now}:
        if was.get(i) != now.get(i):
            yield Edge(of, was.get(i, "[*]"), now.get(i, "[*]"), name)


# -- drawing it ----------------------------------------------------------------------------------
def mermaid(edges: frozenset[Edge], of: str) -> str:
    """The diagram of *of*: a share, a rule or a snapshot."""
    named: dict[tuple[str, str], list[str]] = {}
    for _, before, after, event in sorted(e for e in edges if e.of == of):
        named.setdefault((before, after), []).append(event)
    lines = [f"    {was} --> {now}: {', '.join(why)}" for (was, now), why in named.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def render(page: str) -> str:
    """The text of *page* with the diagrams between its markers drawn again."""
    edges = explore()
    for of in ("share", "rule", "snapshot"):
        start, end = f"<!-- {of}: generated -->", f"<!-- {of}: end -->"
        drawn = f"{start}\n{mermaid(edges, of)}\n{end}"
        page = re.sub(f"{start}.*?{end}", drawn, page, flags=re.DOTALL)
    return page


def main(page: Path = PAGE) -> None:
    page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE)
