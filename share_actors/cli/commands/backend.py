"""`share-actors backend ...`: what backends tell of themselves, and going on with other settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live

from share_actors.cli.command import command
from share_actors.cli.rendering import show_history
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands

if TYPE_CHECKING:
    from share_actors.values import BackendReport

app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Backends: what they have, and how they are."
)
Backend = Annotated[str, typer.Argument(metavar="BACKEND", help="Its name in the configuration.")]
COLUMNS = (
    "BACKEND",
    "STATUS",
    "POOL",
    "FREE",
    "TOTAL",
    "ALLOCATED",
    "THIN",
    "SERVERS",
    "TOLD AT",
    "REASON",
)


@command(app, "list", examples=["backend list"])
def list_backends(session: Session) -> None:
    """List backends: their drivers, and whether they answer."""
    told: dict[str, Any] = session.system.status()["manager"].get("backends", {})
    if session.json:
        session.output.document({"backends": told})
        return
    rows = [(n, b["driver"], b["status"], _at(b["at"]), b["reason"]) for n, b in told.items()]
    session.output.table(("BACKEND", "DRIVER", "STATUS", "TOLD AT", "REASON"), rows)
    for name, told_of in told.items():
        for field, why in (told_of.get("wrong") or {}).items():
            session.output.note(f"{name}: what its driver told makes no sense: {field}: {why}")


@command(app, "stats", examples=["backend stats", "backend stats --watch", "backend stats --json"])
def stats(
    session: Session,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show what comes.")] = False,
) -> None:
    """Show what each backend told last of its pools, in GiB. With --watch --json: a line each time."""
    if watch:
        _watch(session)
        return
    told = session.system.backends.stats()
    if session.json:
        session.output.document({n: p.model_dump(mode="json") for n, p in told.items()})
    else:
        session.output.table(COLUMNS, _rows(told.values()))


@command(app, "publish", examples=["backend publish", "backend publish fast"])
def publish(
    session: Session,
    backend: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
) -> None:
    """Have backends asked now, instead of with the next period."""
    told = session.system.backends.publish(backend)
    if session.json:
        session.output.document({n: p.model_dump(mode="json") for n, p in told.items()})
    else:
        session.output.table(COLUMNS, _rows(told.values()))


@command(app, "reload", examples=["--config site.toml backend reload"])
def reload(session: Session) -> None:
    """Go on with the backends as the configuration has them now; what did not change is left alone."""
    told = session.system.backends.reload(session.config)
    if session.json:
        session.output.document(told)
        return
    for what, names in told.items():
        if names:
            session.output.say(f"{what.capitalize()}: {', '.join(names)}.")
    if not any(told.values()):
        session.output.say("No backend changed.")


@command(app, "history", examples=["backend history fast"])
def history(session: Session, backend: Backend) -> None:
    """Tell when a backend came up and fell silent, and what it told that was new."""
    show_history(session, session.system.backends.history(backend))


def _at(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)


# -- a table that stays --------------------------------------------------------------------------
def _watch(session: Session) -> None:
    coming = session.system.backends.watch()
    if session.json:
        for published in coming:
            session.output.line(published.model_dump(mode="json"))
    known: dict[str, BackendReport] = {}
    with Live(console=session.output.out, auto_refresh=False) as live:
        for published in coming:
            known[published.backend] = published
            live.update(session.output.made(COLUMNS, _rows(known.values())), refresh=True)


def _rows(told: Iterable[BackendReport]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for published in told:
        said, status = published.capabilities, "up" if published.reason is None else "down"
        about = (published.at, published.reason)
        if said is None or not said.pools:
            rows.append((published.backend, status, None, None, None, None, None, None, *about))
            continue
        rows += [
            (published.backend, status, p.name, f"{p.free_capacity_gib:.1f}",
             f"{p.total_capacity_gib:.1f}", f"{p.allocated_capacity_gib:.1f}", p.thin_provisioning,
             said.driver_handles_share_servers, *about)
            for p in said.pools
        ]  # fmt: skip
    return rows
