"""`share-actors log replay`: what the present code makes of a log, compared with another version's reference."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command, installed_version
from share_actors.cli.commands.log import LogOption, log_app, opened, progress
from share_actors.cli.output import count, escape, format_time
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.replay.check import Checked, Difference
    from share_actors.audit.replay.writing import Written

PARTS = 15
"""Exit code if the present code comes to other states or decisions than those of the reference. It is stable."""
MAX_SHOWN = 20


@command(
    log_app,
    "replay",
    examples=[
        "log replay --write before.reference --log copy.db",
        "log replay --check before.reference --log copy.db",
    ],
)
def replay(
    session: Session,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Compare with the reference in this file."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Write a reference to this new file."),
    ] = None,
    log: LogOption = None,
) -> None:
    """Fold every stream by this version's code: write its states' digests, or compare them with another's.

    Before an upgrade, the old version writes a reference of a copy of the log and the new version checks it:
    each event must lead to the state to which it led before. Changes nothing. Exit code 15 if a stream
    differs; the first event from which on it does is named.
    """
    if (check is None) == (write is None):
        text = "--check, --write: give one of the two, with a file"
        raise InvalidRequest(text, field="check", value=str(check))
    if write is not None:
        _write(session, log, write)
    elif check is not None:
        _check(session, log, check)


def _write(session: Session, log: str | None, path: Path) -> None:
    from share_actors.audit.replay.writing import write_reference

    with opened(session, log) as reader, progress(session, "folding") as report:
        written = write_reference(reader, path, installed_version(), report)
    if session.json:
        session.output.print_json({**written.model_dump(mode="json"), "file": str(path)})
        return
    session.output.print(escape(_written(written)))


def _written(written: Written) -> str:
    text = f"Wrote the reference of {count(written.events, 'event')} of {count(written.streams, 'stream')}."
    if written.unreadable:
        text += (
            f" {count(written.unreadable, 'stream')} cannot be folded to the end by this version."
        )
    return text


def _check(session: Session, log: str | None, path: Path) -> None:
    from share_actors.audit.replay.check import check

    with opened(session, log) as reader, progress(session, "folding") as report:
        checked = check(reader, path, installed_version(), report)
    if session.json:
        session.output.print_json({"ok": checked.ok, **checked.model_dump(mode="json")})
    else:
        _print(session, checked)
    if not checked.ok:
        raise typer.Exit(PARTS)


def _print(session: Session, checked: Checked) -> None:
    output = session.output
    compared = f"{count(checked.events, 'event')} of {count(checked.streams, 'stream')}"
    if checked.ok:
        output.print(f"The same states as version {escape(checked.reference_version)}: {compared}.")
    else:
        output.print(
            f"{count(checked.differing_streams, 'stream')} differ from version"
            f" {escape(checked.reference_version)}, of {compared}:"
        )
        for difference in checked.differences[:MAX_SHOWN]:
            output.print(escape(f"- {sentence(difference)}"))
        if checked.differing_streams > MAX_SHOWN:
            output.print("More of them: with --json.")
    if checked.later_events:
        output.print(
            f"Not compared, since they came later: {count(checked.later_events, 'event')}."
        )


def sentence(difference: Difference) -> str:
    """A difference in words."""
    if difference.kind == "initial":
        return f"{difference.stream}: {difference.fields[0]}: {difference.detail}"
    place = f"{difference.stream} version {difference.version}"
    if difference.topic is not None:
        at = "" if difference.at is None else f", {format_time(difference.at)}"
        place += f" ({difference.topic}, position {difference.position}{at})"
    fields = f"other values of {', '.join(difference.fields)}" if difference.fields else ""
    said: dict[str, Any] = {"state": fields or "another state"}
    return f"{place}: {said.get(difference.kind) or difference.detail}"
