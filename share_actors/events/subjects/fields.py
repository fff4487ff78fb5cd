"""Which fields of events hold personal data, by topic: paths in the stored JSON, `*` for each item."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Holds = Literal["user", "project", "client", "text", "prose"]
"""What a field holds: a user, a project, the client of an access rule, a text that the user wrote, or prose.

Prose is a sentence of a driver or of an operator; the subjects that are named in it are sealed.
"""
FIELDS_OF_ENVELOPE = (("user_id", "user"), ("project_id", "project"))


class PersonalField(NamedTuple):
    """The place of personal data in an event."""

    path: tuple[str, ...]
    holds: Holds


def _fields(**places: str) -> tuple[PersonalField, ...]:
    """The fields at *places*, blank-separated; texts come first, as their subject is in another field."""
    order: tuple[Holds, ...] = ("text", "prose", "client", "user", "project")
    return tuple(
        PersonalField(tuple(place.split(".")), holds)
        for holds in order
        for place in places.get(holds, "").split()
    )


_SPEC = {
    "text": "spec.name spec.description spec.metadata.*",
    "user": "spec.user_id",
    "project": "spec.project_id",
}
_NAME = _fields(text="name")
_REASON = _fields(prose="reason")
_RULES_APPLIED = _fields(prose="failed.* warnings.*", client="cut_off.*")
_RULES_OF_SOURCE = (
    "parent.access_rules.*",
    "parent.snapshots.*.access_rules.*",
    "source.access_rules.*",
)
_TYPE = _fields(text="description", project="projects.*")

FIELDS: Mapping[str, tuple[PersonalField, ...]] = MappingProxyType(
    {
        "share.creation_requested": _fields(
            text=f"{_SPEC['text']} source.name parent.name parent.description parent.metadata.*"
            " parent.snapshots.*.name",
            prose=" ".join(
                (
                    "parent.status_reason source.reason parent.snapshots.*.reason parent.locks.*.reason",
                    *(f"{rule}.reason {rule}.warning" for rule in _RULES_OF_SOURCE),
                )
            ),
            client=" ".join(f"{rule}.access_to" for rule in _RULES_OF_SOURCE),
            user="spec.user_id parent.user_id parent.locks.*.user_id",
            project="spec.project_id parent.project_id",
        ),
        "share.locked": _fields(prose="reason", user="user_id"),
        "share.changed": _fields(text="name description metadata.*"),
        "share.manage_requested": _fields(**_SPEC),
        "share.unknown_deletion_requested": _fields(**_SPEC),
        "share.server_acquired": _fields(project="server.project_id", prose="server.status_reason"),
        "access.allowed": _fields(client="access_to"),
        "access.rules_applied": _RULES_APPLIED,
        "snapshot.access_allowed": _fields(client="access_to"),
        "snapshot.access_rules_applied": _RULES_APPLIED,
        "snapshot.requested": _NAME,
        "snapshot.manage_requested": _NAME,
        "network.created": _fields(text="name description", user="user_id", project="project_id"),
        "network.security_service_added": _fields(text="service.name service.user"),
        "policy.created": _fields(text="name", user="user_id", project="project_id"),
        "policy.ran": _fields(prose="run.failed.*"),
        "server.requested": _fields(project="project_id"),
        "type.created": _TYPE,
        "type.changed": _fields(project="projects.*"),
        "quota.changed": _fields(user="user_id", project="project_id"),
        "backend.unhealthy": _fields(prose="problems.*"),
        **dict.fromkeys(
            (
                *("share.resize_refused", "share.revert_refused", "share.errored"),
                *("share.forget_requested", "share.forgotten", "share.ensure_failed"),
                *("snapshot.errored", "snapshot.deletion_refused", "snapshot.forgotten"),
                *("share.attempt_failed", "server.set_up_failed", "server.errored"),
                *("server.forget_requested", "backend.down", "backend.moved"),
                *("node.drained", "node.forgotten"),
            ),
            _REASON,
        ),
    }
)
"""A path that an event once had stays in it: what an older version sealed there has to be opened."""
