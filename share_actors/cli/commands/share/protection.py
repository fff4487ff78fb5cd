"""`share-actors share lock`, `unlock` and `restore`: protection of shares against deletion by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.share.outcome import change_shares, print_outcome
from share_actors.cli.options import (
    NoWaitOption,
    ShareArgument,
    TimeoutOption,
    outcome_timeout,
)
from share_actors.cli.requesting import (
    CommandIdOption,
    Sending,
    SharesArgument,
    meant_share,
)
from share_actors.cli.session import Session
from share_actors.cli.tables import LOCKS, SHARES
from share_actors.errors import InvalidRequest
from share_actors.values.checks.durations import DURATION, parse_duration

if TYPE_CHECKING:
    from share_actors.client.keywords import RequestOptions

AfterOption = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="DURATION",
        help="Keep the share for this long, such as 7d or 36h; `share restore` brings it back.",
    ),
]
NowOption = Annotated[
    bool,
    typer.Option("--now", help="Delete it at once, also if its share type has a grace period."),
]
_AdminOption = Annotated[
    bool, typer.Option("--admin", help="As an administrator: members cannot remove the lock.")
]


def grace(text: str | None) -> timedelta | None:
    """The grace period that *text* means; raises `InvalidRequest`."""
    if text is None:
        return None
    found = parse_duration(text)
    if found is None or found <= timedelta(0):
        raise InvalidRequest(f"after: {text!r} is not {DURATION}", field="after", value=text)
    return found


@command("share restore", table=SHARES, examples=["share restore data"])
def restore(
    session: Session,
    shares: SharesArgument,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Cancel the deletion of shares during their grace period; they are as before.

    Give the id of a share if another one has its name by now.
    """
    sending = Sending("restored", outcome_timeout(no_wait, timeout), command_id)
    change_shares(session, shares, lambda h, o: h.restore(**o), sending)


@command(
    "share lock",
    table=LOCKS,
    examples=[
        'share lock data --reason "used by the payroll"',
        "share lock data --rule RULE_ID",
        "share lock data --admin",
    ],
)
def lock(
    session: Session,
    share: ShareArgument,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="RULE_ID", help="Lock this access rule against removal."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; everyone who is refused is told.")
    ] = None,
    admin: _AdminOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Lock a share against deletion, or one of its access rules against removal.

    A share with a locked rule cannot be deleted either. `share show` lists the locks.
    """
    handle = meant_share(session, share, command_id)
    options: RequestOptions = {"timeout": timeout, "command_id": command_id}
    made = handle.lock(reason, rule=rule, by_admin=admin, **options)
    session.output.print_items(
        LOCKS, [made], lambda locks: {**locks[0].model_dump(mode="json"), "share_id": handle.id}
    )


@command("share unlock", table=SHARES, examples=["share unlock data LOCK_ID"])
def unlock(
    session: Session,
    share: ShareArgument,
    lock_id: Annotated[
        str, typer.Argument(metavar="LOCK_ID", help="Id of the lock; see `share show SHARE`.")
    ],
    admin: Annotated[
        bool, typer.Option("--admin", help="Also remove a lock that an administrator set.")
    ] = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Remove a lock of a share or of one of its access rules."""
    handle = meant_share(session, share, command_id)
    handle.unlock(lock_id, by_admin=admin, wait=False, command_id=command_id)
    print_outcome(session, handle, timeout, "unlocked")
