"""`share-actors catalog`: rebuild it, and follow streams again that were set aside."""

from __future__ import annotations

import threading
from typing import Annotated

import typer
from rich.progress import Progress

from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.errors import Refused

catalog_app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="The catalog, which is derived from the log."
)


@command(catalog_app, "rebuild", examples=["catalog rebuild"])
def rebuild(session: Session) -> None:
    """Drop the catalog and replay the log into it. Shares work on meanwhile; lists wait."""
    system = session.system
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(session, done), daemon=True)
    watcher.start()
    try:
        events = system.rebuild_catalog()
    finally:
        done.set()
        watcher.join()
    if session.json:
        session.output.document({"events": events})
    else:
        session.output.say(f"The catalog is rebuilt from {events} events.")


def _watch(session: Session, done: threading.Event) -> None:
    """A bar on a terminal, while the rebuild runs."""
    if session.json or not session.output.err.is_terminal:
        return
    with Progress(console=session.output.err, transient=True) as bar:
        task = bar.add_task("replaying the log", total=None)
        while not done.wait(0.2):
            replayed, total = session.system.rebuild_progress() or (0, None)
            bar.update(task, completed=replayed, total=total)


@command(catalog_app, "unpark", examples=["catalog unpark share-5b2c..."])
def unpark(
    session: Session,
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="As `status` names it.")],
) -> None:
    """Try a parked stream again, after whatever was wrong with it is mended."""
    if not session.system.unpark(stream):
        raise Refused(
            f"stream {stream} is parked still", field="stream", value=stream,
            next_step="`share-actors status` tells why; an event of a newer version needs that version.",
        )  # fmt: skip
    if session.json:
        session.output.document({"stream": stream, "parked": False})
    else:
        session.output.say(f"The catalog follows stream [bold]{stream}[/] again.")
