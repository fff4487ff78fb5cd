"""Whether a caller may have a command decided: asked once for every command, by the entity itself.

The entity knows its owner, so that no other look-up is needed, and nothing can change in between.
"""

from __future__ import annotations

from collections.abc import Callable

from share_actors.errors import InvalidRequest, NotFound, Refused
from share_actors.events.decider import Command
from share_actors.policy import (
    COMMANDS,
    CREATIONS,
    Caller,
    check_role,
    is_permitted,
    may_read,
    not_permitted,
    owner_of,
)
from share_actors.values import Frozen


def check_permission(
    command: Command, caller: Caller, entity: Frozen | None, not_found: Callable[[], NotFound]
) -> None:
    """Raise unless *caller* may have *command* decided by *entity*; None: there is none yet.

    Raises what *not_found* makes for an entity that the caller may not read, as if there were none;
    `Forbidden` for one that it may read, or whatever the entity is; and `Refused` for an id that is taken.
    """
    operation = command.operation()
    creates = command.topic in CREATIONS
    if entity is None and command.topic in COMMANDS and not creates:
        raise not_found()
    if caller.is_system_admin:
        return
    if creates or command.topic not in COMMANDS:
        check_role(operation, caller)
    if creates:
        _check_new(command, caller, entity, not_found)
    elif entity is not None:
        owner = owner_of(entity)
        if not may_read(caller, owner):
            raise not_found()
        if not is_permitted(operation, caller, owner):
            raise not_permitted(operation, caller)


def _check_new(
    command: Command, caller: Caller, entity: Frozen | None, not_found: Callable[[], NotFound]
) -> None:
    """Raise unless the new entity is the caller's, and its id is not another project's."""
    project = command.owning_project()
    if project is not None and project != caller.project_id:
        text = f"project_id: {project!r} is not the project of the request, {caller.project_id!r}"
        raise InvalidRequest(text, field="project_id", value=project)
    if entity is not None and owner_of(entity).project_id != caller.project_id:
        entity_id = not_found().value
        raise Refused(
            f"id {entity_id} is in use already: choose another", field="id", value=entity_id
        )
