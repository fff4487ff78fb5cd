"""`share-actors share manage` and `unmanage`: existing data on a backend, as a share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.options import IdOption
from share_actors.cli.commands.share.outcome import change_shares, print_outcome
from share_actors.cli.options import (
    NameOption,
    NoWaitOption,
    ProtocolOption,
    TimeoutOption,
    outcome_timeout,
    parse_pairs,
    set_fields,
)
from share_actors.cli.requesting import CommandIdOption, Sending, SharesArgument
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES

_BackendOption = Annotated[
    str | None, typer.Option(help="Backend that has it. Default: the default backend.")
]
_TypeOption = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Share type, which the backend must meet."),
]
_ServerOption = Annotated[
    str | None,
    typer.Option(help="Share server that has it, on a backend that handles share servers."),
]


@command(
    "share manage",
    table=SHARES,
    examples=[
        "share manage --option path=old/projects --backend local --name projects --dry-run",
        "share manage --option path=old/projects --backend local --name projects",
    ],
)
def manage(
    session: Session,
    option: Annotated[
        list[str],
        typer.Option(metavar="KEY=VALUE", help="Driver option that locates it; repeatable."),
    ],
    backend: _BackendOption = None,
    name: NameOption = None,
    protocol: ProtocolOption = "NFS",
    share_type: _TypeOption = None,
    server: _ServerOption = None,
    share_id: IdOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be managed and change nothing.")
    ] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Manage existing data on a backend as a share.

    A failure leaves the share in manage_error with the reason; `share retry` or `share unmanage`
    ends that state.
    """
    options = parse_pairs(option, "option")
    fields = set_fields(
        backend=backend,
        name=name,
        protocol=protocol,
        share_type=share_type,
        share_server_id=server,
    )
    if dry_run:
        _print_preview(session, session.system.preview_manage(options, **fields))
        return
    share = session.system.manage_share(
        options, wait=False, command_id=command_id, **fields, **set_fields(share_id=share_id)
    )
    print_outcome(session, share, outcome_timeout(no_wait, timeout), "managed")


def _print_preview(session: Session, preview: Mapping[str, Any]) -> None:
    if session.json:
        session.output.print_json(preview)
    else:
        session.output.print_message("Dry run: this would be managed; nothing was changed.")
        session.output.print_fields({**preview, "size": f"{preview.get('size')} GiB"})


@command("share unmanage", table=SHARES, examples=["share unmanage projects"])
def unmanage(
    session: Session,
    shares: SharesArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Stop managing shares and leave their data in place. The history is kept."""
    done = "unmanaged; data left in place"
    sending = Sending(done, outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.unmanage(**o), sending)
