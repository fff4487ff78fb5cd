"""`share-actors backend ...`: status and capacity of the backends, and changes to their configuration."""

# ruff: noqa: PLC0415 - Rich is imported when it is shown
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.options import BackendArgument
from share_actors.cli.output import Column, Output, Table, escape
from share_actors.cli.rendering import entity_document, print_entity, print_history, print_usage
from share_actors.cli.session import Session
from share_actors.cli.tables import BACKEND, BACKENDS, HISTORY, USAGE

if TYPE_CHECKING:
    from share_actors.values import BackendReport, Capabilities

STATS = Table(
    "pool",
    (
        Column("BACKEND", "backend", "id", 0),
        Column("STATUS", "status", "word", 1),
        Column("POOL", "pool", "id", 1),
        Column("FREE", "free_capacity_gib", "size", 2, shown=lambda row: _gib(row, "free")),
        Column("TOTAL", "total_capacity_gib", "size", 2, shown=lambda row: _gib(row, "total")),
        Column(
            *("ALLOCATED", "allocated_capacity_gib", "size", 3),
            shown=lambda row: _gib(row, "allocated"),
        ),
        Column("THIN", "thin_provisioning", "word", 6),
        Column("SERVERS", "driver_handles_share_servers", "word", 6),
        Column("REPORTED AT", "at", "time", 4),
        Column("REASON", "reason", "text", 5),
    ),
    identity="pool",
)


@command("backend list", table=BACKENDS, examples=["backend list"])
def list_backends(session: Session) -> None:
    """List the backends with their drivers and whether they are up."""
    backends: dict[str, Any] = session.system.status()["manager"].get("backends", {})
    session.output.print_items(
        BACKENDS,
        [{"backend": name, **backend} for name, backend in backends.items()],
        lambda found: {"backends": {row["backend"]: backends[row["backend"]] for row in found}},
    )
    for name, backend in backends.items():
        _print_problems(session, name, backend.get("wrong") or {}, backend.get("problems") or ())


def _print_problems(
    session: Session, name: str, wrong: dict[str, str], problems: Iterable[str]
) -> None:
    """Print what is wrong with the backend *name* and with its statistics."""
    for problem in problems:
        session.output.print_message(f"{name}: unhealthy: {escape(problem)}")
    for field, reason in wrong.items():
        session.output.print_message(
            f"{name}: the driver reported an invalid value: {escape(f'{field}: {reason}')}"
        )


@command("backend show", table=BACKEND, examples=["backend show nas", "backend show nas --json"])
def show(session: Session, backend: BackendArgument) -> None:
    """Show what is recorded of a backend: its status, its problems, and since when."""
    state = session.system.backends.get(backend)
    omit = ("capabilities", "causes", "info", "ensured")
    rules = access_text(state.capabilities)
    session.output.print_items(
        BACKEND,
        [state],
        lambda states: entity_document(states[0]),
        show=lambda: print_entity(session, state, omit, **{"access rules": rules}),
    )


def access_text(capabilities: Capabilities | None) -> str:
    """The types of access rules and their levels: `NFS: ip (rw, ro); CIFS: user (rw, ro)`."""
    if capabilities is None:
        return ""
    return "; ".join(
        f"{protocol}: "
        + ", ".join(f"{kind} ({', '.join(levels)})" for kind, levels in types.items())
        for protocol, types in capabilities.access_support.items()
    ) or ", ".join(capabilities.access_types)


@command("backend start", examples=["backend start nas"])
def start(session: Session, backend: BackendArgument) -> None:
    """Start the daemons of a backend, after `backend stop` or a failure."""
    _print_change(session, session.system.backends.start(backend), "started")


@command("backend stop", examples=["backend stop nas"])
def stop(session: Session, backend: BackendArgument) -> None:
    """Stop the daemons of a backend: its clients lose their shares until it is started again.

    It is started by `backend start`, or with the system by the next `up`. Data stay in place.
    """
    _print_change(session, session.system.backends.stop(backend), "stopped")


def _print_change(session: Session, report: BackendReport, what: str) -> None:
    if session.json:
        session.output.print_json(report.model_dump(mode="json"))
        return
    session.output.print_message(f"Backend [bold]{report.backend}[/] is {what}.")
    _print_problems(session, report.backend, report.wrong, report.problems)


@command("backend usage", table=USAGE, examples=["backend usage nas"])
def usage(session: Session, backend: BackendArgument) -> None:
    """Show how much of each share on a backend is used, as the backend measures it now."""
    print_usage(session, session.system.backends.usage(backend))


@command(
    "backend stats",
    table=STATS,
    examples=["backend stats", "backend stats --watch", "backend stats --json"],
)
def stats(
    session: Session,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running and show each new report.")
    ] = False,
) -> None:
    """Show the last reported capacity of each backend's pools, in GiB.

    With --watch and --json it prints one line of JSON per report.
    """
    if watch:
        _watch_reports(session)
    else:
        _print_reports(session, session.system.backends.stats())


@command("backend publish", table=STATS, examples=["backend publish", "backend publish fast"])
def publish(
    session: Session,
    backend: Annotated[str | None, typer.Argument(help="Update only this backend.")] = None,
) -> None:
    """Update the capacity of the backends now instead of at the end of the period."""
    _print_reports(session, session.system.backends.publish(backend))


def _print_reports(session: Session, reports: dict[str, BackendReport]) -> None:
    output = session.output
    if output.view.has_documents:
        output.print_json(
            {name: report.model_dump(mode="json") for name, report in reports.items()}
        )
        return
    output.print_items(STATS, _stats_rows(reports.values()), list)
    for name, report in reports.items():
        _print_problems(session, name, report.wrong, report.problems)


@command("backend reload", examples=["--config site.toml backend reload"])
def reload(session: Session) -> None:
    """Apply the configured backends to the running system. Unchanged backends keep running."""
    changes = session.system.backends.reload(session.config)
    if session.json:
        session.output.print_json(changes)
        return
    for title, names in (
        ("Added", changes["added"]),
        ("Changed", changes["changed"]),
        ("Removed", changes["removed"]),
    ):
        if names:
            session.output.print(f"{title}: {', '.join(names)}.")
    if not any(changes.values()):
        session.output.print("No backend changed.")


@command("backend history", table=HISTORY, examples=["backend history fast"])
def history(session: Session, backend: BackendArgument) -> None:
    """Show when a backend went up or down and when its capabilities changed."""
    print_history(session, session.system.backends.history(backend))


# -- reports as a table --------------------------------------------------------------------------
def _watch_reports(session: Session) -> None:
    reports = session.system.backends.watch()
    if session.json:
        for report in reports:
            _print_report(session.output, report)
        return
    from rich.live import Live

    latest: dict[str, BackendReport] = {}
    with Live(console=session.output.out, auto_refresh=False) as live:
        for report in reports:
            latest[report.backend] = report
            table = session.output.build_table(STATS, _stats_rows(latest.values()))
            live.update(table, refresh=True)


def _print_report(output: Output, report: BackendReport) -> None:
    """Print one report of several: its document, or the rows of its pools."""
    if output.view.has_documents:
        output.print_json_line(report.model_dump(mode="json"))
        return
    for row in _report_rows(report):
        output.print_json_line(row)


def _stats_rows(reports: Iterable[BackendReport]) -> list[dict[str, object]]:
    """The pools of all backends, as rows of `STATS`."""
    return [row for report in reports for row in _report_rows(report)]


def _report_rows(report: BackendReport) -> Iterator[dict[str, object]]:
    status = "up" if report.reason is None else "down"
    told = {"backend": report.backend, "status": status, "at": report.at, "reason": report.reason}
    capabilities = report.capabilities
    if capabilities is None or not capabilities.pools:
        yield told
        return
    servers = capabilities.driver_handles_share_servers
    for pool in capabilities.pools:
        yield {
            **told,
            **pool.model_dump(include=_CAPACITIES),
            "pool": pool.name,
            "driver_handles_share_servers": servers,
        }


_CAPACITIES = {
    *("free_capacity_gib", "total_capacity_gib", "allocated_capacity_gib"),
    "thin_provisioning",
}


def _gib(row: Mapping[str, Any], kind: str) -> object:
    """A capacity to a tenth of a GiB; a word such as `unknown` as it is."""
    number = row.get(f"{kind}_capacity_gib")
    return f"{number:.1f}" if isinstance(number, int | float) else number
