"""Shares, their access rules, snapshots and export locations."""

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
    "absent",
    "creating",
    "available",
    "extending",
    "shrinking",
    "deleting",
    "deleted",
    "error",
    "manage_starting",
    "manage_error",
    "unmanage_starting",
    "unmanage_error",
    "unmanaged",
]
RuleState = Literal["queued", "applying", "active", "denying", "error"]
SnapshotStatus = Literal[
    "creating",
    "available",
    "deleting",
    "error",
    "manage_starting",
    "manage_error",
    "unmanage_starting",
    "unmanage_error",
]
SnapshotDoing = Literal["create", "delete", "manage", "unmanage"]


class ExportLocation(Value):
    """A path by which clients mount a share."""

    path: str
    preferred: bool = False
    is_admin_only: bool = False


class AccessRule(Value):
    """Access of a client to a share; `access_to` is a CIDR, a user, a certificate's name or a ceph id."""

    id: str
    access_type: AccessType
    access_to: str
    access_level: AccessLevel = "rw"
    state: RuleState = "queued"
    reason: str | None = None


class ShareRule(AccessRule):
    """An access rule in a list of the rules of many shares, with the id of its share."""

    share_id: str


class Snapshot(Value):
    """A share's contents at one time; the size is GiB. `doing` is the last operation requested on it."""

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
    """A share, with the field names of Manila's. The size is GiB.

    `status_reason` is the reason for an error, or for the backend's refusal of the last request.
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
