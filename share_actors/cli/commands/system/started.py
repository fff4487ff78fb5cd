"""What `share-actors up` prints about the system that it has started or found."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.actors.runtime.system_state import SystemState, is_loopback
from share_actors.cli.commands.system import machines
from share_actors.cli.options import print_as_of
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session

if TYPE_CHECKING:
    from share_actors.client import ShareSystem

IN_PROGRESS = ("creating", "extending", "shrinking", "reverting", "deleting")


def print_started(
    session: Session, state: SystemState, system: ShareSystem, *, was_running: bool
) -> None:
    """Print where the system runs, what it has, and what to do next."""
    from share_actors.audit.proofs import check_newest

    counts, checked = system.count_shares(), check_newest(session.config)
    if session.json:
        document = {
            **checked.document(),
            "warnings": list(checked.problems),
            "running": True,
            "already": was_running,
            "address": state.address,
            "namespace": state.namespace,
            "pid": state.pid,
            "home": str(session.home),
            "shares": counts,
            "as_of": None if counts.as_of is None else counts.as_of._asdict(),
        }
        session.output.print_json(document)
        return
    verb = "is already running" if was_running else "is up"
    output = session.output
    output.print(f"The system [bold]{state.namespace}[/] {verb} at {state.address}.")
    if shares := sum(counts.values()):
        in_progress = sum(counts.get(status, 0) for status in IN_PROGRESS)
        suffix = f", {in_progress} in progress" if in_progress else ""
        output.print(f"It has {count(shares, 'share')}{suffix}.")
    print_as_of(session, counts.as_of, "`share-actors status` says how far it is")
    for line in checked.lines():
        output.print(escape(line))
    for problem in checked.problems:
        output.print_message(f"[yellow]Warning:[/] {escape(problem)}.")
    if state.pid is not None and not is_loopback(state.address or ""):
        output.print(machines.how_to_join(session, state))
    output.print("Next: [bold]share-actors share create --size 1 --name first[/]")
    output.print("In Python: [bold]share_actors.connect()[/]. To stop: [bold]share-actors down[/]")
