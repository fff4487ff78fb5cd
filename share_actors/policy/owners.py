"""The owner of an entity, and the projects that may read it besides."""

from __future__ import annotations

from typing import NamedTuple

from share_actors.values import (
    Frozen,
    Quota,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
    SnapshotPolicy,
)


class Owner(NamedTuple):
    """The project that owns an entity, empty for the system; and who else may read it.

    These are the projects *readers*, or everyone if *is_public*.
    """

    project_id: str
    readers: tuple[str, ...] = ()
    is_public: bool = False


THE_SYSTEM = Owner("")


def owner_of(entity: Frozen) -> Owner:
    """The owner of a share, network, server, quota, policy or type; everything else is the system's."""
    match entity:
        case Share():
            return Owner(entity.project_id, (), entity.is_public)
        case ShareNetwork() | ShareServer() | Quota() | SnapshotPolicy():
            return Owner(entity.project_id)
        case ShareType():
            return Owner("", entity.projects, entity.is_public)
        case _:
            return THE_SYSTEM
