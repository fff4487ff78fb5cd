"""`share-actors upgrade ...`: the versions of the system's processes, and the end of a rolling upgrade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.cli.command import command
from share_actors.cli.output import Column, Table
from share_actors.cli.session import Session
from share_actors.client.results import SystemVersions
from share_actors.versions import OWN


def _program(told: Mapping[str, Any]) -> str:
    return f"{told['program']}, silent" if told.get("silent") else told["program"]


PROCESSES = Table(
    "process",
    (
        Column("PROCESS", "process", "id", 0),
        Column("VERSION", "program", "word", 1, shown=_program),
        Column("PROTOCOL", "protocol", "size", 2),
        Column("READS FORMAT", "log_format", "size", 2),
    ),
    identity="process",
)


@command("upgrade show", table=PROCESSES, examples=["upgrade show", "upgrade show --json"])
def show(session: Session) -> None:
    """Show the version of each process, and what is left of an upgrade."""
    versions = session.system.versions()
    told: list[dict[str, object]] = [
        {"process": name, **told} for name, told in versions["processes"].items()
    ]
    rows = [*told, {"process": "this program", **OWN._asdict()}]

    def show() -> None:
        session.output.print_fields({"Log": f"written in format {versions['written_format']}"})
        session.output.print_section(PROCESSES, rows)
        session.output.print(f"\n{_next_step(versions)}")

    session.output.print_items(
        PROCESSES, rows, lambda _: {**versions, "next_step": _next_step(versions)}, show=show
    )


def _next_step(versions: SystemVersions) -> str:
    processes = versions["processes"]
    told = {(p["program"], p["log_format"]) for p in processes.values() if not p.get("silent")}
    if unheard := ", ".join(name for name, p in processes.items() if p.get("silent")):
        return (
            f"It is not known which version these processes run, which do not answer: {unheard}. An upgrade"
            " is not finished before share actors answer or leave: see `share-actors node list`."
        )
    if len(told) > 1:
        return "Processes of several versions run: upgrade the nodes of the older ones."
    newest = max(log_format for _, log_format in told)
    if newest > versions["written_format"]:
        return (
            f"All processes run one version. To have the log written in format {newest}, which earlier"
            " versions cannot read: share-actors upgrade finish"
        )
    return "All processes run one version, and the log is written in its format."


@command("upgrade finish", examples=["upgrade finish"])
def finish(session: Session) -> None:
    """Have the log written in the newest format: an earlier version cannot be used any more."""
    raised = session.system.finish_upgrade()
    written = session.system.versions()["written_format"]
    if session.json:
        session.output.print_json({"raised": raised, "written_format": written})
    elif raised:
        session.output.print(f"The log is written in format [bold]{written}[/] from now on.")
    else:
        session.output.print(f"The log is written in format {written} already: nothing changes.")
