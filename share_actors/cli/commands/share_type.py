"""`share-actors type ...`: share types, which name the capabilities that a backend must have."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.options import (
    PAGE_SIZE,
    DescriptionOption,
    TypeArgument,
    WaitOption,
    fetch_pages,
    parse_pairs,
    print_page,
)
from share_actors.cli.rendering import (
    entity_document,
    format_pairs,
    print_history,
    print_one,
)
from share_actors.cli.requesting import CommandIdOption
from share_actors.cli.session import Session
from share_actors.cli.tables import HISTORY, TYPES
from share_actors.values import ShareType

_SpecsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--spec",
        metavar="KEY=VALUE",
        help="Require this capability, such as thin_provisioning='<is> True'; repeatable.",
    ),
]
_ProjectsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--project-access", metavar="PROJECT", help="Allow only this project; repeatable."
    ),
]


@command(
    "type create",
    table=TYPES,
    examples=[
        "type create gold --spec driver_handles_share_servers=False --spec 'iops=>= 900'",
        "type create private --spec driver_handles_share_servers=True --project-access physics",
    ],
)
def create(
    session: Session,
    name: TypeArgument,
    spec: _SpecsOption = None,
    description: DescriptionOption = None,
    projects: _ProjectsOption = None,
    command_id: CommandIdOption = None,
) -> None:
    """Create a share type. The spec driver_handles_share_servers is required."""
    share_type = session.system.types.create(
        name,
        parse_pairs(spec, "spec"),
        description=description,
        is_public=not projects,
        projects=tuple(projects or ()),
        command_id=command_id,
    )
    _print_type(session, share_type)


@command("type list", table=TYPES, examples=["type list"])
def list_types(session: Session, wait: WaitOption = 0.0) -> None:
    """List share types."""
    share_types, end = fetch_pages(
        session.system.types.list, PAGE_SIZE, None, True, wait=wait, status="active"
    )
    print_page(session, TYPES, share_types, _list_document, end)


def _list_document(share_types: list[ShareType]) -> dict[str, Any]:
    return {"types": [entity_document(share_type) for share_type in share_types]}


@command("type show", table=TYPES, examples=["type show gold"])
def show(session: Session, name: TypeArgument) -> None:
    """Show a share type."""
    _print_type(session, session.system.types.get(name))


@command(
    "type change",
    table=TYPES,
    examples=["type change gold --spec 'iops=>= 500' --unset thin_provisioning"],
)
def change(
    session: Session,
    name: TypeArgument,
    spec: _SpecsOption = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove this spec; repeatable.")
    ] = None,
    projects: _ProjectsOption = None,
    public: Annotated[bool, typer.Option("--public", help="Allow all projects again.")] = False,
    command_id: CommandIdOption = None,
) -> None:
    """Change the specs and projects of a share type. Existing shares do not change."""
    specs = {**parse_pairs(spec, "spec"), **dict.fromkeys(unset or ())}
    changes: dict[str, Any] = {"extra_specs": specs}
    if public or projects:
        changes |= {"is_public": public, "projects": () if public else tuple(projects or ())}
    _print_type(session, session.system.types.change(name, command_id=command_id, **changes))


@command("type delete", table=TYPES, examples=["type delete gold"])
def delete(session: Session, name: TypeArgument, command_id: CommandIdOption = None) -> None:
    """Delete a share type. Existing shares keep it; new ones cannot use it."""
    session.system.types.delete(name, command_id=command_id)
    if session.json:
        session.output.print_json({"id": name, "status": "deleted"})
    else:
        session.output.print_message(f"Share type [bold]{name}[/] deleted.")


@command("type history", table=HISTORY, examples=["type history gold"])
def history(session: Session, name: TypeArgument) -> None:
    """Show all events of a share type."""
    print_history(session, session.system.types.history(name))


def _print_type(session: Session, share_type: ShareType) -> None:
    specs = format_pairs(share_type.extra_specs)
    print_one(session, TYPES, share_type, omit=("extra_specs",), extra_specs=specs)
