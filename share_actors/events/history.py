"""A stream told in plain English: one sentence an event, with who asked where somebody did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never, cast

from share_actors.events import access, annals, base, custody, snapshot_words, upkeep
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
    if isinstance(recorded.event, annals.KINDS):
        return annals.told(recorded.event, who(recorded))
    event = cast(ShareEvent, recorded.event)
    match event:
        case words.ShareCreationRequested():
            return f"{who(recorded)} asked for {_asked(event)}"
        case words.ShareDeletionRequested(cascade=cascade):
            them = " with its snapshots" if cascade else ""
            return f"{who(recorded)} asked to delete it{them}"
        case words.ShareResizeRequested(doing=doing, size=size):
            return f"{who(recorded)} asked to {doing} it to {size} GiB"
        case base.RequestJoined(work=work):
            return f"{who(recorded)} asked as well to {phrase(work)}, which is under way"
        case words.RetryRequested(works=works):
            return f"{who(recorded)} asked to try again to {_and(phrase(w) for w in works)}"
        case access.AccessAllowed() | access.AccessDenied():
            return f"{who(recorded)} asked to {_rule_asked(event)}"
        case snapshot_words.SnapshotRequested(snapshot_id=i, name=name):
            return f"{who(recorded)} asked for {_named('snapshot', name, i)}"
        case snapshot_words.SnapshotDeletionRequested(snapshot_id=i):
            return f"{who(recorded)} asked to delete snapshot {i}"
        case snapshot_words.SnapshotManageRequested(
            snapshot_id=i, name=name, provider_location=where
        ):
            return f"{who(recorded)} asked to manage {where} as {_named('snapshot', name, i)}"
        case snapshot_words.SnapshotUnmanageRequested(snapshot_id=i):
            return f"{who(recorded)} asked to let go of snapshot {i}"
        case custody.ShareManageRequested(share_id=i, name=name, host=host, driver_options=options):
            what = f"{_options(options)} on {_place(host)} as {_named('share', name, i)}"
            return f"{who(recorded)} asked to manage {what}"
        case custody.ShareUnmanageRequested():
            return f"{who(recorded)} asked to let go of it"
        case upkeep.ShareEnsureRequested():
            return "its backend is set up anew: it is to be exported as the backend is now"
        case _:
            return _outcome(event)


_Outcome = (
    words.AttemptStarted | words.AttemptFailed | words.ShareCreated | words.ShareResized
    | words.ShareResizeRefused | words.ShareDeleted | words.ShareErrored
    | access.AccessRulesApplied | snapshot_words.SnapshotCreated | snapshot_words.SnapshotDeleted
    | snapshot_words.SnapshotErrored | snapshot_words.SnapshotDeletionRefused | snapshot_words.SnapshotManaged
    | snapshot_words.SnapshotUnmanaged | custody.ShareManaged | custody.ShareUnmanaged
    | upkeep.ShareServerAcquired | upkeep.ShareDestroyed | upkeep.ShareEnsured
    | upkeep.ShareEnsureFailed
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
        case snapshot_words.SnapshotCreated(snapshot_id=i):
            return f"the backend took snapshot {i}"
        case snapshot_words.SnapshotDeleted(snapshot_id=i):
            return f"the backend deleted snapshot {i}"
        case snapshot_words.SnapshotErrored(snapshot_id=i, doing=doing, reason=reason):
            return f"snapshot {i} is in error, for it was not possible to {doing} it: {reason}"
        case snapshot_words.SnapshotDeletionRefused(snapshot_id=i, reason=reason):
            return f"the backend refused to delete snapshot {i}: {reason}"
        case _:
            return _of_custody(event)


_OfCustody = (
    snapshot_words.SnapshotManaged | snapshot_words.SnapshotUnmanaged | custody.ShareManaged
    | custody.ShareUnmanaged | upkeep.ShareServerAcquired | upkeep.ShareDestroyed
    | upkeep.ShareEnsured | upkeep.ShareEnsureFailed
)  # fmt: skip


def _of_custody(event: _OfCustody) -> str:
    match event:
        case snapshot_words.SnapshotManaged(snapshot_id=i, size=size):
            return f"snapshot {i}, {size} GiB, is managed"
        case snapshot_words.SnapshotUnmanaged(snapshot_id=i):
            return f"snapshot {i} is not managed any more; it is on the backend as it was"
        case custody.ShareManaged(size=size, export_locations=locations):
            return f"it is managed, {size} GiB; {_found(locations)}"
        case custody.ShareUnmanaged():
            return "it is not managed any more; it is on the backend as it was"
        case upkeep.ShareServerAcquired(server=server):
            return f"it is on share server {server.id}"
        case upkeep.ShareDestroyed():
            return "the backend deleted it; it has yet to leave its share server"
        case upkeep.ShareEnsured(export_locations=locations):
            where = "" if locations is None else f"; {_found(locations)}"
            return f"it is exported as the backend is now{where}"
        case upkeep.ShareEnsureFailed(reason=reason):
            return f"it could not be exported as the backend is now: {reason}"
        case _:
            assert_never(event)


# -- parts of sentences --------------------------------------------------------------------------
def _asked(event: words.ShareCreationRequested) -> str:
    source = "" if event.source is None else f", from snapshot {event.source.id}"
    network = event.share_network_id
    inside = "" if network is None else f", in share network {network}"
    what = _named("share", event.name, event.share_id)
    size = f"{event.size} GiB of {event.share_proto}"
    return f"{what}, {size} on {_place(event.host)}{source}{inside}"


def _place(host: str) -> str:
    backend, _, pool = host.partition("#")
    return f"backend {backend}, pool {pool}" if pool not in ("", backend) else f"backend {backend}"


def _options(options: Mapping[str, Any]) -> str:
    return _and(f"{key}={value}" for key, value in options.items())


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


_DONE_TO_SNAPSHOTS = {"create": "take", "unmanage": "let go of"}


def phrase(work: str) -> str:
    """What an effect's key or a work stands for, as after *to*: `apply access rules`."""
    match work.split("/"):
        case ["access"]:
            return "apply access rules"
        case ["rule", i, doing]:
            return f"{'apply' if doing == 'allow' else 'take away'} access rule {i}"
        case ["snapshot", i, doing]:
            return f"{_DONE_TO_SNAPSHOTS.get(doing, doing)} snapshot {i}"
        case ["share", i]:
            return f"have share {i} on it"
        case ["addresses"]:
            return "get its addresses"
        case ["server"]:
            return "find it a share server"
        case ["give_back"]:
            return "give its addresses back"
        case ["release"]:
            return "take it off its share server"
        case ["unmanage"]:
            return "let go of it"
        case ["ensure"]:
            return "export it as its backend is now"
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
