"""The caller of an operation: a project, and the role that its context gives."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from share_actors.values import RequestContext
from share_actors.wire import sent_as_order


class Role(IntEnum):
    """The role of a caller. Each implies those before it, as in Keystone."""

    READER = 1
    MEMBER = 2
    ADMIN = 3
    SYSTEM_ADMIN = 4

    @property
    def label(self) -> str:
        """The role in messages: `reader`, `member`, `admin` or `system admin`."""
        return self.name.lower().replace("_", " ")


_ROLES = {role.label: role for role in (Role.READER, Role.MEMBER, Role.ADMIN)}


@sent_as_order
class Caller(NamedTuple):
    """On whose behalf something is asked or done."""

    project_id: str
    role: Role

    @property
    def is_system_admin(self) -> bool:
        """Whether the caller may do everything, in every project."""
        return self.role is Role.SYSTEM_ADMIN


def caller_of(context: RequestContext) -> Caller:
    """The caller that *context* describes; it is believed."""
    role = Role.SYSTEM_ADMIN if context.is_admin else _role_in(context.roles)
    return Caller(context.project_id, role)


def _role_in(names: Iterable[str]) -> Role:
    """The greatest role among *names*, which are compared without case.

    A context without roles is an admin's of its project: such contexts existed before roles were looked at.
    One with other roles only is a member's, as by Manila's rule `admin_or_owner`.
    """
    given = [name.casefold() for name in names]
    if not given:
        return Role.ADMIN
    return max((_ROLES[name] for name in given if name in _ROLES), default=Role.MEMBER)
