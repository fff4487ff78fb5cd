"""Options of `share create` and of the commands that change a share."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from share_actors.cli.command import choices
from share_actors.cli.options import parse_number
from share_actors.values import Protocol

SizeOption = Annotated[str, typer.Option("--size", metavar="GIB", help="Size in whole GiB.")]
NewSizeOption = Annotated[
    str | None,
    typer.Option("--size", metavar="GIB", help="Size in whole GiB; required without --from."),
]

BackendOption = Annotated[
    str | None,
    typer.Option("--backend", help="Backend to use. Default: chosen by the scheduler."),
]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="Add metadata; repeatable."),
]
FromSnapshotOption = Annotated[
    str | None,
    typer.Option(
        "--from-snapshot", metavar="SNAPSHOT_ID", help="Copy the contents of this snapshot."
    ),
]
NewProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="Export the share with this protocol. Default: NFS, or that of the snapshot's share.",
        autocompletion=choices(*get_args(Protocol)),
    ),
]
IdOption = Annotated[str | None, typer.Option("--id", help="Id of the share. Default: generated.")]
PublicOption = Annotated[
    bool, typer.Option("--public", help="Make the share visible to other projects.")
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--availability-zone", help="Use a backend in this availability zone."),
]
TypeOption = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Use a backend that meets this share type."),
]
NetworkOption = Annotated[
    str | None,
    typer.Option("--network", metavar="NETWORK", help="Use a share server on this share network."),
]
SameHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--same-host", metavar="SHARE_ID", help="Use the same pool as this share; repeatable."
    ),
]
DifferentHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--different-host",
        metavar="SHARE_ID",
        help="Use a different pool than this share; repeatable.",
    ),
]


def share_size(text: str) -> Any:
    """*text* as a number, or unchanged for the share to refuse."""
    return parse_number(text)
