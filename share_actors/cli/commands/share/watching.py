"""`share-actors share wait`, and the lines of `share list --watch` and `share show --watch`."""

# ruff: noqa: PLC0415 - the client is imported by the commands that need more of it than its types
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.finding import existing_or_deleted
from share_actors.cli.options import check_seconds
from share_actors.cli.output import escape, format_time
from share_actors.cli.rendering import format_pairs, print_share, share_document
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES
from share_actors.cli.targets import Outcome, Told, attempt, report
from share_actors.errors import ShareActorsError
from share_actors.values import AccessRule, Share, Snapshot, utc_now

if TYPE_CHECKING:
    from share_actors.client import ShareHandle
    from share_actors.client.share.watching import ShareChange

WatchOption = Annotated[
    bool,
    typer.Option("--watch", help="Go on with a line for each change, until Ctrl-C."),
]
_PARTS = ("access_rules", "snapshots")


def _conditions() -> list[str]:
    """The conditions, for completion in a shell."""
    from share_actors.client.share.conditions import CONDITIONS

    return list(CONDITIONS)


@command(
    "share wait",
    table=SHARES,
    examples=[
        "share wait data --for available",
        "share wait data logs --for deleted --timeout 60",
        "share wait data --for rule-active=alice",
    ],
)
def wait(
    session: Session,
    shares: Annotated[
        list[str], typer.Argument(metavar="SHARE...", help="Ids or names of shares.")
    ],
    condition: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="CONDITION",
            help="A status such as available, deleted or error; settled (nothing is in progress);"
            " rule-active or snapshot-available, of all or as rule-active=CLIENT and"
            " snapshot-available=NAME.",
            autocompletion=_conditions,
        ),
    ],
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", callback=check_seconds, help="Wait no longer than this."
        ),
    ] = 300.0,
) -> None:
    """Wait until shares are as wanted, whoever brings that about. Nothing is changed.

    Ends at once with exit code 8 if a share is in error instead, with 5 if it is gone, and with 9 after the
    timeout. If several shares fail in different ways, the exit code is 15.
    """
    session.interrupt_message = "Stopped waiting. Nothing was changed."
    outcomes: dict[str, ShareHandle | ShareActorsError] = {}
    for share in shares:
        outcomes[share] = attempt(lambda: existing_or_deleted(session, share))  # noqa: B023
    handles = {s: found for s, found in outcomes.items() if not isinstance(found, ShareActorsError)}
    with session.output.spinner(f"waiting for {condition}"):
        found = session.system.wait_for_shares(handles.values(), condition, timeout=timeout)
    outcomes |= zip(handles, found, strict=True)
    if len(outcomes) == 1:
        _print_only(session, outcomes[shares[0]], condition)
    else:
        told = {share: _outcome(ended, condition) for share, ended in outcomes.items()}
        report(session, told, f"Not {condition}")


def _print_only(session: Session, share: ShareHandle | ShareActorsError, condition: str) -> None:
    if isinstance(share, ShareActorsError):
        raise share
    if session.json:
        session.output.print_json(share_document(share.seen))
        return
    session.output.print_message(_is_met(share, condition))
    print_share(session, share.seen)


def _outcome(share: ShareHandle | ShareActorsError, condition: str) -> Outcome:
    if isinstance(share, ShareActorsError):
        return share
    return Told(_is_met(share, condition), {"share": share_document(share.seen)})


def _is_met(share: ShareHandle, condition: str) -> str:
    return f"Share [bold]{escape(share.name or share.id)}[/]: {escape(condition)}."


# -- changes as lines ----------------------------------------------------------------------------
def print_changes(session: Session, changes: Iterable[ShareChange]) -> None:
    """Print each change in a line, or as a JSON document in a line."""
    session.interrupt_message = "Stopped watching. Nothing was changed."
    for change in changes:
        if session.output.view.has_documents:
            session.output.print_json_line(_document(change))
        elif session.json:
            session.output.print_json_line(share_document(change.share))
        else:
            session.output.print(escape(_line(change)))


def _document(change: ShareChange) -> dict[str, Any]:
    at = utc_now().isoformat()
    return {"at": at, "changed": change.fields, "share": share_document(change.share)}


def _line(change: ShareChange) -> str:
    share = change.share
    told = f"{format_time(utc_now())}  {share.id}  {share.name or '-'}  {share.status}"
    return "  ".join([told, "; ".join(differences(change))]).rstrip()


def differences(change: ShareChange) -> list[str]:
    """What differs from before, in words; nothing of a share that is told first."""
    before, share = change.before, change.share
    if before is None:
        return []
    fields = [name for name in change.fields if name not in _PARTS]
    told = [_difference(name, before[name], share[name]) for name in fields]
    rules = _parts("access rule", _rules(before), _rules(share))
    return [*told, *rules, *_parts("snapshot", _snapshots(before), _snapshots(share))]


def _difference(field: str, before: object, now: object) -> str:
    return f"{field.replace('_', ' ')}: {_text(before)} -> {_text(now)}"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return format_pairs(value) or "-"
    if isinstance(value, tuple):
        return ", ".join(getattr(item, "path", str(item)) for item in value) or "-"
    return "-" if value in (None, "") else str(value)


def _rules(share: Share) -> dict[str, tuple[str, str]]:
    return {rule.id: (_named_rule(rule), rule.state) for rule in share.access_rules}


def _named_rule(rule: AccessRule) -> str:
    return f"{rule.access_type} {rule.access_to} ({rule.access_level})"


def _snapshots(share: Share) -> dict[str, tuple[str, str]]:
    return {found.id: (_named_snapshot(found), found.status) for found in share.snapshots}


def _named_snapshot(snapshot: Snapshot) -> str:
    return snapshot.name or snapshot.id


def _parts(
    noun: str, before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]
) -> Iterator[str]:
    """The differences of access rules or snapshots, by id: how each is named, and its state."""
    for part_id in {**before, **now}:
        name = (now.get(part_id) or before[part_id])[0]
        old, new = (_state(parts, part_id) for parts in (before, now))
        if old != new:
            yield f"{noun} {name}: {old} -> {new}"


def _state(parts: dict[str, tuple[str, str]], part_id: str) -> str:
    return parts[part_id][1] if part_id in parts else "-"
