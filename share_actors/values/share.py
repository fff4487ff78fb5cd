"""Shares, their access rules, snapshots and export locations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from share_actors.values.base import Value, made
from share_actors.values.checks.fields import Description, Id, Name
from share_actors.values.checks.limits import HOST, WORD
from share_actors.values.checks.text import check_metadata, check_part

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
    "reverting",
    "soft_deleted",
    "deleting",
    "deleted",
    "error",
    "reverting_error",
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
    "restoring",
    "deleting",
    "error",
    "manage_starting",
    "manage_error",
    "unmanage_starting",
    "unmanage_error",
]
SnapshotDoing = Literal["create", "delete", "manage", "unmanage"]


_IF_SET = Field(exclude_if=lambda value: not value)
"""Left out of the JSON of a share without it, so that events that hold a share stay as they are."""


class ExportLocation(Value):
    """A path by which clients mount a share."""

    path: str
    preferred: bool = False
    is_admin_only: bool = False
    protocol: str | None = None
    """The protocol of this path, as `NFS`; None if it is the share's."""
    options: str = ""
    """The mount options that clients need, such as `vers=4.1,port=2049`."""


class AccessRule(Value):
    """Access of a client to a share; `access_to` is a CIDR, a user, a certificate's name or a ceph id."""

    id: str
    access_type: AccessType
    access_to: str
    access_level: AccessLevel = "rw"
    state: RuleState = "queued"
    reason: str | None = None
    warning: str | None = None
    """Why an active rule cannot work, if the driver knows of an obstacle."""


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
    access_rules: tuple[AccessRule, ...] = ()
    """Who may mount it by itself, to read it."""
    export_locations: tuple[ExportLocation, ...] = ()
    """Where those clients mount it: none without access rules."""
    share: Annotated[Share | None, Field(exclude=True, repr=False)] = None
    """The share that it is of, without its rules and snapshots: for drivers only."""

    def alone(self) -> Snapshot:
        """The snapshot without its rules and export locations."""
        return self.replace(access_rules=(), export_locations=())


class ResourceLock(Value):
    """A lock of a share against deletion, or of its access rule `access_id` against removal.

    `by_admin`: only an administrator can remove it.
    """

    id: str
    access_id: str | None = None
    reason: str | None = None
    by_admin: bool = False
    user_id: str = ""
    created_at: datetime | None = None


class ShareSpec(Value):
    """What a client specifies of a share; commands, events and `Share` itself carry it unchanged."""

    name: Name | None = None
    description: Description | None = None
    share_proto: Protocol = "NFS"
    share_type: str | None = None
    share_network_id: Id | None = None
    availability_zone: str | None = None
    host: str = ""
    """`backend` or `backend#pool`; empty: the scheduler chooses."""
    metadata: dict[str, str] = Field(default_factory=dict)
    is_public: bool = False
    project_id: str = ""
    user_id: str = ""

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.host.partition("#")[0]


def check_spec(spec: ShareSpec) -> ShareSpec:
    """*spec* as a command may request it; raises `PartError`. What an old log holds is not checked again."""
    check_metadata(spec.metadata)
    check_part("host", spec.host, HOST)
    for part in ("share_type", "availability_zone"):
        if (value := getattr(spec, part)) is not None:
            check_part(part, value, WORD)
    return spec


_SPEC_FIELDS = frozenset(ShareSpec.model_fields)
RequestedSpec = Annotated[ShareSpec, AfterValidator(check_spec)]


def nest_spec(fields: Mapping[str, Any]) -> dict[str, Any]:
    """*fields* with those of `ShareSpec` moved into a mapping under the key `spec`."""
    spec = {name: value for name, value in fields.items() if name in _SPEC_FIELDS}
    others = {name: value for name, value in fields.items() if name not in spec}
    return {**others, "spec": spec}


class Share(ShareSpec):
    """A share, with the field names of Manila's. The size is GiB.

    `status_reason` is the reason for an error, or for the backend's refusal of the last request; after a
    revert, that clients must mount the share again.
    """

    id: str = ""
    size: int = 0
    share_server_id: str | None = None
    snapshot_id: str | None = None
    created_at: datetime | None = None
    status: ShareStatus = "absent"
    status_reason: str | None = None
    export_locations: tuple[ExportLocation, ...] = ()
    access_rules: tuple[AccessRule, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    scheduled_to_be_deleted_at: Annotated[datetime | None, _IF_SET] = None
    """When a softly deleted share is deleted, unless it is restored before."""
    locks: Annotated[tuple[ResourceLock, ...], _IF_SET] = ()
    extra_specs: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    """Those of its share type when it was requested: for drivers only."""

    @property
    def share_type_id(self) -> str | None:
        """The id of its share type, which is the type's name."""
        return self.share_type

    def alone(self) -> Share:
        """The share without its rules and snapshots."""
        return self.replace(access_rules=(), snapshots=())

    @classmethod
    def from_spec(cls, spec: ShareSpec, **fields: Any) -> Share:
        """A share with this specification and other *fields*, which are not validated again."""
        return made(Share, {**_EMPTY.__dict__, **spec.__dict__, **fields})


Snapshot.model_rebuild()
_EMPTY = Share()
