"""`share-actors backend audit`: what differs between a backend and the log, and acting on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from share_actors.cli.command import command
from share_actors.cli.options import BackendArgument, TimeoutOption, set_fields
from share_actors.cli.output import Column, Table, escape
from share_actors.cli.output.columns import WIDE
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from share_actors.audit.backend_audit import BackendDifference

DIFFERENCES = Table(
    "difference",
    (
        Column("DIFFERENCE", "kind", "word", 1, shown=lambda one: one.kind.replace("_", " ")),
        Column("OF", "of", "word", 3),
        Column("ID", "id", "id", 0, shown=lambda one: one.id or one.location),
        Column("RECORDED", "recorded", "text", 2),
        Column("ON THE BACKEND", "found", "text", 2),
        Column("LOCATION", "location", "path", WIDE),
    ),
    identity=None,
)
REAPPLIED = ("size", "rules", "rules_on_file", "exports")


class Act(NamedTuple):
    """Something to do about a difference: *what* in words, and how."""

    act: str
    difference: BackendDifference
    what: str
    carry_out: Callable[[], Any]


DeleteUnknownOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID_OR_LOCATION",
        help="Delete this share or snapshot that only the backend has; repeatable.",
    ),
]
AdoptOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID_OR_LOCATION",
        help="Manage this share that only the backend has; repeatable.",
    ),
]
ReapplyOption = Annotated[
    bool, typer.Option("--reapply", help="Apply the recorded state of each share that differs.")
]
ApplyOption = Annotated[
    bool, typer.Option("--apply", help="Make the changes. Default: show what would be done.")
]


@command(
    "backend audit",
    table=DIFFERENCES,
    examples=[
        "backend audit fast",
        "backend audit fast --json",
        "backend audit fast --reapply",
        "backend audit fast --delete-unknown SHARE_ID --apply",
        "backend audit fast --adopt /srv/shares/old --apply",
    ],
)
def audit(
    session: Session,
    backend: BackendArgument,
    delete_unknown: DeleteUnknownOption = None,
    adopt: AdoptOption = None,
    reapply: ReapplyOption = False,
    apply: ApplyOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Compare what is on a backend with the log, and show every difference.

    Shows shares and snapshots that exist only on one side, and sizes, access rules and exports that differ.
    Shares that change meanwhile are left out. Nothing is changed without --apply: each difference has the
    command that fixes it. Changes are recorded in the history of each share.
    """
    differences = session.system.backends.audit(backend)
    if not (delete_unknown or adopt or reapply):
        if apply:
            text = "apply: name what to apply: --delete-unknown, --adopt or --reapply"
            raise InvalidRequest(text, field="apply", value=True)
        _print_differences(session, backend, differences)
        return
    planned = [
        *(_deletion(session, backend, differences, i, timeout) for i in delete_unknown or ()),
        *(_adoption(session, backend, differences, i, timeout) for i in adopt or ()),
        *(_reapplications(session, differences, timeout) if reapply else ()),
    ]
    _carry_out(session, backend, planned, apply)


def _print_differences(
    session: Session, backend: str, differences: Sequence[BackendDifference]
) -> None:
    if not differences and session.output.view.is_for_people:
        session.output.print(f"Backend {escape(backend)} has what the log has.")
        return
    session.output.print_items(
        DIFFERENCES,
        differences,
        lambda found: {
            "backend": backend,
            "differences": [difference.model_dump(mode="json") for difference in found],
        },
    )
    for step in dict.fromkeys(difference.next_step for difference in differences):
        session.output.print_message(escape(step))


# -- acts ----------------------------------------------------------------------------------------
def _deletion(
    session: Session,
    backend: str,
    differences: Sequence[BackendDifference],
    share_id: str,
    timeout: float,
) -> Act:
    found = _unknown(backend, differences, share_id, of=("share", "snapshot"))
    delete = session.system.backends.delete_unknown
    return Act(
        "delete_unknown",
        found,
        f"delete {found.location}{_size(found)} from backend {backend}, with its content",
        lambda: delete(backend, share_id, timeout=timeout),
    )


def _adoption(
    session: Session,
    backend: str,
    differences: Sequence[BackendDifference],
    named: str,
    timeout: float,
) -> Act:
    found = _unknown(backend, differences, named)
    manage = session.system.manage_share
    on_server = set_fields(share_server_id=found.share_server_id)
    return Act(
        "adopt",
        found,
        f"manage {found.location}{_size(found)} on backend {backend} as a share",
        lambda: manage({"path": found.location}, backend=backend, timeout=timeout, **on_server),
    )


def _reapplications(
    session: Session, differences: Sequence[BackendDifference], timeout: float
) -> list[Act]:
    """One act for each share of which something differs."""
    by_id = {d.id: d for d in differences if d.kind in REAPPLIED and d.id is not None}
    return [
        Act(
            "reapply",
            found,
            f"apply what is recorded of share {share_id} to the backend again",
            partial(_reapply, session, share_id, timeout),
        )
        for share_id, found in by_id.items()
    ]


def _reapply(session: Session, share_id: str, timeout: float) -> None:
    session.system.share(share_id).reapply(timeout=timeout)


def _unknown(
    backend: str,
    differences: Sequence[BackendDifference],
    named: str,
    of: Sequence[str] = ("share",),
) -> BackendDifference:
    """What is unknown, and one of these kinds, of this id or location; raises `NotFound`."""
    for found in differences:
        if found.is_unknown_as(named) and found.of in of:
            return found
    text = f"no {' or '.join(of)} {named!r} is unknown on backend {backend!r};"
    text += f" `backend audit {backend}` lists them"
    raise NotFound(text, field="id", value=named)


def _size(found: BackendDifference) -> str:
    return "" if found.size is None else f" ({found.size} GiB)"


def _carry_out(session: Session, backend: str, planned: Sequence[Act], apply: bool) -> None:
    """Do or show what is *planned*, one after the other; the first failure ends it."""
    done = []
    for act in planned:
        if apply:
            act.carry_out()
        done.append({"act": act.act, "id": act.difference.id, "location": act.difference.location})
        if not session.json:
            session.output.print_message(escape(f"{'Done' if apply else 'Would'}: {act.what}."))
    if session.json:
        session.output.print_json({"backend": backend, "applied": apply, "acts": done})
    elif not planned:
        session.output.print_message(
            f"Nothing of backend {escape(backend)} is to be applied again."
        )
    elif not apply:
        session.output.print_message("Dry run: nothing was changed. Repeat it with --apply.")
