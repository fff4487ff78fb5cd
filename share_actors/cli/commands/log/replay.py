"""`share-actors log replay`: what the present code makes of a log, compared with another version's."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command, installed_version
from share_actors.cli.commands.log.reading import LogOption, opened, progress
from share_actors.cli.exit_codes import PARTS
from share_actors.cli.output import count, escape, format_time
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.replay.check import Checked, Difference
    from share_actors.audit.replay.what_if import Decided
    from share_actors.audit.replay.writing import Written

MAX_SHOWN = 20


CheckOption = Annotated[
    Path | None,
    typer.Option("--check", metavar="FILE", help="Compare with the reference in this file."),
]
WriteOption = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write a reference to this new file."),
]
WhatIfOption = Annotated[
    bool, typer.Option("--what-if", help="Decide every recorded command again.")
]
OtherOption = Annotated[
    Path | None,
    typer.Option(
        "--with", metavar="FILE", help="With --what-if: choose pools by this configuration."
    ),
]


@command(
    "log replay",
    examples=[
        "log replay --write before.reference --log copy.db",
        "log replay --check before.reference --log copy.db",
        "log replay --what-if --with other.toml --log copy.db",
    ],
)
def replay(
    session: Session,
    check: CheckOption = None,
    write: WriteOption = None,
    what_if: WhatIfOption = False,
    other: OtherOption = None,
    log: LogOption = None,
) -> None:
    """Replay every stream, or decide every command again, with the code of this version. Changes nothing.

    Before an upgrade, the old version writes a reference of a copy of the log (`--write`) and the new version
    checks it (`--check`): each event must lead to the same state as before. `--what-if` reconstructs each
    command from its events and compares its result now; with `--with`, also the pools that another
    configuration would have chosen. Exit code 16 if something differs; the first differences are named.
    """
    chosen = [check is not None, write is not None, what_if].count(True)
    if chosen != 1:
        text = "--check, --write, --what-if: give one of the three"
        raise InvalidRequest(text, field="check", value=None if check is None else str(check))
    if other is not None and not what_if:
        text = f"--with: {other} is for --what-if only"
        raise InvalidRequest(text, field="with", value=str(other))
    if what_if:
        _decide_again(session, log, other)
    elif write is not None:
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


# -- what if -------------------------------------------------------------------------------------
def _decide_again(session: Session, log: str | None, other: Path | None) -> None:
    from share_actors.audit.replay.decide_again import decide_again
    from share_actors.config import load

    instead = None if other is None else load(other)
    with opened(session, log) as reader, progress(session, "deciding") as report:
        decided = decide_again(reader, session.config, instead, report)
    if session.json:
        session.output.print_json({"ok": decided.ok, **decided.model_dump(mode="json")})
    else:
        _print_decisions(session, decided, with_other=other is not None)
    if not decided.ok:
        raise typer.Exit(PARTS)


def _print_decisions(session: Session, decided: Decided, *, with_other: bool) -> None:
    output, differing = session.output, sum(decided.differing.values())
    output.print(f"Decided again: {decided.decided} of {count(decided.commands, 'command')}.")
    chosen = decided.placements - decided.placements_not_reproduced
    if with_other:
        output.print(
            f"Pools chosen again: {chosen} of {decided.placements}; for the others the recorded reports"
            " do not lead to the recorded choice."
        )
    output.print(f"{differing} come out differently." if differing else "All come out as recorded.")
    output.print_section(("DIFFERENCE", "COUNT"), list(decided.differing.items()))
    rows = [(e.kind, e.stream, e.version, e.command, e.recorded, e.now) for e in decided.examples]
    columns = ("DIFFERENCE", "STREAM", "VERSION", "COMMAND", "RECORDED", "NOW")
    output.print_section(columns, rows[:MAX_SHOWN])
    output.print_section(("NOT DECIDED AGAIN", "COUNT"), list(decided.not_decided.items()))
