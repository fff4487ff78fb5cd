"""`share-actors share set` and `unset`: the properties of a share that do not concern its backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.options import MetadataOption
from share_actors.cli.commands.share.outcome import change_shares
from share_actors.cli.options import (
    DescriptionOption,
    NameOption,
    TimeoutOption,
    parse_pairs,
)
from share_actors.cli.requesting import CommandIdOption, Sending, SharesArgument
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.client import ShareHandle
    from share_actors.client.keywords import RequestOptions

VisibilityOption = Annotated[
    bool | None,
    typer.Option("--public/--private", help="Let all projects see the share, or its own only."),
]
NoNameOption = Annotated[bool, typer.Option("--name", help="Remove the name.")]
NoDescriptionOption = Annotated[bool, typer.Option("--description", help="Remove the description.")]
KeysOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY", help="Remove this key; repeatable."),
]


@command(
    "share set",
    table=SHARES,
    examples=["share set data --name archive", "share set data --metadata team=web --private"],
)
def set_properties(
    session: Session,
    shares: SharesArgument,
    name: NameOption = None,
    description: DescriptionOption = None,
    metadata: MetadataOption = None,
    public: VisibilityOption = None,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Change the name, the description, the metadata or the visibility of shares.

    Properties that are not given stay. The data and the access rules do not change.
    """
    given = {"name": name, "description": description, "is_public": public}
    if metadata is None and all(value is None for value in given.values()):
        raise _nothing_given("--name, --description, --metadata, --public or --private")
    pairs = parse_pairs(metadata, "metadata")

    def change(share: ShareHandle, options: RequestOptions) -> object:
        return share.set(
            name=name, description=description, is_public=public, metadata=pairs, **options
        )

    change_shares(session, shares, change, Sending("changed", timeout, command_id))


@command(
    "share unset",
    table=SHARES,
    examples=["share unset data --description", "share unset data --metadata team"],
)
def unset_properties(
    session: Session,
    shares: SharesArgument,
    name: NoNameOption = False,
    description: NoDescriptionOption = False,
    metadata: KeysOption = None,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Remove the name, the description or keys of the metadata of shares."""
    if not (name or description or metadata):
        raise _nothing_given("--name, --description or --metadata")
    keys = metadata or ()

    def change(share: ShareHandle, options: RequestOptions) -> object:
        return share.unset(name=name, description=description, metadata=keys, **options)

    change_shares(session, shares, change, Sending("changed", timeout, command_id))


def _nothing_given(options: str) -> InvalidRequest:
    return InvalidRequest(f"nothing to change is given: add {options}", field="options")
