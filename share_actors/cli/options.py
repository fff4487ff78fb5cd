"""Arguments and options that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from share_actors.actors.messaging.parameters import seconds
from share_actors.cli.command import choices
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest
from share_actors.values import Protocol

PAGE_SIZE = 1000

ShareArgument = Annotated[str, typer.Argument(metavar="SHARE", help="Id or name of the share.")]
OptionalShareArgument = Annotated[
    str | None,
    typer.Argument(metavar="SHARE", help="Id or name of the share; required without --from."),
]
SnapshotArgument = Annotated[
    str, typer.Argument(metavar="SNAPSHOT_ID", help="Id of the snapshot; see `snapshot list`.")
]
NetworkArgument = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Id or name of the share network.")
]
ServerArgument = Annotated[
    str, typer.Argument(metavar="SERVER_ID", help="Id of the share server; see `server list`.")
]
TypeArgument = Annotated[str, typer.Argument(metavar="TYPE", help="Name of the share type.")]
BackendArgument = Annotated[
    str, typer.Argument(metavar="BACKEND", help="Name of the backend in the configuration.")
]

NameOption = Annotated[
    str | None, typer.Option("--name", help="Set a name, which need not be unique.")
]
DescriptionOption = Annotated[
    str | None, typer.Option("--description", help="Set a description for people.")
]
ProtocolOption = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="Export the share with this protocol.",
        autocompletion=choices(*get_args(Protocol)),
    ),
]


def check_seconds(value: float) -> float:
    """*value*, before the command does anything; raises `typer.BadParameter` for no number of seconds."""
    try:
        return seconds("timeout", value)
    except InvalidRequest as error:
        raise typer.BadParameter(error.message) from None


NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Return once the request is recorded and durable.")
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        callback=check_seconds,
        help="Wait this long for the outcome. The work continues after a timeout.",
    ),
]
NameFilter = Annotated[str | None, typer.Option("--name", help="List only those with this name.")]
LimitOption = Annotated[int, typer.Option("--limit", help="Page size, at most 1000.")]
MarkerOption = Annotated[
    str | None, typer.Option("--marker", help="Continue from this marker of the previous page.")
]
AllOption = Annotated[bool, typer.Option("--all", help="List all pages.")]


def outcome_timeout(no_wait: bool, timeout: float) -> float | None:
    """How many seconds to wait for the outcome; None to return at once."""
    return None if no_wait else timeout


def set_fields(**fields: Any) -> dict[str, Any]:
    """Those of *fields* that were given; an empty text is given, an empty list is not."""
    return {k: v for k, v in fields.items() if v not in (None, (), {})}


def parse_number(text: str) -> int | float | str:
    """*text* as a number if it is one; the share validates it."""
    for number_type in (int, float):
        try:
            return number_type(text)
        except ValueError:
            continue
    return text


def parse_pairs(items: list[str] | None, field: str) -> dict[str, str]:
    """`KEY=VALUE` items of the option *field* as a mapping; raises `InvalidRequest`."""
    pairs = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals:
            raise InvalidRequest(f"{field}: {item!r} is not KEY=VALUE", field=field, value=item)
        pairs[key] = value
    return pairs


def fetch_pages(
    list_page: Callable[..., Any], limit: int, marker: str | None, all_pages: bool, **filters: Any
) -> tuple[list[Any], str | None]:
    """One page, or with *all_pages* every page from *marker* on; and the marker of the next page."""
    items: list[Any] = []
    while True:
        page = list_page(limit=PAGE_SIZE if all_pages else limit, marker=marker, **filters)
        items += page.items
        marker = page.next_marker
        if marker is None or not all_pages:
            return items, marker


def print_list(
    session: Session, noun: str, columns: tuple[str, ...], rows: list[Any], marker: str | None
) -> None:
    """Print *rows* as a table, or that there are none; and how to list the next page."""
    if rows:
        session.output.print_table(columns, rows)
    else:
        session.output.print_message(f"No {noun}s.")
    if marker is not None:
        session.output.print_message(
            f"There are more: continue with --marker {marker}, or use --all."
        )
