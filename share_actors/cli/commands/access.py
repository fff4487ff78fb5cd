"""`share-actors access ...`: who may use a share."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.options import Name, NoWait, Timeout, listed, patience
from share_actors.cli.rendering import RULE, rule_row
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.values import AccessLevel, AccessType

app = typer.Typer(cls=Commands, no_args_is_help=True, help="Access rules: who may use a share.")


@command(
    app, "allow",
    examples=["access allow data --to alice", "access allow data --type ip --to 10.0.0.0/24 --level ro"],
)  # fmt: skip
def allow(
    session: Session,
    share: Name,
    to: Annotated[str, typer.Option(help="A user, a CIDR, a certificate's name or a ceph id.")],
    kind: Annotated[
        str,
        typer.Option("--type", help="What --to is.", autocompletion=choices(*get_args(AccessType))),
    ] = "user",
    level: Annotated[
        str,
        typer.Option(
            help="Read and write, or read only.", autocompletion=choices(*get_args(AccessLevel))
        ),
    ] = "rw",
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Let somebody use a share. The same rule twice is one rule."""
    found = session.system.share(share)
    rule = found.allow_access(to, type=kind, level=level, wait=False)
    receipt = session.finish(found, patience(no_wait, timeout))
    rule = next((r for r in found.access_rules if r.id == rule.id), rule)
    if session.json:
        told = rule.model_dump(mode="json")
        session.output.document({**told, "share_id": found.id, "receipt": receipt})
    else:
        session.output.table(RULE, [rule_row(rule)])


@command(app, "deny", examples=["access deny data RULE_ID"])
def deny(
    session: Session,
    share: Name,
    rule: Annotated[str, typer.Argument(metavar="RULE_ID", help="See `access list SHARE`.")],
    no_wait: NoWait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Take an access rule away."""
    found = session.system.share(share)
    found.deny_access(rule, wait=False)
    receipt = session.finish(found, patience(no_wait, timeout))
    if session.json:
        session.output.document({"id": rule, "share_id": found.id, "receipt": receipt})
    else:
        done = "will be taken away" if no_wait else "taken away"
        session.output.note(f"Access rule [bold]{rule}[/] {done}.")


@command(app, "list", examples=["access list data"])
def list_rules(session: Session, share: Name) -> None:
    """List a share's access rules, each with its own state and reason."""
    rules = session.system.share(share).access_rules
    if session.json:
        session.output.document({"rules": [rule.model_dump(mode="json") for rule in rules]})
    else:
        listed(session, "access rule", RULE, [rule_row(rule) for rule in rules], None)
