"""Who may do what: the only place that decides it. Pure functions of a caller, an operation and an owner.

The roles and the defaults are Manila's: readers, members and administrators of a project, and the
administrators of the system. Entities ask for every command, the manager and the catalog for every question.
"""

from __future__ import annotations

from share_actors.policy.callers import Caller, Role, caller_of
from share_actors.policy.decisions import (
    check_role,
    is_permitted,
    may_read,
    not_permitted,
    owns,
    shown_to,
)
from share_actors.policy.owners import Owner, owner_of
from share_actors.policy.table import COMMANDS, CREATIONS, INTERNAL, OPERATIONS, QUESTIONS

__all__ = [
    "COMMANDS",
    "CREATIONS",
    "Caller",
    "INTERNAL",
    "OPERATIONS",
    "Owner",
    "QUESTIONS",
    "Role",
    "caller_of",
    "check_role",
    "is_permitted",
    "may_read",
    "not_permitted",
    "owner_of",
    "owns",
    "shown_to",
]
