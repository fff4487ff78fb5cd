"""Ids of requests and of what they create: the id of a new share follows from the id of its command.

A request that was sent with a generated id can therefore be repeated by that id, and creates one thing.
"""

from __future__ import annotations

import re
import time
from os import urandom
from uuid import NAMESPACE_OID, UUID, uuid5

from share_actors.actors.messaging.parameters import command_id as checked
from share_actors.actors.messaging.parameters import new_id
from share_actors.values import RequestContext

DEFAULT_PROJECT = RequestContext().project_id
_VERSION_SHIFT = 76
"""Where the four bits of a UUID's version begin (RFC 9562)."""
_FIXED = (0xF << _VERSION_SHIFT) | (0x3 << 62)
"""The bits of the version and the variant."""
_VARIANT = 0x2 << 62


_GENERATED = re.compile(r"[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}")
"""A generated command id: the digits of a UUID of version 8."""


class FreshId(str):
    """A command id that was generated for a request which is not sent yet."""

    __slots__ = ()


def fresh_id() -> FreshId:
    """A new command id: a UUID of version 8 (RFC 9562) with the milliseconds of now, then random bits."""
    made_at = time.time_ns() // 1_000_000
    return FreshId(_hex(made_at << 80 | int.from_bytes(urandom(10)), 8))


def created_id(command_id: str, project_id: str = DEFAULT_PROJECT) -> str:
    """The id of what a command of a project creates, the same one each time.

    Of a generated command id it is a UUID of version 7, so that rows of shares that are created together
    are near each other in every index; of another one it is a hash. Two projects may use one command id.
    """
    if _GENERATED.fullmatch(command_id) is None:
        return _hashed(command_id, project_id)
    digits = _hex(int(command_id, 16) ^ _distance(project_id), 7)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _hashed(command_id: str, project_id: str) -> str:
    return str(uuid5(_namespace(project_id), command_id))


def _namespace(project_id: str) -> UUID:
    """The namespace of a project's command ids; that of the default project is older than the others."""
    default = project_id == DEFAULT_PROJECT
    return NAMESPACE_OID if default else uuid5(NAMESPACE_OID, f"project {project_id}")


def _distance(project_id: str) -> int:
    """A number of 62 random bits, which keeps the ids of projects apart; 0 for the default project."""
    default = project_id == DEFAULT_PROJECT
    return 0 if default else _namespace(project_id).int & (1 << 62) - 1


def command_id_of(given: object) -> str:
    """The command id that the caller has *given*, checked; None: a fresh one."""
    return checked(given) or fresh_id()


def chosen_id(field: str, chosen: object, command_id: str, project_id: str) -> str:
    """The UUID that the caller has *chosen* for what a command creates; None: see `created_id`."""
    return created_id(command_id, project_id) if chosen is None else new_id(field, chosen)


def with_version(bits: int, version: int) -> UUID:
    """The UUID of *version* with the other *bits*."""
    return UUID(_hex(bits, version))


def _hex(bits: int, version: int) -> str:
    """The digits of the UUID of *version* with the other *bits*; a `UUID` takes ten times as long to make."""
    return f"{bits & ~_FIXED | version << _VERSION_SHIFT | _VARIANT:032x}"
