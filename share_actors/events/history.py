"""A stream told in plain English: one sentence an event, with who asked where somebody did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_never, cast

from share_actors.events import access, snapshots
from share_actors.events import share_words as words
from share_actors.events.envelope import Recorded
from share_actors.events.share_words import ShareEvent
from share_actors.values import ExportLocation


def who(recorded: Recorded) -> str:
    """Who asked for it: `alice (project demo)`."""
    envelope = recorded.envelope
    return f"{envelope.user_id} (project {envelope.project_id})"


def sentence(recorded: Recorded) -> str:
    """What happened, without its time."""
    event = cast(ShareEvent, recorded.event)
    match event:
        case words.ShareCreationRequested():
            return f"{who(recorded)} asked for {_asked(event)}"
        case words.ShareDeletionRequested(cascade=cascade):
            them = " with its snapshots" if cascade else ""
            return f"{who(recorded)} asked to delete it{them}"
        case words.ShareResizeRequested(doing=doing, size=size):
            return f"{who(recorded)} asked to {doing} it to {size} GiB"
        case words.RetryRequested(works=works):
            return f"{who(recorded)} asked to try again to {_and(phrase(w) for w in works)}"
        case access.AccessAllowed() | access.AccessDenied():
            return f"{who(recorded)} asked to {_rule_asked(event)}"
        case snapshots.SnapshotRequested(snapshot_id=i, name=name):
            return f"{who(recorded)} asked for {_named('snapshot', name, i)}"
        case snapshots.SnapshotDeletionRequested(snapshot_id=i):
            return f"{who(recorded)} asked to delete snapshot {i}"
        case _:
            return _outcome(event)


_Outcome = (
    words.AttemptStarted | words.AttemptFailed | words.ShareCreated | words.ShareResized
    | words.ShareResizeRefused | words.ShareDeleted | words.ShareErrored
    | access.AccessRulesApplied | snapshots.SnapshotCreated | snapshots.SnapshotDeleted
    | snapshots.SnapshotErrored | snapshots.SnapshotDeletionRefused
)  # fmt: skip


def _outcome(event: _Outcome) -> str:
    match event:
        case words.AttemptStarted(n=n, effect=effect):
            return f"attempt {n} to {phrase(effect)} began"
        case words.AttemptFailed():
            return _attempt_failed(event)
        case words.ShareCreated(export_locations=locations):
            return f"the backend created it; {_found(locations)}"
        case words.ShareResized(doing=doing, size=size):
            return f"the backend {_did(doing)} it to {size} GiB"
        case words.ShareResizeRefused(doing=doing, reason=reason):
            return f"the backend refused to {doing} it and changed nothing: {reason}"
        case words.ShareDeleted():
            return "the backend deleted it"
        case words.ShareErrored(doing=doing, reason=reason):
            return f"it is in error, for it was not possible to {doing} it: {reason}"
        case access.AccessRulesApplied():
            return _rules_applied(event)
        case snapshots.SnapshotCreated(snapshot_id=i):
            return f"the backend took snapshot {i}"
        case snapshots.SnapshotDeleted(snapshot_id=i):
            return f"the backend deleted snapshot {i}"
        case snapshots.SnapshotErrored(snapshot_id=i, doing=doing, reason=reason):
            return f"snapshot {i} is in error, for it was not possible to {doing} it: {reason}"
        case snapshots.SnapshotDeletionRefused(snapshot_id=i, reason=reason):
            return f"the backend refused to delete snapshot {i}: {reason}"
        case _:
            assert_never(event)


# -- parts of sentences --------------------------------------------------------------------------
def _asked(event: words.ShareCreationRequested) -> str:
    backend, _, pool = event.host.partition("#")
    where = f"backend {backend}, pool {pool}" if pool else f"backend {backend}"
    source = "" if event.source is None else f", from snapshot {event.source.id}"
    what = _named("share", event.name, event.share_id)
    return f"{what}, {event.size} GiB of {event.share_proto} on {where}{source}"


def _named(kind: str, name: str | None, i: str) -> str:
    return f"{kind} {i}" if name is None else f"{kind} {name!r}"


def _rule_asked(event: access.AccessAllowed | access.AccessDenied) -> str:
    if isinstance(event, access.AccessDenied):
        return f"take away access rule {event.access_id}"
    may = {"rw": "read and write", "ro": "read only"}[event.access_level]
    return f"let {event.access_type} {event.access_to} {may} (access rule {event.access_id})"


def _rules_applied(event: access.AccessRulesApplied) -> str:
    said = []
    if event.applied:
        said.append(f"applied access {_rules(event.applied)}")
    if event.removed:
        said.append(f"removed access {_rules(event.removed)}")
    said += [f"failed at access rule {i} ({why})" for i, why in event.failed.items()]
    return f"the backend {_and(said)}" if said else "the backend had no access rule to change"


def _rules(ids: tuple[str, ...]) -> str:
    return f"rule {ids[0]}" if len(ids) == 1 else f"rules {_and(ids)}"


def _attempt_failed(event: words.AttemptFailed) -> str:
    why = {
        "transient": "did not succeed",
        "bug": "met a bug in the driver",
        "unknown": "ended without an answer",
    }[event.kind]
    lines = event.reason.strip().splitlines() or ["no reason given"]
    next_at = time_of(event.retry_at)
    # Of a traceback, the last line is the error; the event keeps all of it.
    return (
        f"attempt {event.n} to {phrase(event.effect)} {why}: {lines[-1]}; the next is due {next_at}"
    )


def phrase(work: str) -> str:
    """What an effect's key or a work stands for, as after *to*: `apply access rules`."""
    match work.split("/"):
        case ["access"]:
            return "apply access rules"
        case ["rule", i, doing]:
            return f"{'apply' if doing == 'allow' else 'take away'} access rule {i}"
        case ["snapshot", i, doing]:
            return f"{'take' if doing == 'create' else 'delete'} snapshot {i}"
        case _:
            return f"{work} it"


def _found(locations: tuple[ExportLocation, ...]) -> str:
    paths = [location.path for location in locations if not location.is_admin_only]
    return f"clients find it at {_and(paths)}" if paths else "it is not exported"


def _did(doing: str) -> str:
    return "extended" if doing == "extend" else "shrank"


def time_of(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _and(parts: Iterable[str]) -> str:
    *first, last = [*parts] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
