"""Shares and other entities, histories and explanations: as tables for people and as JSON for scripts."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from share_actors.cli.output import Table, escape, format_time
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY, LOCKS, RULES, SHARE_SNAPSHOTS, USAGE
from share_actors.values import AccessRule, Share, ShareUsage, Snapshot, Value
from share_actors.values.mount import is_for_world, mount_command
from share_actors.values.secret import SHOWN

if TYPE_CHECKING:
    from share_actors.audit.entity_explanation import EntityExplanation
    from share_actors.audit.explanation import Explanation
    from share_actors.audit.trail import Owed, Tried
    from share_actors.events.envelope import Recorded
    from share_actors.values import Placement

OWED_COLUMNS = ("PENDING", "REQUESTED BY", "REQUESTED AT")
FAILED_COLUMNS = ("FAILED TO", "REASON")
ATTEMPT_COLUMNS = ("STARTED AT", "ATTEMPT", "TO", "RESULT", "BACKEND MESSAGE", "NEXT AT")
PLACEMENT_COLUMNS = ("POOL", "SUITABLE", "WEIGHT", "REJECTED BY")

SHARE_FIELDS = (
    "id",
    "name",
    "description",
    "share_proto",
    "size",
    "share_type",
    "share_network_id",
    "share_server_id",
    "availability_zone",
    "host",
    "metadata",
    "is_public",
    "project_id",
    "user_id",
    "snapshot_id",
    "created_at",
    "status",
    "status_reason",
    "scheduled_to_be_deleted_at",
    "export_locations",
    "access_rules",
    "snapshots",
    "locks",
)
"""The fields of a share in the order in which they are printed."""


# -- shares --------------------------------------------------------------------------------------
def share_document(share: Share, receipt: dict[str, Any] | None = None) -> dict[str, Any]:
    """The share as JSON, with Manila's field names."""
    fields = share.model_dump(mode="json")
    document = {name: fields[name] for name in SHARE_FIELDS if name in fields}
    for location, shown in zip(share.export_locations, document["export_locations"], strict=True):
        shown["mount"] = mount_command(share, location)
    document["access_rules"] = [rule_document(rule) for rule in share.access_rules]
    return document if receipt is None else {**document, "receipt": receipt}


def print_share(session: Session, share: Share) -> None:
    """Print the fields of the share that are set, its access rules and its snapshots."""
    fields = {k: share[k] for k in SHARE_FIELDS if share[k] not in (None, "", {}, ())}
    fields["size"] = f"{share.size} GiB"
    fields["metadata"] = format_pairs(share.metadata)
    fields["export_locations"] = tuple(e.path for e in share.export_locations)
    mounts = (mount_command(share, location) for location in share.export_locations)
    fields["mount"] = tuple(filter(None, mounts))
    for section in ("access_rules", "snapshots", "locks"):
        fields.pop(section, None)
    output = session.output
    output.print_fields({name: value for name, value in fields.items() if value})
    output.print_section(RULES, share.access_rules)
    output.print_section(SHARE_SNAPSHOTS, share.snapshots)
    output.print_section(LOCKS, share.locks)


def rule_document(rule: AccessRule) -> dict[str, Any]:
    """An access rule as JSON; `world`: whether it lets every address in."""
    return {**rule.model_dump(mode="json"), "world": is_for_world(rule)}


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot as JSON, with the mount command of each export location."""
    document = snapshot.model_dump(mode="json")
    locations = zip(snapshot.export_locations, document["export_locations"], strict=True)
    for location, shown in locations:
        shown["mount"] = mount_command(snapshot, location)
    document["access_rules"] = [rule_document(rule) for rule in snapshot.access_rules]
    return document


def print_snapshot(session: Session, snapshot: Snapshot) -> None:
    """Print the fields of the snapshot that are set, how it is mounted, and its access rules."""
    fields = {k: v for k, v in dict(snapshot).items() if k not in ("access_rules", "share")}
    fields["size"] = f"{snapshot.size} GiB"
    fields["export_locations"] = tuple(e.path for e in snapshot.export_locations)
    mounts = (mount_command(snapshot, location) for location in snapshot.export_locations)
    fields["mount"] = tuple(filter(None, mounts))
    session.output.print_fields({name: value for name, value in fields.items() if value})
    session.output.print_section(RULES, snapshot.access_rules)


# -- usage ---------------------------------------------------------------------------------------
def print_usage(session: Session, usage: Mapping[str, ShareUsage]) -> None:
    """Print how much of each share is used, by share id; in bytes, and in GiB for people."""
    rows = [
        {"share_id": share_id, **used.model_dump(mode="json"), "percent": round(used.percent, 2)}
        for share_id, used in usage.items()
    ]
    session.output.print_items(USAGE, rows, lambda found: _keyed("share_id", found))


def _keyed(key: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows as one document, in which each has the name that its *key* was."""
    return {row[key]: {k: v for k, v in row.items() if k != key} for row in rows}


# -- other entities ------------------------------------------------------------------------------
def entity_document(entity: Value) -> dict[str, Any]:
    """A network, server or type as JSON; sealed values are masked."""
    return entity.model_dump(mode="json", context=SHOWN)


def print_one(
    session: Session, table: Table, entity: Value, omit: tuple[str, ...] = (), **extra: object
) -> None:
    """Print *entity* as a document, as a row of *table*, or as `print_entity` does."""
    session.output.print_items(
        table,
        [entity],
        lambda found: entity_document(found[0]),
        show=lambda: print_entity(session, entity, omit, **extra),
    )


def print_entity(
    session: Session, entity: Value, omit: tuple[str, ...] = (), **extra: object
) -> None:
    """Print the fields of *entity* that are set, without those in *omit*, then those in *extra*."""
    times = {k: v for k, v in dict(entity).items() if isinstance(v, datetime)}
    fields = {**entity_document(entity), **times}
    shown = {k: v for k, v in fields.items() if k not in omit and v not in (None, "", {}, [])}
    for name, value in shown.items():
        if isinstance(value, list):
            shown[name] = ", ".join(map(str, value))
        elif isinstance(value, dict):
            shown[name] = format_pairs(value)
    session.output.print_fields({**shown, **{k: v for k, v in extra.items() if v}})


def format_pairs(pairs: Mapping[str, object]) -> str:
    """A mapping as `a=1, b=2`."""
    return ", ".join(f"{key}={value}" for key, value in pairs.items())


# -- history -------------------------------------------------------------------------------------
def print_history(session: Session, events: Sequence[Recorded]) -> None:
    """Print all events of an entity."""
    stream = events[0].stream
    table = session.output.table or HISTORY
    session.output.print_items(
        table, events, lambda found: {"stream": stream, "events": event_documents(found)}
    )


def history_rows(events: Sequence[Recorded]) -> list[tuple[str, str]]:
    """The time of each event and its sentence."""
    from share_actors.audit.sentences import sentence

    return [(format_time(event.envelope.at), sentence(event)) for event in events]


def event_documents(events: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Recorded events as JSON."""
    return [event_document(event) for event in events]


def event_document(recorded: Recorded) -> dict[str, Any]:
    """A recorded event as JSON: its envelope, its topic and its own fields."""
    from share_actors.audit.sentences import sentence
    from share_actors.events.topics import topic_of

    return {
        "version": recorded.version,
        "event_id": recorded.event_id,
        "topic": topic_of(type(recorded.event)),
        "sentence": sentence(recorded),
        "envelope": recorded.envelope.model_dump(mode="json"),
        "event": recorded.event.model_dump(mode="json", context=SHOWN),
    }


# -- explanation ---------------------------------------------------------------------------------
def print_explanation(session: Session, explanation: Explanation) -> None:
    """Print the state of a share and the reasons for it."""
    output = session.output
    output.print_fields(
        {
            "share": explanation.share_id,
            "name": explanation.name,
            "status": f"{explanation.status}, since {format_time(explanation.since)}",
            "why": explanation.summary,
        }
    )
    output.print_section(OWED_COLUMNS, _owed_rows(explanation.owed))
    failures = [(failure.what, _last_line(failure.reason)) for failure in explanation.failed]
    output.print_section(FAILED_COLUMNS, failures)
    output.print_section(ATTEMPT_COLUMNS, _attempt_rows(explanation.attempts))
    if explanation.placement is not None:
        output.print_section(PLACEMENT_COLUMNS, _placement_rows(explanation.placement))
    _print_advice(session, explanation.advice)


def print_entity_explanation(session: Session, explanation: EntityExplanation) -> None:
    """Print the state of a share server or a share network and the reasons for it."""
    output = session.output
    if session.json:
        output.print_json(explanation.model_dump(mode="json"))
        return
    output.print_fields(
        {
            explanation.kind.replace("_", " "): explanation.id,
            "status": f"{explanation.status}, since {format_time(explanation.since)}",
            "why": explanation.summary,
        }
    )
    output.print_section(OWED_COLUMNS, _owed_rows(explanation.owed))
    output.print_section(ATTEMPT_COLUMNS, _attempt_rows(explanation.attempts))
    _print_advice(session, explanation.advice)


def _owed_rows(owed: Sequence[Owed]) -> list[tuple[object, ...]]:
    return [(work.what, work.asked_by, work.asked_at) for work in owed]


def _attempt_rows(attempts: Sequence[Tried]) -> list[tuple[object, ...]]:
    return [
        (
            attempt.began,
            attempt.n,
            attempt.what,
            attempt.result,
            _last_line(attempt.said),
            attempt.next_at,
        )
        for attempt in attempts
    ]


def _print_advice(session: Session, advice: Sequence[str]) -> None:
    for line in ("", *advice) if advice else ():
        session.output.print(escape(line))


def _placement_rows(placement: Placement) -> list[tuple[object, ...]]:
    """The verdict on each pool, as rows of `PLACEMENT_COLUMNS`."""
    return [
        (pool.pool, not pool.refused, pool.weight, _rejections(pool.refused))
        for pool in placement.pools
    ]


def _rejections(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{filter_name}: {reason}" for filter_name, reason in refused.items())


def _last_line(text: str | None) -> str | None:
    """The last line of *text*: the error of a traceback, which `--json` shows in full."""
    return text.strip().splitlines()[-1] if text and text.strip() else None
