"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

AT_ONCE = 1000


Name = Annotated[str, typer.Argument(metavar="SHARE", help="The share's id or name.")]


NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Return once the request is recorded and durable.")
]


Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait; the work goes on after.")
]  # fmt: skip


def patience(no_wait: bool, timeout: float) -> float | None:
    """How long to wait for the outcome; None for not at all."""
    return None if no_wait else timeout


def number(text: str) -> int | float | str:
    """*text* as the number that it is; whether that makes sense is for the share to judge."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def pairs(items: list[str]) -> dict[str, str]:
    """`K=V` items as a mapping; raises `InvalidRequest`."""
    for item in items:
        if "=" not in item:
            raise InvalidRequest(
                f"metadata: {item!r} is not KEY=VALUE", field="metadata", value=item
            )
    return {key: value for key, _, value in (item.partition("=") for item in items)}


def pages(
    ask: Callable[..., Any], limit: int, marker: str | None, everything: bool, **filters: Any
) -> tuple[list[Any], str | None]:
    """One page, or all that follow from *marker*; and the marker of what is left."""
    found: list[Any] = []
    while True:
        page = ask(limit=AT_ONCE if everything else limit, marker=marker, **filters)
        found += page.items
        marker = page.next_marker
        if marker is None or not everything:
            return found, marker


def listed(
    session: Session, noun: str, columns: tuple[str, ...], rows: list[Any], marker: str | None
) -> None:
    """A table, or that there is nothing; and how to see the rest."""
    if rows:
        session.output.table(columns, rows)
    else:
        session.output.note(f"No {noun}s.")
    if marker is not None:
        session.output.note(f"There are more: --marker {marker}, or --all.")
