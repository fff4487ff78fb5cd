"""The decisions: whether a caller may see an entity, and whether it may do an operation on it."""

from __future__ import annotations

from typing import TypeVar

from share_actors.errors import NOT_RECORDED, Forbidden
from share_actors.policy.callers import Caller, Role
from share_actors.policy.owners import Owner
from share_actors.policy.table import OPERATIONS
from share_actors.values import Share, ShareType

T = TypeVar("T")


def owns(caller: Caller, owner: Owner) -> bool:
    """Whether the caller's project owns the entity; nobody's project owns what is the system's."""
    return bool(owner.project_id) and owner.project_id == caller.project_id


def may_read(caller: Caller, owner: Owner) -> bool:
    """Whether the entity exists for the caller. One that may not read it gets `NotFound`."""
    if caller.is_system_admin or owns(caller, owner) or owner.is_public:
        return True
    return caller.project_id in owner.readers


def is_permitted(operation: str, caller: Caller, owner: Owner | None = None) -> bool:
    """Whether *caller* may do *operation* on what *owner* has; None: on nothing that exists yet."""
    if caller.is_system_admin:
        return True
    has_role = caller.role >= OPERATIONS.get(operation, Role.SYSTEM_ADMIN)
    return has_role and (owner is None or owns(caller, owner))


def check_role(operation: str, caller: Caller) -> None:
    """Raise `Forbidden` unless the role of *caller* allows *operation* at all."""
    if not is_permitted(operation, caller):
        raise not_permitted(operation, caller)


def not_permitted(operation: str, caller: Caller) -> Forbidden:
    """The error for an operation on what the caller may read."""
    needed = OPERATIONS.get(operation, Role.SYSTEM_ADMIN)
    who = f"{_article(caller.role)} of project {caller.project_id}"
    if caller.role >= needed:
        whose = "others than its owner may only read it"
    else:
        scope = "" if needed is Role.SYSTEM_ADMIN else " of its project"
        whose = f"it takes the role {needed.label}{scope}"
    return Forbidden(
        f"{operation}: not permitted to {who}: {whose}{NOT_RECORDED}",
        field="context",
        value=caller.role.label,
        operation=operation,
    )


def _article(role: Role) -> str:
    return f"an {role.label}" if role is Role.ADMIN else f"a {role.label}"


def shown_to(caller: Caller, entity: T, owner: Owner) -> T:
    """*entity*, which the caller may read, without the parts that only its owner may see.

    Of a public share other projects see no rules and snapshots, of a type only their own project. Export
    locations for administrators are shown to those of the system.
    """
    if caller.is_system_admin:
        return entity
    shown: Share | ShareType
    match entity:
        case Share():
            shown = _share_shown(entity, whole=owns(caller, owner))
        case ShareType():
            shown = entity.replace(
                projects=tuple(p for p in entity.projects if p == caller.project_id)
            )
        case _:
            return entity
    return shown  # type: ignore[return-value]


def _share_shown(share: Share, *, whole: bool) -> Share:
    locations = tuple(path for path in share.export_locations if not path.is_admin_only)
    if whole:
        return (
            share
            if locations == share.export_locations
            else share.replace(export_locations=locations)
        )
    return share.replace(export_locations=locations, access_rules=(), snapshots=(), locks=())
