"""`share-actors backend ...`: status and capacity of the backends, and changes to their configuration."""

# ruff: noqa: PLC0415 - Rich is imported when it is shown
from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.options import BackendArgument
from share_actors.cli.output import escape
from share_actors.cli.rendering import entity_document, print_entity, print_history, print_usage
from share_actors.cli.session import Session

if TYPE_CHECKING:
    from share_actors.values import BackendReport, Capabilities, Pool

LIST_COLUMNS = ("BACKEND", "DRIVER", "STATUS", "REPORTED AT", "REASON")
STATS_COLUMNS = (
    *("BACKEND", "STATUS", "POOL", "FREE", "TOTAL", "ALLOCATED"),
    *("THIN", "SERVERS", "REPORTED AT", "REASON"),
)


@command("backend list", examples=["backend list"])
def list_backends(session: Session) -> None:
    """List the backends with their drivers and whether they are up."""
    backends: dict[str, Any] = session.system.status()["manager"].get("backends", {})
    if session.json:
        session.output.print_json({"backends": backends})
        return
    rows = [
        (name, backend["driver"], backend["status"], _parse_time(backend["at"]), backend["reason"])
        for name, backend in backends.items()
    ]
    session.output.print_table(LIST_COLUMNS, rows)
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


@command("backend show", examples=["backend show nas", "backend show nas --json"])
def show(session: Session, backend: BackendArgument) -> None:
    """Show what is recorded of a backend: its status, its problems, and since when."""
    state = session.system.backends.get(backend)
    if session.json:
        session.output.print_json(entity_document(state))
    else:
        omit = ("capabilities", "causes", "info", "ensured")
        print_entity(session, state, omit, **{"access rules": access_text(state.capabilities)})


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


@command("backend usage", examples=["backend usage nas"])
def usage(session: Session, backend: BackendArgument) -> None:
    """Show how much of each share on a backend is used, as the backend measures it now."""
    print_usage(session, session.system.backends.usage(backend))


@command(
    "backend stats", examples=["backend stats", "backend stats --watch", "backend stats --json"]
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


@command("backend publish", examples=["backend publish", "backend publish fast"])
def publish(
    session: Session,
    backend: Annotated[str | None, typer.Argument(help="Update only this backend.")] = None,
) -> None:
    """Update the capacity of the backends now instead of at the end of the period."""
    _print_reports(session, session.system.backends.publish(backend))


def _print_reports(session: Session, reports: dict[str, BackendReport]) -> None:
    if session.json:
        documents = {name: report.model_dump(mode="json") for name, report in reports.items()}
        session.output.print_json(documents)
    else:
        session.output.print_table(STATS_COLUMNS, _stats_rows(reports.values()))
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


@command("backend history", examples=["backend history fast"])
def history(session: Session, backend: BackendArgument) -> None:
    """Show when a backend went up or down and when its capabilities changed."""
    print_history(session, session.system.backends.history(backend))


def _parse_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# -- reports as a table --------------------------------------------------------------------------
def _watch_reports(session: Session) -> None:
    reports = session.system.backends.watch()
    if session.json:
        for report in reports:
            session.output.print_json_line(report.model_dump(mode="json"))
        return
    from rich.live import Live

    latest: dict[str, BackendReport] = {}
    with Live(console=session.output.out, auto_refresh=False) as live:
        for report in reports:
            latest[report.backend] = report
            table = session.output.build_table(STATS_COLUMNS, _stats_rows(latest.values()))
            live.update(table, refresh=True)


def _stats_rows(reports: Iterable[BackendReport]) -> list[tuple[object, ...]]:
    """The pools of all backends, as rows of `STATS_COLUMNS`."""
    return [row for report in reports for row in _report_rows(report)]


def _report_rows(report: BackendReport) -> Iterator[tuple[object, ...]]:
    status = "up" if report.reason is None else "down"
    capabilities = report.capabilities
    if capabilities is None or not capabilities.pools:
        yield report.backend, status, *[None] * 6, report.at, report.reason
        return
    servers = capabilities.driver_handles_share_servers
    for pool in capabilities.pools:
        yield report.backend, status, *_capacity(pool), servers, report.at, report.reason


def _capacity(pool: Pool) -> tuple[object, ...]:
    gib = (pool.free_capacity_gib, pool.total_capacity_gib, pool.allocated_capacity_gib)
    texts = (word if isinstance(word, str) else f"{word:.1f}" for word in gib)
    return pool.name, *texts, pool.thin_provisioning
