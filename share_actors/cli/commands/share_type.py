"""`share-actors type ...`: share types, by which shares ask for what a backend must be able to do."""

from __future__ import annotations

from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.options import listed, pages
from share_actors.cli.rendering import entity_document, show_fields, show_history
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import Commands
from share_actors.errors import InvalidRequest
from share_actors.values import ShareType

app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Share types: what a share can be asked for by name."
)
Type = Annotated[str, typer.Argument(metavar="TYPE", help="Its name.")]
Specs = Annotated[
    list[str] | None,
    typer.Option("--spec", metavar="KEY=VALUE", help="Such as thin_provisioning='<is> True'; several."),
]  # fmt: skip
Projects = Annotated[
    list[str] | None, typer.Option("--project-access", metavar="PROJECT", help="Only these; several.")
]  # fmt: skip


def _specs(items: list[str] | None) -> dict[str, str]:
    for item in items or ():
        if "=" not in item:
            raise InvalidRequest(f"spec: {item!r} is not KEY=VALUE", field="spec", value=item)
    return {key: value for key, _, value in (item.partition("=") for item in items or ())}


@command(
    app, "create",
    examples=[
        "type create gold --spec driver_handles_share_servers=False --spec 'iops=>= 900'",
        "type create private --spec driver_handles_share_servers=True --project-access physics",
    ],
)  # fmt: skip
def create(
    session: Session,
    name: Type,
    spec: Specs = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    projects: Projects = None,
) -> None:
    """Create a share type. It must say driver_handles_share_servers=True or False."""
    made = session.system.types.create(
        name, _specs(spec), description=description, is_public=not projects,
        projects=tuple(projects or ()),
    )  # fmt: skip
    _show(session, made)


@command(app, "list", examples=["type list"])
def list_types(session: Session) -> None:
    """List share types."""
    found, marker = pages(session.system.types.list, 1000, None, True, status="active")
    if session.json:
        told = [entity_document(kind) for kind in found]
        session.output.document({"types": told, "next_marker": marker})
        return
    rows = [(t.id, _told(t.extra_specs), t.is_public, ", ".join(t.projects)) for t in found]
    listed(session, "share type", ("NAME", "SPECS", "PUBLIC", "PROJECTS"), rows, marker)


@command(app, "show", examples=["type show gold"])
def show(session: Session, name: Type) -> None:
    """Show a share type."""
    _show(session, session.system.types.get(name))


@command(
    app, "change", examples=["type change gold --spec 'iops=>= 500' --unset thin_provisioning"]
)
def change(
    session: Session,
    name: Type,
    spec: Specs = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take this spec away; several.")
    ] = None,
    projects: Projects = None,
    public: Annotated[bool, typer.Option("--public", help="For everybody again.")] = False,
) -> None:
    """Change what a share type asks for, and who may use it. Shares that there are stay."""
    changes: dict[str, object] = {"extra_specs": {**_specs(spec), **dict.fromkeys(unset or ())}}
    if public or projects:
        changes |= {"is_public": public, "projects": () if public else tuple(projects or ())}
    _show(session, session.system.types.change(name, **changes))


@command(app, "delete", examples=["type delete gold"])
def delete(session: Session, name: Type) -> None:
    """Delete a share type: no more shares are made of it, and those that there are stay."""
    session.system.types.delete(name)
    if session.json:
        session.output.document({"id": name, "status": "deleted"})
    else:
        session.output.note(f"Share type [bold]{name}[/] deleted.")


@command(app, "history", examples=["type history gold"])
def history(session: Session, name: Type) -> None:
    """Tell all that ever happened to a share type."""
    show_history(session, session.system.types.history(name))


def _told(specs: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in specs.items())


def _show(session: Session, kind: ShareType) -> None:
    if session.json:
        session.output.document(entity_document(kind))
    else:
        show_fields(session, kind.replace(extra_specs={}), extra_specs=_told(kind.extra_specs))
