"""Snapshots and access rules that a command names: by their ids, or by their names and clients."""

# ruff: noqa: PLC0415 - events are imported when they are needed
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_args

import typer

from share_actors.cli.command import choices
from share_actors.cli.requesting import Sending, part_in, remaining_s, sent_before
from share_actors.cli.session import Session
from share_actors.cli.targets import Outcome, Told, attempt, report
from share_actors.errors import Ambiguous, InvalidRequest, NotFound, ShareActorsError
from share_actors.values import AccessRule, AccessType, Snapshot

if TYPE_CHECKING:
    from share_actors.client import ShareHandle
    from share_actors.client.keywords import RequestOptions
    from share_actors.events.envelope import Recorded

DeniedRuleArgument = Annotated[
    str | None,
    typer.Argument(metavar="[RULE_ID]", help="Id of the rule; or name its client with --to."),
]
DeniedClientOption = Annotated[
    str | None,
    typer.Option("--to", help="Remove the rule of this user, address, certificate or cephx id."),
]
DeniedTypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        help="Type of --to. Default: any; needed if clients of several types are named so.",
        autocompletion=choices(*get_args(AccessType)),
    ),
]


SnapshotsArgument = Annotated[
    list[str], typer.Argument(metavar="SNAPSHOT...", help="Ids or names of snapshots.")
]
SnapshotRequest = Callable[["ShareHandle", str, "RequestOptions"], object]


def change_snapshots(
    session: Session, snapshots: list[str], request: SnapshotRequest, sending: Sending
) -> None:
    """Send *request* to each of *snapshots*, and tell what became of it; several lead to one exit code."""
    targets, until = list(dict.fromkeys(snapshots)), sending.until
    several = len(targets) > 1
    sent = {
        name: attempt(_send(session, name, request, sending.options(name if several else None)))
        for name in targets
    }
    outcomes = {name: _outcome(session, found, sending, until) for name, found in sent.items()}
    if several:
        report(session, outcomes, f"Not {sending.done.partition(';')[0]}")
        return
    [outcome] = outcomes.values()
    if isinstance(outcome, ShareActorsError):
        raise outcome
    if session.json:
        session.output.print_json(outcome.document)
    else:
        session.output.print_message(outcome.text)


def _send(
    session: Session, snapshot: str, request: SnapshotRequest, options: RequestOptions
) -> Callable[[], tuple[ShareHandle, str]]:
    def send() -> tuple[ShareHandle, str]:
        share, snapshot_id = meant_snapshot(session, snapshot, options["command_id"])
        request(share, snapshot_id, options)
        return share, snapshot_id

    return send


def _outcome(
    session: Session,
    sent: tuple[ShareHandle, str] | ShareActorsError,
    sending: Sending,
    until: float | None,
) -> Outcome:
    if isinstance(sent, ShareActorsError):
        return sent

    def wait() -> Told:
        share, snapshot_id = sent
        receipt = session.wait_for_outcome(share, remaining_s(until))
        status = {} if sending.status is None else {"status": sending.status}
        document = {"id": snapshot_id, "share_id": share.id, **status, "receipt": receipt}
        return Told(f"Snapshot [bold]{snapshot_id}[/]: {sending.outcome}.", document)

    return attempt(wait)


class RuleName(NamedTuple):
    """What a command says of an access rule: its id, or its client."""

    rule_id: str | None
    to: str | None
    kind: str | None

    def check(self) -> RuleName:
        """The same; raises `InvalidRequest` unless it is one of both."""
        if (self.rule_id is None) == (self.to is None):
            text = "name the access rule by its id or by its client: RULE_ID or --to"
            raise InvalidRequest(text, field="rule", value=self.rule_id or self.to)
        return self


def meant_rule(rules: Sequence[AccessRule], name: RuleName) -> str:
    """The id of the rule that *name* means; raises `NotFound`, or `Ambiguous` with the candidates."""
    if name.rule_id is not None:
        return name.rule_id
    from share_actors.events.share.rules import client_key

    kinds = get_args(AccessType) if name.kind is None else (name.kind,)
    clients = {client_key(kind, str(name.to)) for kind in kinds}
    found = [r for r in rules if client_key(r.access_type, r.access_to) in clients]
    present = [rule for rule in found if rule.state != "denying"] or found
    if not present:
        raise NotFound(f"there is no access rule for {name.to!r}", field="to", value=name.to)
    if len(present) > 1:
        told = ", ".join(f"{r.access_type} {r.access_to} ({r.id})" for r in present)
        text = f"{len(present)} access rules are for {name.to!r}: add --type, or use the id: {told}"
        raise Ambiguous(text, field="to", value=name.to, ids=[rule.id for rule in present])
    return present[0].id


def denied_rule(
    session: Session,
    share: ShareHandle,
    rules: Sequence[AccessRule],
    name: RuleName,
    command_id: str | None,
) -> str:
    """The id of the rule that is to be denied; of a request that was sent already, that of its rule."""
    name.check()
    for handle, history in sent_before(session, command_id):
        earlier = part_in(history, command_id, "access_id")
        if handle.id == share.id and earlier is not None:
            return earlier
    return meant_rule(rules, name)


def meant_snapshot(
    session: Session, snapshot: str, command_id: str | None
) -> tuple[ShareHandle, str]:
    """The share and the id of the snapshot with this id or name, or that such a request was about."""
    for handle, history in sent_before(session, command_id):
        earlier = part_in(history, command_id, "snapshot_id")
        if earlier is not None and snapshot in {earlier, *_names(history, earlier)}:
            return handle, earlier
    found = session.system.snapshot(snapshot)
    return session.system.share(found.share_id), found.id


def snapshot_of(session: Session, share: ShareHandle, snapshot: str, command_id: str | None) -> str:
    """The id of the snapshot of *share* with this id or name; raises `NotFound` or `Ambiguous`."""
    for handle, history in sent_before(session, command_id):
        earlier = part_in(history, command_id, "snapshot_id")
        if handle.id == share.id and earlier is not None:
            return earlier
    return _only_one(share.snapshots, snapshot)


def _only_one(snapshots: Sequence[Snapshot], name: str) -> str:
    found = [s.id for s in snapshots if s.id == name] or [s.id for s in snapshots if s.name == name]
    if not found:
        text = f"the share has no snapshot with the id or name {name!r}"
        raise NotFound(text, field="snapshot", value=name)
    if len(found) > 1:
        text = f"{len(found)} snapshots are named {name!r}: use one of the ids {', '.join(found)}"
        raise Ambiguous(text, field="snapshot", value=name, ids=found)
    return found[0]


def _names(history: Sequence[Recorded], snapshot_id: str) -> Iterator[str]:
    """The names that a snapshot was given."""
    for recorded in history:
        event = recorded.event
        if getattr(event, "snapshot_id", None) == snapshot_id and getattr(event, "name", None):
            yield str(getattr(event, "name", ""))
