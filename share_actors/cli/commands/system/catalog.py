"""`share-actors catalog ...`: rebuild the catalog, and resume streams that it has parked."""

# ruff: noqa: PLC0415 - Rich is imported when it is shown
from __future__ import annotations

import threading
from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.output import count
from share_actors.cli.session import Session
from share_actors.errors import Refused


@command("catalog rebuild", examples=["catalog rebuild"])
def rebuild(session: Session) -> None:
    """Delete the catalog and replay the log into it. Shares keep working; lists show how far it is."""
    system = session.system
    done = threading.Event()
    progress = threading.Thread(target=_show_progress, args=(session, done), daemon=True)
    progress.start()
    try:
        events = system.rebuild_catalog()
    finally:
        done.set()
        progress.join()
    if session.json:
        session.output.print_json({"events": events})
    else:
        session.output.print(f"Rebuilt the catalog from {count(events, 'event')}.")


def _show_progress(session: Session, done: threading.Event) -> None:
    """Show a progress bar on a terminal until *done* is set."""
    if session.json or not session.output.err.is_terminal:
        return
    from rich.progress import Progress

    with Progress(console=session.output.err, transient=True) as bar:
        task = bar.add_task("replaying the log", total=None)
        while not done.wait(0.2):
            replayed, total = session.system.rebuild_progress() or (0, None)
            bar.update(task, completed=replayed, total=total)


@command("catalog unpark", examples=["catalog unpark share-5b2c..."])
def unpark(
    session: Session,
    stream: Annotated[
        str, typer.Argument(metavar="STREAM", help="Name of the stream as `status` shows it.")
    ],
) -> None:
    """Retry a parked stream after its cause was fixed."""
    if not session.system.unpark(stream):
        raise Refused(
            f"stream {stream} is still parked",
            field="stream",
            value=stream,
            next_step="`share-actors status` shows the reason. An event that a newer version wrote"
            " needs that version.",
        )
    if session.json:
        session.output.print_json({"stream": stream, "parked": False})
    else:
        session.output.print(f"The catalog follows stream [bold]{stream}[/] again.")
