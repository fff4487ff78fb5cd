"""`share-actors access ...`: access rules of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

import typer

from share_actors.cli import batch
from share_actors.cli.batch import BatchIdOption, FromOption
from share_actors.cli.command import choices, command
from share_actors.cli.commands.share.batch_kinds import ALLOWANCES
from share_actors.cli.options import (
    NoWaitOption,
    OptionalShareArgument,
    ShareArgument,
    TimeoutOption,
    outcome_timeout,
)
from share_actors.cli.rendering import rule_document
from share_actors.cli.requesting import CommandIdOption, meant_share
from share_actors.cli.session import Session
from share_actors.cli.snapshots import (
    DeniedClientOption,
    DeniedRuleArgument,
    DeniedTypeOption,
    RuleName,
    denied_rule,
)
from share_actors.cli.tables import RULES
from share_actors.client import ShareHandle
from share_actors.values import AccessLevel, AccessRule, AccessType

_LevelOption = Annotated[
    str,
    typer.Option(
        help="Allow reading and writing (rw), or reading only (ro).",
        autocompletion=choices(*get_args(AccessLevel)),
    ),
]
_KindOption = Annotated[
    str,
    typer.Option("--type", help="Type of --to.", autocompletion=choices(*get_args(AccessType))),
]


@command(
    "access allow",
    table=RULES,
    examples=[
        "access allow data --to alice",
        "access allow data --type ip --to 10.0.0.0/24 --level ro",
        "access allow --from rules.csv",
    ],
)
def allow(
    session: Session,
    share: OptionalShareArgument = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="User, IP address or CIDR, certificate's common name, or cephx id;"
            " required without --from."
        ),
    ] = None,
    kind: _KindOption = "user",
    level: _LevelOption = "rw",
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Allow access to a share, or by each line of a file. Repeating an existing rule changes nothing."""
    chosen = {
        "--command-id": command_id,
        "--type": kind if kind != "user" else None,
        "--level": level if level != "rw" else None,
    }
    batch.check_options(session, file, batch_id, **{"SHARE": share, "--to": to, **chosen})
    if file is not None:
        batch.run(session, file, ALLOWANCES, batch_id, outcome_timeout(no_wait, timeout))
        return
    to = batch.required(session, "--to", to)
    handle = meant_share(session, batch.required(session, "SHARE", share), command_id)
    rule = handle.allow_access(to, type=kind, level=level, wait=False, command_id=command_id)
    receipt = session.wait_for_outcome(handle, outcome_timeout(no_wait, timeout))
    rule = next((r for r in handle.access_rules if r.id == rule.id), rule)
    added = {"share_id": handle.id, "receipt": receipt}
    session.output.print_items(
        RULES, [rule], lambda rules: {**rules[0].model_dump(mode="json"), **added}
    )


@command(
    "access deny",
    table=RULES,
    examples=["access deny data --to alice", "access deny data RULE_ID"],
)
def deny(
    session: Session,
    share: ShareArgument,
    rule: DeniedRuleArgument = None,
    to: DeniedClientOption = None,
    kind: DeniedTypeOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Remove an access rule from a share, by its client or its id."""
    name = RuleName(rule, to, kind).check()
    handle = meant_share(session, share, command_id)
    rule_id = denied_rule(session, handle, handle.access_rules, name, command_id)
    handle.deny_access(rule_id, wait=False, command_id=command_id)
    print_denied(session, handle, {"id": rule_id, "share_id": handle.id}, no_wait, timeout)


def print_denied(
    session: Session, handle: ShareHandle, ids: Mapping[str, str], no_wait: bool, timeout: float
) -> None:
    """Wait for the removal of the access rule in *ids*, and print its outcome, in JSON with *ids*."""
    receipt = session.wait_for_outcome(handle, outcome_timeout(no_wait, timeout))
    if session.json:
        session.output.print_json({**ids, "receipt": receipt})
    else:
        outcome = "will be removed" if no_wait else "removed"
        session.output.print_message(f"Access rule [bold]{ids['id']}[/] {outcome}.")


@command("access list", table=RULES, examples=["access list data"])
def list_rules(session: Session, share: ShareArgument) -> None:
    """List the access rules of a share, each with its state and reason."""
    print_rules(session, session.system.share(share).access_rules)


def print_rules(session: Session, rules: Sequence[AccessRule]) -> None:
    """Print the access rules of a share or of a snapshot."""
    output = session.output
    if rules or not output.view.is_for_people:
        output.print_items(RULES, rules, _list_document)
    else:
        output.print_message("No access rules.")


def _list_document(rules: list[AccessRule]) -> dict[str, Any]:
    return {"rules": [rule_document(rule) for rule in rules]}
