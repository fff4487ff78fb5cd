"""A share, its access rules, its snapshots and its history: as people and as scripts get to see them."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from share_actors.cli.output import when
from share_actors.cli.session import Session
from share_actors.redaction import MASK
from share_actors.values import AccessRule, Share, Snapshot, Value

if TYPE_CHECKING:
    from share_actors.audit.explanation import Explanation
    from share_actors.events.envelope import Recorded
    from share_actors.values import Placement

RULE = ("RULE", "TYPE", "TO", "LEVEL", "STATE", "REASON")
OWED = ("OWED", "ASKED BY", "ASKED AT")
FAILED = ("FAILED TO", "WHY")
TRIED = ("TRIED AT", "N", "TO", "RESULT", "THE BACKEND SAID", "NEXT AT")
PLACED = ("POOL", "WOULD DO", "WEIGHT", "REFUSED BY")
SNAPSHOT = ("SNAPSHOT", "NAME", "GIB", "STATUS", "REASON", "CREATED")


def document(share: Share, receipt: dict[str, Any] | None = None) -> dict[str, Any]:
    """The share for scripts: Manila's fields, by their names."""
    told = share.model_dump(mode="json")
    return told if receipt is None else {**told, "receipt": receipt}


def show(session: Session, share: Share) -> None:
    """The share for people: all that is set, then its access rules and its snapshots."""
    fields = {k: v for k, v in dict(share).items() if v not in (None, "", {}, ())}
    fields["size"] = f"{share.size} GiB"
    fields["metadata"] = ", ".join(f"{k}={v}" for k, v in share.metadata.items())
    fields["export_locations"] = "\n".join(e.path for e in share.export_locations)
    for apart in ("access_rules", "snapshots"):
        fields.pop(apart, None)
    session.output.fields({name: value for name, value in fields.items() if value})
    _beneath(session, RULE, [rule_row(rule) for rule in share.access_rules])
    _beneath(session, SNAPSHOT, [snapshot_row(snapshot) for snapshot in share.snapshots])


def entity_document(entity: Value) -> dict[str, Any]:
    """A network, server or type for scripts; what is sealed is masked."""
    told: dict[str, Any] = _unsealed(entity.model_dump(mode="json"))
    return told


def _unsealed(told: Any) -> Any:
    match told:
        case dict():
            return {key: _unsealed(value) for key, value in told.items()}
        case list():
            return [_unsealed(value) for value in told]
        case str() if told.startswith("sealed:"):
            return MASK
        case _:
            return told


def show_fields(
    session: Session, entity: Value, apart: tuple[str, ...] = (), **more: object
) -> None:
    """An entity for people: all that is set, one a line."""
    told = {**entity_document(entity), **_times(entity)}
    fields = {k: v for k, v in told.items() if k not in apart and v not in (None, "", {}, [])}
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = ", ".join(map(str, value))
        elif isinstance(value, dict):
            fields[name] = ", ".join(f"{k}={v}" for k, v in value.items())
    session.output.fields({**fields, **{k: v for k, v in more.items() if v}})


def _times(entity: Value) -> dict[str, datetime]:
    return {k: v for k, v in dict(entity).items() if isinstance(v, datetime)}


def show_history(session: Session, recorded: Sequence[Recorded]) -> None:
    """All that ever happened to an entity."""
    if session.json:
        told = [recorded_document(item) for item in recorded]
        session.output.document({"stream": recorded[0].stream, "events": told})
    else:
        session.output.table(("WHEN", "WHAT"), lines(recorded))


def _beneath(session: Session, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        session.output.say("")
        session.output.table(columns, rows)


def rule_row(rule: AccessRule) -> tuple[object, ...]:
    return (
        rule.id, rule.access_type, rule.access_to, rule.access_level, rule.state, rule.reason
    )  # fmt: skip


def snapshot_row(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        snapshot.id, snapshot.name, snapshot.size, snapshot.status, snapshot.reason,
        snapshot.created_at,
    )  # fmt: skip


# -- explanation ---------------------------------------------------------------------------------
def tell(session: Session, told: Explanation) -> None:
    """Why a share is as it is, for people."""
    output = session.output
    since = f"{told.status}, since {when(told.since)}"
    output.fields({"share": told.share_id, "name": told.name, "status": since, "why": told.summary})
    _beneath(session, OWED, [(o.what, o.asked_by, o.asked_at) for o in told.owed])
    _beneath(session, FAILED, [(f.what, _last_line(f.reason)) for f in told.failed])
    _beneath(
        session,
        TRIED,
        [(t.began, t.n, t.what, t.result, _last_line(t.said), t.next_at) for t in told.attempts],
    )
    _beneath(session, PLACED, [] if told.placement is None else _placed(told.placement))
    for line in ("", *told.advice) if told.advice else ():
        output.say(escape(line))


def _placed(placement: Placement) -> list[tuple[object, ...]]:
    """Why there, and why not elsewhere."""
    return [
        (v.pool, not v.refused, v.weight, "; ".join(f"{k}: {why}" for k, why in v.refused.items()))
        for v in placement.pools
    ]


def _last_line(text: str | None) -> str | None:
    """Of a traceback, the error; `--json` has all of it."""
    return text.strip().splitlines()[-1] if text and text.strip() else None


# -- history -------------------------------------------------------------------------------------
def lines(recorded: Sequence[Recorded]) -> list[tuple[str, str]]:
    """One line an event."""
    from share_actors.audit.sentences import sentence

    return [(when(item.envelope.at), sentence(item)) for item in recorded]


def recorded_document(item: Recorded) -> dict[str, Any]:
    """One event for scripts: its envelope, its topic and its own fields."""
    from share_actors.audit.sentences import sentence
    from share_actors.events.topics import topic_of

    return {
        "version": item.version,
        "event_id": item.event_id,
        "topic": topic_of(type(item.event)),
        "sentence": sentence(item),
        "envelope": item.envelope.model_dump(mode="json"),
        "event": _unsealed(item.event.model_dump(mode="json")),
    }
