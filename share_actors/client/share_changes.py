"""Requests of the asynchronous client that change the size or the content of a share."""

from __future__ import annotations

from abc import ABC
from typing import Self, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.client.keywords import RequestOptions
from share_actors.client.share_exits import AsyncShareExits, id_of
from share_actors.events.share.messages import ExtendShare, RevertToSnapshot, ShrinkShare
from share_actors.values import Snapshot


class AsyncShareChanges(AsyncShareExits, ABC):
    """The part of `AsyncShare` that changes its size or its content."""

    async def extend(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Extend the share to *size* GiB; raises `Refused` if that is not more than now."""
        return await self._ask(build(ExtendShare, {"size": size}), options)

    async def shrink(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Shrink the share to *size* GiB.

        Raises `Refused` if that is not less than now, `OperationFailed` if more is used; the share stays
        available with its size then.
        """
        return await self._ask(build(ShrinkShare, {"size": size}), options)

    async def revert_to(self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]) -> Self:
        """Replace the content of the share by that of its latest snapshot (or the one with this id).

        What was written since the snapshot is lost. Size, access rules and export locations stay. If its
        clients must mount the share again, `status_reason` says so. Raises `NotFound`; `Refused` for a
        snapshot that is not the latest, is larger than the share or is not available, and for a backend
        that cannot revert; `OperationFailed` with the backend's reason.
        """
        command = build(RevertToSnapshot, {"snapshot_id": id_of(snapshot)})
        return await self._ask(command, options)
