"""`share-actors subject ...`: data subjects whose texts in the log are sealed, and forgetting them."""

from __future__ import annotations

from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.revert import require_confirmation
from share_actors.cli.output import Column, Table, count
from share_actors.cli.output.columns import WIDE
from share_actors.cli.session import Session
from share_actors.values import Forgetting

SUBJECTS = Table(
    "subject",
    (
        Column(
            "SUBJECT", "name", "id", 0, shown=lambda one: f"{one.kind}:{one.name or '(erased)'}"
        ),
        Column("ID", "id", "id", 2),
        Column("SINCE", "since", "time", 3),
        Column("FORGOTTEN", "forgotten_at", "time", 1),
        Column("KIND", "kind", "word", WIDE),
    ),
)


@command("subject list", table=SUBJECTS, examples=["subject list"])
def list_(session: Session) -> None:
    """List the data subjects that have a key, and those that were forgotten."""
    subjects = session.system.subjects.list()
    if subjects or not session.output.view.is_for_people:
        session.output.print_items(
            SUBJECTS, subjects, lambda found: [subject.model_dump() for subject in found]
        )
    else:
        session.output.print_message("No data subjects.")


@command(
    "subject forget",
    examples=["subject forget user:alice --dry-run", "subject forget client:10.0.0.7 --yes"],
)
def forget(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="user:NAME, project:NAME or client:ADDRESS.")
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be erased or refused; change nothing."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation. Scripts are never asked.")
    ] = False,
) -> None:
    """Destroy the key of a data subject for good: its texts in the log read as erased.

    Refused while the subject is in use: a project with shares, a client with an access rule, pending work.
    Repeat the command after an error. Backups of the key store still have the key.
    """
    subjects = session.system.subjects
    if not dry_run and not yes:
        planned = subjects.forget(name, dry_run=True)
        if not planned.is_done and not planned.refused:
            require_confirmation(
                f"The texts of {name} in {count(planned.events, 'event')} can never be read again.",
                "the erasure was not confirmed; the key was kept",
            )
    done = subjects.forget(name, dry_run=dry_run)
    if session.json:
        session.output.print_json(done.model_dump())
    else:
        _print(session, done, dry_run)


def _print(session: Session, done: Forgetting, dry_run: bool) -> None:
    where = f"{count(done.events, 'event')} of {count(done.streams, 'stream')}"
    if done.was_done_before:
        session.output.print_message(f"{done.subject} was forgotten before; nothing changed.")
    elif not dry_run:
        session.output.print_message(
            f"Forgotten: the texts of {done.subject} in {where} are erased."
        )
    elif done.refused:
        session.output.print_message(f"{done.subject} would be kept, since it is still in force:")
        for reason in done.refused:
            session.output.print(f"  {reason}")
    else:
        session.output.print_message(f"The texts of {done.subject} in {where} would be erased.")
