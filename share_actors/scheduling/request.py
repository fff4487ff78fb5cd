"""What a share requires of its pool. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from share_actors.values import Internal, ShareType


class RequestSpec(Internal):
    """The requirements of one share on its pool. Hosts are `backend` or `backend#pool`; sizes are GiB.

    *same_host* and *different_host*: the hosts, by share id, of the shares that it must or must not be
    with; '' for a share that is on no backend.
    """

    share_id: str
    size: int
    share_proto: str
    requested_host: str | None = None
    share_type: ShareType | None = None
    needs_share_server: bool = False
    """A share network was given."""
    availability_zone: str | None = None
    snapshot_host: str | None = None
    """The host of the snapshot that the share is created from."""
    same_host: Mapping[str, str] = Field(default_factory=dict)
    different_host: Mapping[str, str] = Field(default_factory=dict)
    extends: bool = False
    """The share exists, and *size* is what it grows by."""
