"""`share-actors whoami`: on whose behalf the commands make requests, and what the role permits."""

from __future__ import annotations

from typing import Any

from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.policy import Caller, Role, caller_of

_MAY = {
    Role.READER: "see what belongs to the project, and public shares",
    Role.MEMBER: "see and change what belongs to the project",
    Role.ADMIN: "see and change what belongs to the project, and create public shares",
    Role.SYSTEM_ADMIN: "see and change everything, in every project",
}


@command("whoami", examples=["whoami", "--project web --role reader whoami --json"])
def whoami(session: Session) -> None:
    """Show the user, project and role of your requests, and what they may do.

    By default you are the operator, who administers the system. With `--project` or `--role` you act for a
    project only. No system has to be running.
    """
    context = session.context
    caller = caller_of(context)
    if session.json:
        session.output.print_json(context.model_dump(include=_SHOWN) | _document(caller))
        return
    fields = {"user": context.user_id, "project": context.project_id, "role": caller.role.label}
    session.output.print_fields(fields | {"may": _MAY[caller.role]})


_SHOWN = {"user_id", "project_id", "roles", "is_admin"}


def _document(caller: Caller) -> dict[str, Any]:
    return {"role": caller.role.label, "may": _MAY[caller.role]}
