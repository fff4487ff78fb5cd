"""`share-actors log repartition`: divide a PostgreSQL log among another number of tables."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.log.reading import progress
from share_actors.cli.output import count
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.transfer.repartition import Repartitioned


@command(
    "log repartition",
    examples=["log repartition --partitions 4", "log repartition --drop-previous"],
)
def repartition(
    session: Session,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", metavar="N", help="The number of tables, from 1 to 32."),
    ] = None,
    drop_previous: Annotated[
        bool,
        typer.Option("--drop-previous", help="Drop the tables from before the last change."),
    ] = False,
) -> None:
    """Divide the streams of a PostgreSQL log among N tables, so that more processes write at once.

    No system may be running. Events keep their positions, so catalog, checkpoints, archives and proofs stay
    valid. All is done in one transaction, which is committed after every row of the new tables was compared
    with that of the old ones; after a crash, repeat the command. The old tables are kept, as *before*, until
    `--drop-previous`. Set `log.partitions` to N afterwards: another number is refused.
    """
    from share_actors.audit.transfer import repartition as dividing

    if (partitions is None) != drop_previous:
        raise InvalidRequest("name either --partitions N or --drop-previous", field="partitions")
    if partitions is None:
        _print_dropped(session, dividing.drop_previous(session.config))
        return
    with progress(session, "comparing") as report:
        done = dividing.repartition(session.config, partitions, report)
    _print(session, done)


def _print_dropped(session: Session, names: tuple[str, ...]) -> None:
    if session.json:
        session.output.print_json({"dropped": list(names)})
    else:
        session.output.print(
            f"Dropped {', '.join(names)}." if names else "There was nothing to drop."
        )


def _print(session: Session, done: Repartitioned) -> None:
    if session.json:
        session.output.print_json(done._asdict())
        return
    number = count(done.partitions, "partition")
    if done.events is None:
        session.output.print(f"The log has {number} already.")
    else:
        what = f"{count(done.events, 'event')} of {count(done.streams or 0, 'stream')}"
        session.output.print(f"The log has {number}: {what} were copied and compared.")
        session.output.print(f"SHA-256 of all rows, before and now: {done.digest}")
    if done.previous_tables:
        names = ", ".join(done.previous_tables)
        session.output.print(f"Kept until `share-actors log repartition --drop-previous`: {names}.")
    if session.config.log.partitions != done.partitions:
        session.output.print(f"Set log.partitions = {done.partitions} before the next start.")
