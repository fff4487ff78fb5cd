"""Arguments and options that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, get_args

import typer

from share_actors.actors.messaging.parameters import seconds
from share_actors.cli.command import choices
from share_actors.cli.output import Table
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest
from share_actors.values import AsOf, Protocol

PAGE_SIZE = 1000

ShareArgument = Annotated[str, typer.Argument(metavar="SHARE", help="Id or name of the share.")]
OptionalShareArgument = Annotated[
    str | None,
    typer.Argument(metavar="SHARE", help="Id or name of the share; required without --from."),
]
SnapshotArgument = Annotated[
    str, typer.Argument(metavar="SNAPSHOT", help="Id or name of the snapshot.")
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
    str | None, typer.Option("--name", help="Set a name. Names need not be unique.")
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


ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why it is forgotten; recorded with your user.")
]


def check_seconds(value: float) -> float:
    """*value*, before the command does anything; raises `typer.BadParameter` for no number of seconds."""
    return _checked("timeout", value)


def check_wait(value: float) -> float:
    """The same for how long to wait for the catalog."""
    return _checked("wait", value)


def _checked(field: str, value: float) -> float:
    try:
        return seconds(field, value)
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
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        callback=check_wait,
        help="While the catalog catches up with the log, wait this long for a complete list.",
    ),
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


class End(NamedTuple):
    """Where a list ends: the marker of the next page, and how far it is if it is not whole."""

    marker: str | None
    as_of: AsOf | None = None

    def document(self) -> dict[str, Any]:
        """The end of a list in JSON."""
        as_of = None if self.as_of is None else self.as_of._asdict()
        return {"next_marker": self.marker, "as_of": as_of}


def fetch_pages(
    list_page: Callable[..., Any], limit: int, marker: str | None, all_pages: bool, **filters: Any
) -> tuple[list[Any], End]:
    """One page, or with *all_pages* every page from *marker* on; and where the list ends."""
    items: list[Any] = []
    as_of: AsOf | None = None  # of the first page that is not whole: the later ones may be
    while True:
        page = list_page(limit=PAGE_SIZE if all_pages else limit, marker=marker, **filters)
        items += page.items
        marker, as_of = page.next_marker, as_of or page.as_of
        if marker is None or not all_pages:
            return items, End(marker, as_of)


_WAITING = "--wait SECONDS waits for it"


def print_as_of(session: Session, as_of: AsOf | None, advice: str = _WAITING) -> None:
    """Print how far a list is, if it is not whole, with *advice*."""
    if as_of is not None:
        session.output.print_message(
            f"As of event {as_of.applied} of {as_of.head}: the catalog is catching up with the log;"
            f" {advice}."
        )


def print_page(
    session: Session,
    table: Table,
    items: Sequence[Any],
    document: Callable[[list[Any]], Any],
    end: End,
) -> None:
    """Print a page of *items* as *table*, or that there are none; how far they are, and how to go on."""
    output = session.output
    if output.as_json:
        output.print_items(table, items, lambda found: {**document(found), **end.document()})
        return
    print_as_of(session, end.as_of)
    if items or not output.view.is_for_people:
        output.print_items(table, items, lambda found: {**document(found), **end.document()})
    else:
        output.print_message(f"No {table.noun}s.")
    if end.marker is not None:
        output.print_message(
            f"There are more: continue with --marker {end.marker}, or use --all."
            + (" Only this page is sorted." if output.view.sort else "")
        )
