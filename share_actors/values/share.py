"""The words that events, drivers and clients share. Frozen; no Ray, no log, no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from share_actors.values.base import Value

MAX_SIZE_GIB = 2_147_483_647
"""The largest size of a share, in GiB (the range of Manila's `shares.size` column)."""

SizeGiB = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE_GIB)]
AccessLevel = Literal["rw", "ro"]
AccessType = Literal["ip", "user", "cert", "cephx"]
Protocol = Literal["NFS", "CIFS", "CEPHFS", "GLUSTERFS", "HDFS", "MAPRFS"]
ShareStatus = Literal[
    "absent", "creating", "available", "extending", "shrinking", "deleting", "deleted", "error",
    "manage_starting", "manage_error", "unmanage_starting", "unmanage_error", "unmanaged",
]  # fmt: skip
RuleState = Literal["queued", "applying", "active", "denying", "error"]
SnapshotStatus = Literal[
    "creating", "available", "deleting", "error",
    "manage_starting", "manage_error", "unmanage_starting", "unmanage_error",
]  # fmt: skip
SnapshotDoing = Literal["create", "delete", "manage", "unmanage"]


class ExportLocation(Value):
    """One path by which clients reach a share."""

    path: str
    preferred: bool = False
    is_admin_only: bool = False


class AccessRule(Value):
    """Who may use a share, and how; `access_to` is a CIDR, a user, a certificate's name or a ceph id."""

    id: str
    access_type: AccessType
    access_to: str
    access_level: AccessLevel = "rw"
    state: RuleState = "queued"
    reason: str | None = None


class Snapshot(Value):
    """A share's contents at one moment."""

    id: str
    share_id: str
    name: str | None = None
    size: int = 0
    share_proto: str = "NFS"
    status: SnapshotStatus = "creating"
    reason: str | None = None
    doing: SnapshotDoing | None = None
    provider_location: str | None = None
    created_at: datetime | None = None


class Share(Value):
    """What a share is: the fields of Manila's share, by its names. Sizes are GiB.

    `status_reason` says why a share is in error, or why the last request was refused by its backend.
    """

    id: str = ""
    name: str | None = None
    description: str | None = None
    share_proto: str = "NFS"
    size: int = 0
    share_type: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    availability_zone: str | None = None
    host: str = ""
    metadata: dict[str, str] = {}
    is_public: bool = False
    project_id: str = ""
    user_id: str = ""
    snapshot_id: str | None = None
    created_at: datetime | None = None
    status: ShareStatus = "absent"
    status_reason: str | None = None
    export_locations: tuple[ExportLocation, ...] = ()
    access_rules: tuple[AccessRule, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()

    @property
    def backend(self) -> str:
        """The backend's name: `host` is `backend` or `backend#pool`."""
        return self.host.partition("#")[0]
